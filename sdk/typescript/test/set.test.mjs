// Several logs as one: a head log and its shards, of which this file makes the answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LedgerClient, LedgerSet, LedgerUnavailable, LocalSigner, NotInSet, RefusedByLedger, Refuted, b64, b64u, canonical, chainOf, checkInSet,
  hex, leafHash, nodeHash, readTrust, rootOf, sha256, utf8, verifyReceipt,
} from "../dist/index.js";

const HEAD = "https://head.example";
const ZERO = b64u(new Uint8Array(32));

/** The proof of entry `index` in the tree over these leaf hashes (RFC 6962 §2.1.1). */
async function pathTo(index, hashes) {
  if (hashes.length === 1) return [];
  let half = 1;
  while (half * 2 < hashes.length) half *= 2;
  const [left, right] = [hashes.slice(0, half), hashes.slice(half)];
  return index < half
    ? [...(await pathTo(index, left)), await rootOf(right)]
    : [...(await pathTo(index - half, right)), await rootOf(left)];
}

/** A log with a key of its own. */
class Log {
  leaves = [];
  static async named(name) {
    const log = new Log();
    log.pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    log.name = name;
    log.raw = new Uint8Array(await crypto.subtle.exportKey("raw", log.pair.publicKey));
    const material = Uint8Array.from([1, ...log.raw]);
    log.id = (await sha256(utf8(`${name}\n`), material)).slice(0, 4);
    log.trust = await readTrust(`log ${name}+${hex(log.id)}+${b64(material)}\nquorum none\n`);
    return log;
  }
  async add(kind, members) {
    const index = this.leaves.length;
    const leaf = { index, kind, prev: ZERO, time: 1_790_000_000_000, v: 1, ...members };
    this.leaves.push(new TextDecoder().decode(canonical(leaf)));
    return index;
  }
  async say(chain, document) {
    return this.add("operator", { chain: await chainOf(chain), document: { ...document, v: 2 }, prev_in_chain: ZERO, seq: 0 });
  }
  grow = () => this.add("index-head", { map_root: ZERO, map_size: 0 });
  hashes = (size = this.leaves.length) => Promise.all(this.leaves.slice(0, size).map((leaf) => leafHash(utf8(leaf))));
  async note() {
    const text = `${this.name}\n${this.leaves.length}\n${b64(await rootOf(await this.hashes()))}\n`;
    const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", this.pair.privateKey, utf8(text)));
    return `${text}\n\u2014 ${this.name} ${b64(Uint8Array.from([...this.id, ...signature]))}\n`;
  }
  async proof(index) {
    const lines = (await pathTo(index, await this.hashes())).map((hash) => `${b64(hash)}\n`).join("");
    return `c2sp.org/tlog-proof@v1\nindex ${index}\n${lines}\n${await this.note()}`;
  }
  async receipt(index) {
    return verifyReceipt(utf8(JSON.stringify({ leaf: this.leaves[index], proof: await this.proof(index), v: 1 })), this.trust);
  }
  async answer(url) {
    if (url.pathname === "/checkpoint/newest") return new Response(await this.note());
    const [index, size] = ["index", "size"].map((name) => Number(url.searchParams.get(name)));
    assert.equal(url.pathname, "/proofs/inclusion");
    return Response.json({ hashes: (await pathTo(index, await this.hashes(size))).map(b64u) });
  }
}

/** A head log with the shard `east`, in which bank-a lives. */
async function world() {
  const [head, east] = [await Log.named("ledger.example/head"), await Log.named("ledger.example/east")];
  await head.say("operator:set", { type: "shard.added", origin: east.name, key: b64u(east.raw) });
  await head.say("operator:set", { type: "holder.placed", holder: "bank-a", origin: east.name });
  for (let count = 0; count < 5; count += 1) await east.grow();
  const told = { address: "https://east.example", set: 2, down: new Set(), asked: [], posted: [], committed: null };
  const fetch = async (at, init) => {
    const url = new URL(at);
    told.asked.push(url.origin + url.pathname);
    if (told.down.has(url.origin)) throw new TypeError("nobody is here");
    if (init.method === "POST") {
      told.posted.push(init.body);
      return Response.json({ detail: "no" }, { status: 409 });
    }
    if (url.origin !== HEAD) return east.answer(url);
    if (url.pathname === "/set") {
      const documents = head.leaves.slice(0, told.set).map((leaf, index) => ({ index, leaf: b64u(utf8(leaf)) }));
      return Response.json({ documents: told.documents ?? documents, shards: [{ origin: east.name, address: told.address }] });
    }
    if (url.pathname !== "/set/heads") return head.answer(url);
    if (told.committed === null) return Response.json({}, { status: 404 });
    return Response.json({ leaf: head.leaves[told.committed], proof: await head.proof(told.committed) });
  };
  const { signer } = await LocalSigner.generate("app-1-statement");
  const pauses = [];
  const sleep = async (ms) => {
    pauses.push(ms);
    if (pauses.length === 3) await commit();
  };
  const commit = async () => {
    const heads = [{ origin: east.name, root: b64u(await rootOf(await east.hashes())), size: east.leaves.length }];
    told.committed = await head.say("operator:heads", { type: "heads.committed", heads });
  };
  const means = { fetch, sleep, patience: { tries: 2 } };
  const connect = (baseUrl, trust) => new LedgerClient({ baseUrl, participant: "app-1", signer, trust, ...means });
  const logs = (trust = head.trust) => new LedgerSet({ baseUrl: HEAD, trust, connect, ...means });
  return { head, east, told, logs, commit, pauses };
}
const revoke = { by: "customer", consent_id: "5f3c1a52-8a41-4c2e-9d3e-2f1f6f0a7b11", reason: "customer-request" };
const asked = (client) => client.question("/consents/x/revoke", "consent.revoke", revoke);

test("the head log's key leads to the shard of a holder, and the client of it is made once", async () => {
  const { east, logs } = await world();
  const set = logs();
  const bank = await set.ofHolder("bank-a");
  assert.equal(bank.trust.logs[0].name, east.name);
  assert.deepEqual(bank.trust.logs[0].raw, east.raw);
  assert.equal(await set.ofHolder("bank-a"), bank);
  await assert.rejects(set.ofHolder("bank-b"), NotInSet);
  await assert.rejects(set.ofOrigin("ledger.example/west"), NotInSet);
});

test("nobody is believed whom the head log does not prove", async () => {
  const { head, east, told, logs } = await world();
  await assert.rejects(logs(east.trust).ofHolder("bank-a"), Refuted);
  const set = logs();
  await set.ofHolder("bank-a");
  const forged = JSON.parse(head.leaves[1]);
  forged.document.holder = "bank-b";
  told.documents = [{ index: 1, leaf: b64u(canonical(forged)) }]; // in the place of one that was proved
  await assert.rejects(set.ofHolder("bank-b"), Refuted);
  forged.index = 0;
  told.documents = [{ index: 1, leaf: b64u(canonical(forged)) }];
  await assert.rejects(set.ofHolder("bank-c"), Refuted);
});

test("a holder that is placed while the client runs is found", async () => {
  const { head, east, told, logs } = await world();
  const set = logs();
  await assert.rejects(set.ofHolder("bank-c"), NotInSet);
  await head.say("operator:set", { type: "holder.placed", holder: "bank-c", origin: east.name });
  told.set = 3;
  assert.equal(await set.ofHolder("bank-c"), await set.ofHolder("bank-a"));
});

test("a statement goes to the log that it names, and unchanged to where that answers after it has moved", async () => {
  const { told, logs } = await world();
  const set = logs();
  const question = await asked(await set.ofHolder("bank-a"));
  await assert.rejects(set.submit(question), (error) => error instanceof RefusedByLedger && error.status === 409);
  told.down.add(told.address);
  await assert.rejects(set.submit(question), LedgerUnavailable); // the head log knows of no other address
  told.address = "https://new.example";
  told.asked.length = 0;
  await assert.rejects(set.submit(question), (error) => error instanceof RefusedByLedger && error.status === 409);
  assert.equal(told.asked.at(-1), "https://new.example/consents/x/revoke");
  assert.deepEqual([told.posted.length, new Set(told.posted).size], [2, 1]);
  await set.submit(question).catch(() => undefined);
  assert.equal(told.asked.filter((url) => url.startsWith("https://east")).length, 2); // and from then on nobody asks the old one
});

test("the head log commits to an entry after a while, and the proof of it can be handed on", async () => {
  const { head, east, logs, pauses } = await world();
  const receipt = await east.receipt(3);
  const proof = await logs().prove(receipt);
  assert.deepEqual([proof.index, proof.level, pauses], [2, "logged", [500, 500, 500]]);
  const checked = await checkInSet(receipt.file, proof.file, head.trust);
  assert.deepEqual([checked.defects, checked.unchecked.length], [[], 1]);
  const other = await east.receipt(2);
  assert.equal((await checkInSet(other.file, proof.file, head.trust)).defects[0].code, "BAD_PROOF");
});

test("a head log that commits to another tree of the shard proves nothing", async () => {
  const { head, east, told, logs } = await world();
  const receipt = await east.receipt(3);
  const root = b64u(await nodeHash(new Uint8Array(32), new Uint8Array(32)));
  told.committed = await head.say("operator:heads", { type: "heads.committed", heads: [{ origin: east.name, root, size: 5 }] });
  await assert.rejects(logs().prove(receipt), (error) => error instanceof Refuted && error.code === "BAD_PROOF");
});
