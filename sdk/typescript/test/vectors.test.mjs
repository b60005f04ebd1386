// The vectors of docs/spec/vectors: what every implementation accepts, and what each refuses, with the same code.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import * as client from "../dist/index.js";

const folder = new URL(process.env.VECTORS ? `file://${process.env.VECTORS}/` : "../../../docs/spec/vectors/", import.meta.url);
const kinds = JSON.parse(readFileSync(new URL("../../vectors.json", import.meta.url)));
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const policyNamed = (name) => readFileSync(new URL(`policies/${name}`, folder));

/** The code it is refused with; "" if nobody can say (exit status 2); null if it is accepted. */
async function refusal(work) {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof client.Refuted) return error.code;
    if (error instanceof client.CannotCheck) return "";
    throw error;
  }
}

async function each(cases, work) {
  assert.ok(cases.length > 0);
  for (const one of cases) {
    const code = await refusal(() => work(one));
    assert.equal(code === null, one.accept, `${one.name ?? one.kind}: ${code}`);
    if (one.code !== undefined) assert.equal(code, one.code, one.name);
  }
}

test("every file of vectors is either run here or said to be left out", () => {
  const found = readdirSync(folder).filter((name) => name.endsWith(".json") || name === "bundles" || name === "cases");
  assert.deepEqual(found.sort(), [...kinds.run, ...Object.keys(kinds.left_out)].sort());
});

test("base64.json", () =>
  each(read("base64.json").cases, (one) => {
    const decode = one.alphabet === "base64url" ? client.unb64u : client.unb64;
    assert.equal(client.hex(decode(one.text)), one.hex ?? client.hex(decode(one.text)));
  }));

test("cl-json.json", () => each(read("cl-json.json").cases, (one) => void client.readCanonical(bytes(one.hex), 49_152)));

test("derivations.json", async () => {
  const all = read("derivations.json");
  for (const one of all.chains) assert.equal(await client.chainOf(one.name), one.chain);
  for (const one of all.commitments) {
    const made = await client.commitment(client.utf8(one.evidence), client.unb64u(one.opening));
    assert.equal(client.b64u(made), one.commitment);
  }
  for (const one of all.leaves) assert.equal(client.b64u(await client.leafHash(client.utf8(one.leaf))), one.hash);
  for (const one of all.nodes.filter((node) => node.left)) {
    assert.equal(client.hex(await client.nodeHash(bytes(one.left), bytes(one.right))), one.hash);
  }
  for (const one of all.terms) {
    const terms = typeof one.terms === "string" ? client.readCanonical(client.utf8(one.terms), 16_384) : one.terms;
    assert.equal(await client.termsHash(terms), one.hash);
  }
});

test("keys.json", async () => {
  await each(read("keys.json").jwk, (one) => {
    const key = client.readJwk(one.jwk);
    if (key.alg !== one.alg) throw new client.Refuted("BAD_SIGNATURE", "another algorithm");
  });
  await each(read("keys.json").cose, (one) => client.checkCoseKey(client.unb64u(one.public_key)));
});

test("merkle.json", async () => {
  const { leaves, roots, proofs } = read("merkle.json");
  const hashes = await Promise.all(leaves.map((leaf) => client.leafHash(bytes(leaf))));
  for (const one of roots) assert.equal(client.hex(await client.rootOf(hashes.slice(0, one.size))), one.root);
  await each(proofs.filter((one) => one.kind === "inclusion"), (one) =>
    client.verifyInclusion(BigInt(one.index), BigInt(one.size), bytes(one.leaf), one.path.map(bytes), bytes(one.root)));
  await each(proofs.filter((one) => one.kind === "consistency"), (one) =>
    client.verifyConsistency(BigInt(one.old_size), BigInt(one.new_size), one.path.map(bytes), bytes(one.old_root), bytes(one.new_root)));
});

test("notes.json", async () => {
  const all = read("notes.json");
  await each(all.vkeys, (one) => client.readVkey(one.vkey));
  await each(all.notes, async (one) => {
    const key = await client.readVkey(one.vkey);
    const { text } = await client.openNote(one.note, [key]);
    const checkpoint = await client.readCheckpoint(text);
    if (checkpoint.origin !== key.name) throw new client.Refuted("BAD_SIGNATURE", "of another log");
    const { origin, size, root } = all.checkpoint;
    if (one.accept) assert.deepEqual([checkpoint.origin, Number(checkpoint.size), client.b64(checkpoint.root)], [origin, size, root]);
  });
});

test("policies.json", async () => {
  const all = read("policies.json");
  await each(all.policies, (one) => client.readTrust(one.text ?? bytes(one.hex), 0));
  await each(all.trust_files, (one) => client.readTrust(one.text ?? bytes(one.hex), 1_790_000_000_000));
});

test("statements.json", async () => {
  const { cases, origin } = read("statements.json");
  await each(cases, async (one) => {
    const key = client.readJwk(one.jwk);
    const payload = await client.verifyStatement(one.jws, one.kid, key, origin);
    if (one.payload !== undefined) assert.equal(new TextDecoder().decode(client.canonical(payload)), one.payload);
  });
});

async function judged(cases, check) {
  assert.ok(cases.length > 0);
  for (const one of cases) {
    let [code, exit] = ["", 2];
    try {
      const trust = await client.readTrust(policyNamed(one.policy), 1_790_000_000_000);
      [code, exit] = await check(one, trust);
    } catch (error) {
      if (error instanceof client.Refuted) [code, exit] = [error.code, 1];
      else if (!(error instanceof client.CannotCheck)) throw error;
    }
    assert.deepEqual([code, exit], [one.code, one.exit], one.name);
  }
}

test("receipts.json", () =>
  judged(read("receipts.json").cases, async (one, trust) => {
    const checked = await client.checkReceipt(client.utf8(one.receipt), trust);
    if (checked.defects.length) return [checked.defects[0].code, 1];
    return checked.head.quorumMet ? ["VALID", 0] : ["VALID_UNWITNESSED", 3];
  }));

test("transparent.json", () =>
  judged(read("transparent.json").cases, async (one, trust) => {
    const checked = await client.checkTransparent(client.unb64(one.statement), trust);
    if (checked.defects.length) return [checked.defects[0].code, 1];
    return checked.quorumMet ? ["VALID", 0] : ["VALID_UNWITNESSED", 3];
  }));

test("set-proofs.json", () =>
  judged(read("set-proofs.json").cases, async (one, trust) => {
    const checked = await client.checkInSet(client.utf8(one.receipt), client.utf8(one.set_proof), trust);
    if (checked.defects.length) return [checked.defects[0].code, 1];
    return checked.vouched.head.quorumMet ? ["VALID", 0] : ["VALID_UNWITNESSED", 3];
  }));

test("a receipt of the largest size is one, and one byte more is none", async () => {
  const one = read("receipts.json").cases.find((row) => row.exit === 0 || row.exit === 3);
  const trust = await client.readTrust(policyNamed(one.policy), 1_790_000_000_000);
  const padded = (size) => client.utf8(one.receipt + " ".repeat(size - client.utf8(one.receipt).length));
  assert.deepEqual((await client.checkReceipt(padded(1_400_000), trust)).defects, []);
  await assert.rejects(client.checkReceipt(padded(1_400_001), trust), client.Refuted);
});

test("map.json", () =>
  each(read("map.json").proofs, (one) => {
    const [root, key, proof] = [bytes(one.root), bytes(one.key), bytes(one.proof)];
    return one.kind === "present" ? client.verifyPresent(root, key, bytes(one.value), proof) : client.verifyAbsent(root, key, proof);
  }));

test("completeness.json", () =>
  judged(read("completeness.json").cases, async (one, trust) => {
    await client.verifyCompleteness(client.utf8(one.file), trust, (one.shown ?? []).map(client.utf8));
    return ["VALID", 0];
  }));

test("log-keys.json", () =>
  each(read("log-keys.json").cases, async (one) => {
    const proofs = new Map(one.proofs.map(({ index, size, hashes }) => [`${index} of ${size}`, hashes.map((hash) => client.unb64u(hash))]));
    const trusted = await Promise.all(one.trusted.map((vkey) => client.readVkey(vkey)));
    const documents = one.documents.map(({ index, leaf }) => ({ index, leaf: client.utf8(leaf) }));
    const found = await client.successors(trusted, documents, async (index, size) => proofs.get(`${index} of ${size}`));
    assert.deepEqual(found.map(({ key, by, first }) => ({ vkey: key.vkey, by: by.vkey, first })), one.keys);
  }));

test("acts.json", () => {
  const { cases, origin } = read("acts.json");
  return each(cases, (one) => void client.readPayload(client.utf8(one.payload), origin));
});

test("histories.json, the form of what a holder attests and of its sheets", async () => {
  const { attests, sheets } = read("histories.json");
  const origin = JSON.parse(attests[0].attest).aud;
  await each(attests, (one) => void client.readPayload(client.utf8(one.attest), origin));
  const judged = sheets.map(({ name, sheet, code }) => ({ name, sheet, accept: code !== "BAD_ENCODING" })); // whether it is legal hangs on the log
  await each(judged, (one) => void client.readPayload(client.utf8(one.sheet), origin));
});
