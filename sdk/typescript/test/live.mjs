// A consent's whole life against a live ledger: run by tests/sdks/live.py, which registers the keys.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { LedgerClient, LocalSigner, RefusedByLedger, Refuted, allowed, b64u, readTrust, sha256, termsHash, utf8, verifyReceipt } from "@consent-ledger/client";
import { InFile } from "@consent-ledger/client/node";

const [url, policy, folder] = process.argv.slice(2);
const reference = () => b64u(randomBytes(18));

async function keyOf(participant, use, alg) {
  const { signer } = await LocalSigner.generate(`${participant}-${use}`, alg);
  writeFileSync(`${folder}/${participant}.${use}.jwk`, JSON.stringify(signer.jwk));
  return signer;
}
const keys = {
  app: [await keyOf("app-1", "statement", "ES256"), await keyOf("app-1", "client", "EdDSA")],
  bank: [await keyOf("bank-1", "statement", "EdDSA"), await keyOf("bank-1", "client", "ES256")],
};
const input = createInterface({ input: process.stdin });
/** What the operator answers. */
async function ask(request) {
  console.log(request);
  return new Promise((done) => input.once("line", done));
}
await ask("keys");

const trust = await readTrust(readFileSync(policy));
const made = (participant, [signer, clientKey], more = {}) =>
  new LedgerClient({ baseUrl: url, participant, signer, clientKey, trust, memory: new InFile(`${folder}/${participant}.checkpoint`), ...more });
const app = made("app-1", keys.app);
const bank = made("bank-1", keys.bank);

const consent = randomUUID();
const now = Math.floor(Date.now() / 1000);
const terms = {
  authorisers_required: 1, expires_at: now + 86_400, frequency_per_day: 10, grade: 3, history_from: 0, history_to: 0,
  holder: "bank-1", language: "en", notice_hash: b64u(await sha256(utf8("We show you your spending."))), once: false,
  permissions: ["ReadAccountsBasic", "ReadBalances"], purpose: { code: "budgeting", text: "Budget planning" },
  recipient: "app-1", retention_days: 90, separate_consents: ["provision", "sensitive"], standard: "own", standard_version: "1", starts_at: 0,
};
// The server learns within a second which keys a command has registered.
for (let tries = 0; ; tries += 1) {
  try {
    await app.requestConsent(consent, terms);
    break;
  } catch (error) {
    if (!(error instanceof RefusedByLedger) || error.status === 409 || tries === 50) throw error;
    await new Promise((done) => setTimeout(done, 200));
  }
}
const accounts = [reference()];
const words = b64u(await sha256(utf8("I agree that my bank provides these sensitive data.")));
const separately = ["provision", "sensitive"].map((kind) => ({ given_at: now, kind, text_hash: words }));
const [authorised, companion] = await bank.authorise(
  consent,
  { accounts, authoriser: reference(), sca: { acr: "sca", amr: ["pwd", "otp"], at: now }, subject: reference(), terms_hash: await termsHash(terms), version: 1, separate_consents: separately },
  reference(),
);
assert.equal(authorised.disclosed.outcome.status, "ACTIVE");
assert.equal(companion.leaf.kind, "subject");

const item = (permissions = ["ReadBalances"]) => ({
  accounts, consent_id: consent, customer_present: true, from: 0, interaction_id: randomUUID(), permissions, purpose: "budgeting",
  request_digest: b64u(randomBytes(32)), to: 0,
});
const access = await app.access(item());
assert.equal(allowed(access), true);
const content = utf8('{"balance":"12.30"}');
await bank.release(access, 1, content.length, await sha256(content));
await app.receive(access, 1, content.length, await sha256(content));

const many = await app.accessMany([item(), item(["ReadParty"]), item()]);
assert.deepEqual(many.map(allowed), [true, false, true]);

// The same question again is recorded once; its receipt is then read with a token.
const question = await app.question("/accesses", "access.request", item());
const [first] = await app.submit(question);
const [again] = await app.submit(question);
assert.equal(again.index, first.index);
// Nobody reads it without one.
await assert.rejects(made("app-1", [keys.app[0], undefined]).submit(question), /clientKey/);
// An answer that is lost on the way is asked for again.
let lost = 0;
const unlucky = made("app-1", keys.app, {
  fetch: async (...call) => {
    const answer = await fetch(...call);
    if (lost === 0 && String(call[0]).endsWith("/accesses")) {
      lost += 1;
      throw new TypeError("the connection is gone");
    }
    return answer;
  },
});
assert.equal(allowed(await unlucky.access(item())), true);
assert.equal(lost, 1);

await bank.revoke(consent);
const denied = await app.access(item());
assert.equal(allowed(denied), false);
assert.deepEqual(denied.disclosed.outcome.reasons, ["CONSENT_REVOKED"]);
assert.equal((await app.consent(consent)).status, "REVOKED");
const history = await app.history(consent);
assert.equal(history.at(-1).index, denied.index);

// The ledger proves within about a second that nothing was left out.
let complete = await app.completeness(consent);
for (let tries = 0; complete.count < history.length && tries < 50; tries += 1) {
  await new Promise((done) => setTimeout(done, 200));
  complete = await app.completeness(consent);
}
assert.deepEqual(complete.leaves.map((leaf) => leaf.index), history.map((receipt) => receipt.index));

// Follow the log, and find out whether it continues what an earlier process has seen.
const head = await app.follow();
assert.ok(head.checkpoint.size > BigInt(denied.index));
const later = await made("app-1", keys.app).follow();
assert.ok(later.checkpoint.size >= head.checkpoint.size);

// A receipt in which one word was changed is none; nor is one under another log's key.
for (const [from, to] of [['\\"allow\\"', '\\"denies\\"'], ['"index\\":', '"index\\":1']]) {
  const text = new TextDecoder().decode(access.file);
  assert.notEqual(text.replace(from, to), text);
  await assert.rejects(verifyReceipt(utf8(text.replace(from, to)), trust), Refuted);
}
const registered = new Map();
const { readJwk } = await import("@consent-ledger/client");
registered.set("app-1-statement", readJwk(keys.app[0].jwk));
assert.deepEqual((await verifyReceipt(access.file, trust, registered)).unchecked, []);
await assert.rejects(verifyReceipt(authorised.file, trust, registered), /not registered/);

// The published files stand for the log, on a server that computes no proofs.
const site = await ask("public");
const reader = new LedgerClient({ baseUrl: site, participant: "app-1", signer: keys.app[0], trust });
const published = await reader.follow();
assert.ok(published.checkpoint.size >= later.checkpoint.size);

// The operator changes the log's key. Who knows the older one only is led to the new one by the log, and by nothing else.
await ask("key");
const bySigner = { name: "Refuted", code: "BAD_SIGNATURE" };
await assert.rejects(app.follow(), bySigner);
const [learned, ...others] = await app.learnKeys();
assert.deepEqual([others, learned.by.vkey], [[], trust.logs[0].vkey]);
assert.equal((await app.follow()).checkpoint.size > later.checkpoint.size, true);
assert.deepEqual(await app.learnKeys(), []);
const after = await app.access(item());
assert.equal(allowed(after), false);
await assert.rejects(verifyReceipt(after.file, trust), bySigner);
assert.equal((await verifyReceipt(after.file, app.trust)).index, after.index);
assert.equal((await verifyReceipt(access.file, app.trust)).index, access.index);
// What is remembered is signed by the new key alone: a process with the old policy is led there once more.
const next = made("app-1", keys.app);
await assert.rejects(next.follow(), bySigner);
await next.learnKeys();
assert.ok((await next.follow()).checkpoint.size > after.index);

await ask("public");
input.close();
await assert.rejects(reader.follow(), bySigner);
assert.equal((await reader.learnKeys())[0].key.vkey, learned.key.vkey);
assert.ok((await reader.follow()).checkpoint.size > published.checkpoint.size);

for (const receipt of history) writeFileSync(`${folder}/receipts/${receipt.index}.json`, receipt.file);
console.log(`TypeScript: ${history.length} entries of a consent's life, each verified; log of ${later.checkpoint.size} entries followed, across a change of its key`);
