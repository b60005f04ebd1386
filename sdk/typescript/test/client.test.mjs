// What the client does when the ledger or the network does not behave: no ledger is needed, only its answers.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  CheckpointWatch, Equivocation, InMemory, LedgerClient, LedgerUnavailable, LocalSigner, RefusedByLedger, Refuted, RolledBack, WrongAnswer, b64,
  b64u, leafHash, nodeHash, readJwk, readTrust, rootOf, sha256, utf8, verifyConsistency, verifyInclusion,
} from "../dist/index.js";
import { InFile } from "../dist/node.js";
import { consistencyFromTiles, inclusionFromTiles } from "../dist/public.js";

const NAME = "ledger.example/test";
const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
const material = Uint8Array.from([1, ...new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))]);
const keyId = (await sha256(utf8(`${NAME}\n`), material)).slice(0, 4);
const trust = await readTrust(`log ${NAME}+${Buffer.from(keyId).toString("hex")}+${b64(material)}\nquorum none\n`);
const leaves = await Promise.all(["a", "b", "c"].map((one) => leafHash(utf8(one))));
const [left] = [await nodeHash(leaves[0], leaves[1])];

async function note(size, root) {
  const text = `${NAME}\n${size}\n${b64(root)}\n`;
  const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, utf8(text)));
  return `${text}\n\u2014 ${NAME} ${b64(Uint8Array.from([...keyId, ...signature]))}\n`;
}
const two = await note(2, left);
const three = await note(3, await nodeHash(left, leaves[2]));
const forked = await note(3, await nodeHash(left, leaves[0]));
const proof = [leaves[2]];

test("a log that continues is followed, and what was seen is remembered on disk", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "watch-")), "newest");
  const watch = new CheckpointWatch(trust, new InFile(file), async () => proof);
  await watch.observe(await trust.open(two));
  await watch.observe(await trust.open(three));
  await watch.observe(await trust.open(two)); // an older one that fits
  assert.equal(readFileSync(file, "utf8"), three);
  assert.deepEqual(readdirSync(join(file, "..")), ["newest"]);
});

test("a second history is an equivocation, and both checkpoints are there to be shown", async () => {
  const memory = new InMemory();
  await memory.write(two);
  const watch = new CheckpointWatch(trust, memory, async () => proof);
  await assert.rejects(watch.observe(await trust.open(forked)), (error) => {
    assert.ok(error instanceof Equivocation);
    assert.deepEqual([error.known, error.seen], [two, forked]);
    return true;
  });
  assert.equal(await memory.read(), two);
  await watch.observe(await trust.open(three));
  await assert.rejects(watch.observe(await trust.open(forked)), Equivocation); // of one size
});

test("a log that shows less than before is told", async () => {
  const watch = new CheckpointWatch(trust, new InMemory(), async () => proof);
  const before = await trust.open(three);
  await watch.observe(before);
  await assert.rejects(watch.observe(await trust.open(two), before), RolledBack);
});

test("a remembered checkpoint that the log's key did not sign is refused, not forgotten", async () => {
  const memory = new InMemory();
  await memory.write(two.replace("\n2\n", "\n1\n"));
  await assert.rejects(new CheckpointWatch(trust, memory, async () => proof).known(), Refuted);
});

async function client(answers, pauses = [], more = {}) {
  const { signer } = await LocalSigner.generate("k");
  const asked = [];
  const fetch = async (url, init) => {
    sent.push(init.body);
    asked.push(new URL(url));
    const next = typeof answers === "function" ? answers(new URL(url), init) : answers.shift();
    if (next instanceof Error) throw next;
    return next;
  };
  const sent = [];
  const sleep = async (ms) => void pauses.push(ms);
  const options = { baseUrl: "https://ledger.example", participant: "app-1", signer, trust, fetch, sleep, ...more };
  return [new LedgerClient(options), sent, asked];
}
const json = (status, body, headers = {}) => new Response(JSON.stringify(body), { status, headers });
const revoke = { by: "customer", consent_id: "5f3c1a52-8a41-4c2e-9d3e-2f1f6f0a7b11", reason: "customer-request" };

test("the very same bytes are sent again after a lost answer and a busy ledger, not before Retry-After", async () => {
  const pauses = [];
  const final = json(409, { detail: "no", type: "https://ledger.example/errors/conflict" });
  const [ledger, sent] = await client([new TypeError("gone"), json(503, {}, { "retry-after": "7" }), final], pauses);
  const question = await ledger.question("/consents/x/revoke", "consent.revoke", revoke);
  await assert.rejects(ledger.submit(question), (error) => error instanceof RefusedByLedger && error.status === 409);
  assert.equal(sent.length, 3);
  assert.equal(new Set(sent).size, 1);
  assert.ok(pauses[1] >= 7_000);
});

test("patience ends, and says that sending the same again is safe", async () => {
  const [ledger, sent] = await client(Array.from({ length: 9 }, () => new TypeError("gone")));
  await assert.rejects(ledger.follow(), (error) => error instanceof LedgerUnavailable && /safe/.test(error.message));
  assert.equal(sent.length, 6);
});

const A = "https://a.example";
const B = "https://b.example";
const hosts = (asked) => asked.map((url) => url.hostname[0]).join("");
const no = () => json(409, { detail: "no", type: "https://ledger.example/errors/conflict" });
const question = (ledger) => ledger.question("/consents/x/revoke", "consent.revoke", revoke);

test("a statement goes to the next address at once, unchanged, and the one that answered is asked first from then on", async () => {
  const pauses = [];
  const answers = (url, { method }) => (url.origin === A ? new TypeError("nobody is here") : method === "POST" ? no() : new Response(three));
  const [ledger, sent, asked] = await client(answers, pauses, { baseUrl: [A, `${B}/`] });
  await assert.rejects(ledger.submit(await question(ledger)), RefusedByLedger);
  assert.deepEqual([sent.length, new Set(sent).size], [2, 1]);
  await ledger.follow();
  await ledger.follow();
  assert.equal(hosts(asked), "ab" + "ab" + "b");
  assert.deepEqual(pauses, []);
});

test("no address is asked before the time that it named, and 429 holds at all of them", async () => {
  for (const [status, order, pause] of [[503, "abb", 3_000], [429, "abab", 7_000]]) {
    const [pauses, seen] = [[], new Map()];
    const answers = (url) => {
      const times = (seen.get(url.origin) ?? 0) + 1;
      seen.set(url.origin, times);
      return times > 1 ? no() : json(status, {}, { "retry-after": url.origin === A ? "7" : "3" });
    };
    const [ledger, , asked] = await client(answers, pauses, { baseUrl: [A, B] });
    await assert.rejects(ledger.submit(await question(ledger)), RefusedByLedger);
    assert.equal(hosts(asked).slice(0, 3), order.slice(0, 3));
    assert.ok(Math.abs(pauses[0] - pause) < 500, `${pauses}`);
  }
});

test("a node that only reads is passed over, and not asked again", async () => {
  const answers = (url) => (url.origin === A ? json(421, { detail: "a reader" }) : json(503, {}));
  const [ledger, , asked] = await client(answers, [], { baseUrl: [A, B], patience: { tries: 3 } });
  await assert.rejects(ledger.submit(await question(ledger)), (error) => error instanceof LedgerUnavailable && /safe/.test(error.message));
  assert.match(hosts(asked), /^abb+$/);
  const [alone] = await client([json(421, { detail: "a reader" })]);
  await assert.rejects(alone.submit(await question(alone)), (error) => error instanceof RefusedByLedger && error.status === 421);
});

test("all tries together take no longer than patience says", async () => {
  const [ledger] = await client(() => json(503, {}, { "retry-after": "20" }), [], { baseUrl: [A, B], patience: { longest: 10_000 } });
  await assert.rejects(ledger.submit(await question(ledger)), /no answer within 10 s.*safe/);
});

test("each node gives tokens of its own, and one that gives none is passed over", async () => {
  const { signer } = await LocalSigner.generate("c");
  const issuers = [];
  const answers = (url, init) => {
    if (url.pathname === "/token") {
      const [, claims] = new URLSearchParams(init.body).get("client_assertion").split(".");
      issuers.push(JSON.parse(Buffer.from(claims, "base64url")).aud);
      return url.origin === A ? json(503, {}) : json(200, { access_token: "t", token_type: "DPoP", expires_in: 60 });
    }
    const [, claims] = init.headers.DPoP.split(".");
    assert.equal(JSON.parse(Buffer.from(claims, "base64url")).htu, `${B}/receipts/7`);
    return no();
  };
  const [ledger, , asked] = await client(answers, [], { baseUrl: [A, B], clientKey: signer });
  await assert.rejects(ledger.receipt(7), (error) => error instanceof RefusedByLedger && error.status === 409);
  assert.equal(hosts(asked), "abb");
  assert.deepEqual(issuers, [A, B]);
});

/** A ledger that gives these answers in their order: status, path, nonce; `told`: what each request's proof brought. */
async function withNonces(answers, baseUrl = A) {
  const { signer } = await LocalSigner.generate("c");
  const told = [];
  const next = (url, init) => {
    told.push(JSON.parse(Buffer.from(init.headers.DPoP.split(".")[1], "base64url")).nonce);
    const [status, path, nonce] = answers[url.origin].shift().split(" ");
    assert.equal(url.pathname, path);
    const token = { access_token: "t", token_type: "DPoP", expires_in: 60 };
    const body = status !== "200" ? { error: "use_dpop_nonce" } : path === "/token" ? token : {};
    return json(Number(status), body, { "dpop-nonce": nonce, ...(status === "401" ? { "www-authenticate": 'DPoP error="use_dpop_nonce"' } : {}) });
  };
  const [ledger] = await client(next, [], { baseUrl, clientKey: signer });
  return [ledger, told];
}

test("a proof is made again with the nonce that is told, and the newest is kept", async () => {
  const answers = ["400 /token a", "200 /token b", "401 /receipts/7 c", "200 /receipts/7 d", "200 /receipts/8 e", "200 /receipts/9 f"];
  const [ledger, told] = await withNonces({ [A]: answers });
  for (const index of [7, 8, 9]) await assert.rejects(ledger.receipt(index), Refuted); // an empty object is none
  assert.deepEqual(told, [undefined, "a", "b", "c", "d", "e"]);
});

test("a ledger that refuses its own nonce is asked no third time", async () => {
  const refused = (status) => (error) => error instanceof RefusedByLedger && error.status === status;
  const [ledger, told] = await withNonces({ [A]: ["200 /token a", "401 /receipts/7 b", "401 /receipts/7 c"] });
  await assert.rejects(ledger.receipt(7), refused(401));
  assert.deepEqual(told, [undefined, "a", "b"]);
  const [other, brought] = await withNonces({ [A]: ["400 /token a", "400 /token b"] });
  await assert.rejects(other.receipt(7), refused(400));
  assert.deepEqual(brought, [undefined, "a"]);
});

test("each address has nonces of its own", async () => {
  const first = ["400 /token a", "503 /token b", "200 /token c", "200 /receipts/8 d"];
  const second = ["400 /token z", "200 /token y", "200 /receipts/7 x", "503 /receipts/8 w"];
  const [ledger, told] = await withNonces({ [A]: first, [B]: second }, [A, B]);
  for (const index of [7, 8]) await assert.rejects(ledger.receipt(index), Refuted);
  assert.deepEqual(told, [undefined, "a", undefined, "z", "y", "x", "b", "c"]);
});

test("a node that has not heard yet is asked again before the log is accused", async () => {
  const [pauses, memory] = [[], new InMemory()];
  await memory.write(three);
  let behind = 3;
  const answers = () => new Response(behind-- > 0 ? two : three);
  const [ledger] = await client(answers, pauses, { baseUrl: [A, B], memory });
  assert.equal((await ledger.follow()).checkpoint.size, 3n);
  assert.equal(pauses.length, 3);
  behind = Infinity;
  await assert.rejects(ledger.follow(), RolledBack);
});

test("addresses that cannot be meant are refused", async () => {
  for (const baseUrl of [[], [A, `${A}/`], [A, "b.example"], `${A}?x=1`, Array.from({ length: 17 }, (_, at) => `${A}/${at}`)]) {
    await assert.rejects(client([], [], { baseUrl }), TypeError);
  }
});

test("a statement of a wrong form is not signed", async () => {
  const [ledger] = await client([]);
  await assert.rejects(ledger.sign("consent.revoke", { ...revoke, by: "nobody" }), Refuted);
  await assert.rejects(ledger.sign("consent.revoke", { ...revoke, more: 1 }), Refuted);
  await assert.rejects(ledger.sign("consent.revoke", { ...revoke, reason: b64u(new Uint8Array(64)) }), Refuted);
});

test("SM2: the standard's example verifies, and nothing that was changed does", async () => {
  const hex = (text) => b64u(Uint8Array.from(Buffer.from(text, "hex")));
  const jwk = { // GB/T 32918.5-2017, A.2
    crv: "SM2", kty: "EC",
    x: hex("09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"),
    y: hex("CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"),
  };
  const signature = Uint8Array.from(Buffer.from(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3" +
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA", "hex"));
  const key = readJwk(jwk);
  await key.verify(utf8("message digest"), signature);
  await assert.rejects(key.verify(utf8("message digest."), signature), Refuted);
  for (const at of [0, 31, 32, 63]) {
    const changed = Uint8Array.from(signature);
    changed[at] ^= 1;
    await assert.rejects(key.verify(utf8("message digest"), changed), Refuted);
  }
  await assert.rejects(key.verify(utf8("message digest"), signature.subarray(1)), Refuted);
  await assert.rejects(key.verify(utf8("message digest"), new Uint8Array(64)), Refuted);
  assert.throws(() => readJwk({ ...jwk, y: jwk.x }), Refuted);
});

test("proofs made from tiles lead to the roots, across full and partial tiles of several levels", async () => {
  const size = 700;
  const rows = [await Promise.all(Array.from({ length: size }, (_, at) => leafHash(utf8(`entry ${at}`))))];
  rows.push([await rootOf(rows[0].slice(0, 256)), await rootOf(rows[0].slice(256, 512))]);
  const asked = new Set();
  const tiles = async (path) => {
    asked.add(path);
    const [, level, number, width] = /^tile\/([01])\/([0-9]{3})(?:\.p\/([0-9]+))?$/.exec(path);
    const held = rows[level].slice(number * 256, number * 256 + Number(width ?? 256));
    assert.equal(held.length, Number(width ?? 256));
    return Uint8Array.from(held.flatMap((hash) => [...hash]));
  };
  const root = (of) => rootOf(rows[0].slice(0, of));
  for (const old of [1, 2, 255, 256, 257, 511, 512, 513, 699, 700]) {
    const path = await consistencyFromTiles(BigInt(old), 700n, tiles);
    await verifyConsistency(BigInt(old), 700n, path, await root(old), await root(size));
  }
  for (const [index, of] of [[0, 1], [0, 700], [255, 256], [256, 300], [300, 513], [511, 512], [699, 700]]) {
    const path = await inclusionFromTiles(BigInt(index), BigInt(of), 700n, tiles);
    await verifyInclusion(BigInt(index), BigInt(of), rows[0][index], path, await root(of));
  }
  assert.deepEqual([...asked].sort(), ["tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"]);
  await assert.rejects(inclusionFromTiles(5n, 701n, 700n, tiles), WrongAnswer);
  await assert.rejects(consistencyFromTiles(3n, 700n, async () => new Uint8Array(31)), WrongAnswer);
});
