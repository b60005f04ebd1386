// Checking a receipt on your own device. This file needs nothing from anybody: read it, it is the whole check.
//
// A receipt holds an entry's leaf, the evidence it commits to, and a proof that ends in a note signed by the log:
//
//   evidence, opening -> commitment in the leaf -> leaf hash -> (inclusion proof) -> root -> checkpoint -> signature
//
// (docs/spec/receipts.md, encoding.md, log.md; RFC 6962; c2sp.org/signed-note, tlog-checkpoint, tlog-proof.)

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LIMIT = 1_400_000; // bytes (docs/spec/receipts.md)

export class Refuted extends Error {}
/** Nothing is wrong with it, but it is not of the log, or not under the key, that we can check. */
export class OtherLog extends Refuted {}
const refuse = (sentence) => {
  throw new Refuted(sentence);
};

// -- bytes and spellings: what we accept is what we would have written ------------------------------------------------

export const concat = (...parts) => {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};
export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const b64 = (bytes) => btoa(String.fromCharCode(...bytes));
export const b64u = (bytes) => b64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const equal = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

/** Base64 in its one spelling. */
export function unb64(text) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    refuse("not base64");
  }
  return b64(bytes) === text ? bytes : refuse("base64 in another spelling than the one accepted");
}

/** Base64url without padding, in its one spelling. */
export function unb64u(text) {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (text.length % 4)) % 4);
  const bytes = unb64(padded);
  return b64u(bytes) === text ? bytes : refuse("base64url in another spelling than the one accepted");
}

/** A decimal number in its one spelling, as BigInt. */
export function decimal(text) {
  return /^(0|[1-9][0-9]{0,18})$/.test(text) ? BigInt(text) : refuse(`not a decimal number: ${text.slice(0, 20)}`);
}

/** RFC 8785 for the values of CL-JSON: integers, strings, booleans, null, arrays, objects with ASCII names. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Raises Refuted unless CL-JSON can hold `value` (docs/spec/encoding.md). `level` is its own. */
function requirePlain(value, level) {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) refuse("a number is not an integer of at most 2^53-1");
  } else if (typeof value === "string") {
    // eslint-disable-next-line no-control-regex
    if (/[\u0000-\u001f\u007f-\u009f]/.test(value)) refuse("a text holds control characters");
    if (/\p{Surrogate}/u.test(value)) refuse("a text holds half a character");
  } else if (value !== null && typeof value === "object") {
    if (level > 8) refuse("the JSON is nested too deep");
    if (!Array.isArray(value) && !Object.keys(value).every((name) => /^[a-z_][a-z0-9_]*$/.test(name))) {
      refuse("a member has a name that is not accepted");
    }
    for (const one of Object.values(value)) requirePlain(one, level + 1);
  }
}

/** The object whose CL-JSON is exactly `text`. */
export function readCanonical(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    refuse("not JSON");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) refuse("not a JSON object");
  requirePlain(value, 1);
  return canonical(value) === text ? value : refuse("JSON in another spelling than the one accepted");
}

/** A JSON object whose top-level names are all different: JSON.parse alone would keep the last of two. */
export function readObject(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    refuse("the file is not JSON");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) refuse("the file is not a JSON object");
  const names = new Set();
  let depth = 0;
  let last = "";
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/g)) {
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (token === ":" && depth === 1) {
      const name = JSON.parse(last);
      if (names.has(name)) refuse(`the name ${name} stands twice`);
      names.add(name);
    }
    last = token;
  }
  return value;
}

// -- hashes (RFC 6962 §2.1) -----------------------------------------------------------------------------------------

export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
export const leafHash = (leaf) => sha256(new Uint8Array([0]), leaf);
export const nodeHash = (left, right) => sha256(new Uint8Array([1]), left, right);

/** The root that a leaf hash and its inclusion proof lead to (RFC 9162 §2.1.3.2). Index and size are BigInt. */
export async function rootOf(index, size, hash, proof) {
  if (hash.length !== 32) refuse("a leaf hash has 32 bytes");
  if (index < 0n || index >= size) refuse("the entry is not inside the tree");
  let at = index;
  let last = size - 1n;
  let root = hash;
  for (const sibling of proof) {
    if (sibling.length !== 32) refuse("a hash in the proof does not have 32 bytes");
    if (last === 0n) refuse("the proof is too long");
    if (at & 1n || at === last) {
      root = await nodeHash(sibling, root);
      while (!(at & 1n) && at !== 0n) {
        at >>= 1n;
        last >>= 1n;
      }
    } else {
      root = await nodeHash(root, sibling);
    }
    at >>= 1n;
    last >>= 1n;
  }
  return last === 0n ? root : refuse("the proof is too short");
}

/** Raises Refuted unless the proof leads from the leaf hash to the root. */
export async function verifyInclusion(index, size, hash, proof, root) {
  if (!equal(await rootOf(index, size, hash, proof), root)) refuse("the proof leads to another root");
}

// -- signed notes -----------------------------------------------------------------------------------------------------

const keyId = async (name, material) => (await sha256(utf8.encode(`${name}\n`), material)).slice(0, 4);

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const little = (bytes) => BigInt(`0x${hex(bytes.slice().reverse())}`);
/** y of the points of order 1, 2, 4 and 8. */
const SMALL = [
  0n, 1n, P - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
];

/** The Ed25519 gate (docs/spec/statements.md) for a key or an R: not of small order, y below p. */
function requirePoint(bytes) {
  const y = little(bytes) & (2n ** 255n - 1n);
  if (bytes.length !== 32 || y >= P || SMALL.includes(y)) refuse("not an acceptable point of Ed25519");
}

/** A log's verifier key: name + key id + base64(01 and 32 bytes). */
export async function readVkey(text) {
  const found = /^([^\s+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text) ?? refuse("not a verifier key");
  const material = unb64(found[3]);
  if (material.length !== 33 || material[0] !== 1) refuse("not an Ed25519 key");
  requirePoint(material.slice(1));
  const id = await keyId(found[1], material);
  if (hex(id) !== found[2]) refuse("the key id is not that of this name and key");
  return { name: found[1], id, key: material.slice(1) };
}

/** The text of a note, which each of `vkeys` that has a line must have signed, and at least one has. A note with a
 * wrong line of a known key is refused, whatever stands beside it (docs/spec/verdicts.md, step 3.2). */
export async function openNote(note, vkeys) {
  if (utf8.encode(note).length > 1_000_000) refuse("the note is too long");
  const cut = note.lastIndexOf("\n\n");
  if (cut < 0 || !note.endsWith("\n")) refuse("not a signed note");
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) refuse("the note holds control characters");
  const text = note.slice(0, cut + 1);
  const lines = note.slice(cut + 2, -1).split("\n");
  if (lines.length > 100) refuse("the note has too many signatures");
  const verified = [];
  for (const line of lines) {
    const found = /^\u2014 ([^\s+]+) (\S+)$/u.exec(line) ?? refuse("a line of the note is not a signature");
    const blob = unb64(found[2]);
    if (blob.length < 5) refuse("a signature is too short");
    for (const vkey of vkeys) {
      if (vkey.name !== found[1] || !equal(vkey.id, blob.slice(0, 4))) continue;
      const signature = blob.slice(4);
      if (signature.length !== 64 || little(signature.slice(32)) >= L) refuse("the log's signature does not fit");
      requirePoint(signature.slice(0, 32));
      const key = await crypto.subtle.importKey("raw", vkey.key, { name: "Ed25519" }, false, ["verify"]);
      if (!(await crypto.subtle.verify("Ed25519", key, signature, utf8.encode(text)))) {
        refuse("the log's signature does not fit");
      }
      if (!verified.includes(vkey)) verified.push(vkey); // a key counts once, but each of its lines must hold
    }
  }
  if (!verified.length) throw new OtherLog("no line of the note is of this log's key");
  return { text, verified };
}

/** Origin, size and root of a checkpoint's text. */
export function readCheckpoint(text) {
  if (!text.endsWith("\n")) refuse("a checkpoint ends in a newline");
  const [origin, size, root, ...rest] = text.slice(0, -1).split("\n");
  if (!origin || size === undefined || root === undefined || rest.includes("")) refuse("not a checkpoint");
  const hash = unb64(root);
  if (hash.length !== 32) refuse("the root does not have 32 bytes");
  if (decimal(size) > 2n ** 63n - 1n) refuse("the tree is too large to be one");
  return { origin, size: decimal(size), root: hash };
}

/** Index, hashes and checkpoint note of a proof file (c2sp.org/tlog-proof@v1). */
export function readProof(text) {
  const header = "c2sp.org/tlog-proof@v1\n";
  if (!text.startsWith(header)) refuse("the proof has another first line");
  const cut = text.indexOf("\n\n");
  if (cut < 0) refuse("the proof has no checkpoint");
  const lines = text.slice(header.length, cut).split("\n");
  const extra = lines[0].startsWith("extra ") ? unb64(lines.shift().slice(6)) : null;
  if (extra) {
    if (!extra.length || extra.length > 65_535) refuse("the extra line has an impossible length");
  }
  const first = lines.shift() ?? "";
  if (!first.startsWith("index ")) refuse("the proof has no index");
  if (lines.length > 63) refuse("the proof is too long");
  const hashes = lines.map(unb64);
  if (hashes.some((hash) => hash.length !== 32)) refuse("a hash in the proof does not have 32 bytes");
  return { index: decimal(first.slice(6)), hashes, note: text.slice(cut + 2), extra };
}

/** Check a proof file for an entry's bytes under the log's key: the checkpoint it leads to. */
export async function verifyProof(text, entry, vkey) {
  const proof = readProof(text);
  const { text: body } = await openNote(proof.note, [vkey]);
  const checkpoint = readCheckpoint(body);
  if (checkpoint.origin !== vkey.name) refuse("the checkpoint is of another log");
  await verifyInclusion(proof.index, checkpoint.size, await leafHash(entry), proof.hashes, checkpoint.root);
  return checkpoint;
}

// -- receipts ---------------------------------------------------------------------------------------------------------

/** What a leaf shows of its evidence: HMAC-SHA256 under the opening. */
export async function commitment(evidence, opening) {
  const key = await crypto.subtle.importKey("raw", opening, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const message = concat(utf8.encode("consent-ledger/v1/commitment\0"), await sha256(evidence));
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

export const chainOf = (name) => sha256(utf8.encode("consent-ledger/v1/chain\0"), utf8.encode(name));

/** What the holder or the recipient signed. Null for an expiry: the ledger's own, named by nothing but its chain. */
function statementOf(evidence) {
  if (!evidence.statements.length) return null;
  return readCanonical(strictUtf8.decode(unb64u(evidence.statements[0].split(".")[1] ?? "")));
}

/** The name of the chain that evidence belongs to: its consent, the holder's customer, or who declares. */
function chainNamed(evidence, says) {
  if (evidence.item) return readCanonical(evidence.item.body).consent_id;
  if (/^(consent|access)\./.test(evidence.act)) return says.consent_id;
  const party = says.on_behalf_of ?? says.iss;
  if (evidence.act === "history.sheet") return `history:${party}:${says.sheet.subject}`;
  return evidence.act.startsWith("subject.") ? `subject:${party}:${says.subject}` : `participant:${party}`;
}

/** Raises Refuted unless the statement is for this log, of the time of the entry, and its item of its batch. */
async function requireStatement(evidence, says, leaf, origin) {
  if (says.aud !== origin) refuse("the statement was made for another log");
  if (says.act !== (evidence.item ? "access.batch" : evidence.act)) refuse("the evidence is of another act");
  if (!Number.isSafeInteger(says.iat) || Math.abs(says.iat * 1000 - leaf.time) > 300_000) {
    refuse("the statement was not made within 300 seconds of the entry");
  }
  if (!evidence.item) return;
  const { body, path, position } = evidence.item;
  if (!Number.isSafeInteger(position) || !Number.isSafeInteger(says.items_count)) refuse("the item has no place");
  const hash = await leafHash(utf8.encode(body));
  await verifyInclusion(BigInt(position), BigInt(says.items_count), hash, path.map(unb64u), unb64u(says.items_root));
}

function readReceipt(text) {
  if (text.length > LIMIT || utf8.encode(text).length > LIMIT) refuse("the file is longer than a receipt can be");
  const receipt = readObject(text);
  const names = Object.keys(receipt).sort().join();
  if (receipt.v !== 1 || !["leaf,proof,v", "evidence,leaf,opening,proof,v"].includes(names)) {
    refuse("the file does not have the members of a receipt");
  }
  for (const name of names.split(",")) {
    if (name !== "v" && typeof receipt[name] !== "string") refuse(`${name} is not text`);
  }
  const leaf = readCanonical(receipt.leaf);
  if (leaf.v !== 1 || !Number.isSafeInteger(leaf.index) || utf8.encode(receipt.leaf).length > 1024) {
    refuse("the leaf is of another version");
  }
  return { ...receipt, says: leaf };
}

/** What a person should be told: each of the four calls for something else. */
function outcomeOf(failure) {
  if (!failure) return "genuine";
  if (failure.step === "read") return "nothing"; // not a receipt at all
  return failure.foreign ? "foreign" : "altered"; // another log's, whole in itself; or not what any log signed
}

/**
 * Check a receipt. `vkeyText`: the log's key, or all its keys with blanks between them.
 * `outcome` is "genuine", "altered", "foreign" (whole in itself, but of a log whose key is not this
 * one: its signature was not checked) or "nothing" (not a receipt). Each step is {step, outcome: "passed" | "failed" |
 * "skipped", detail}; after a failure the rest is skipped. `genuine` is true only if no step failed.
 */
export async function checkReceipt(text, vkeyText) {
  const steps = [];
  let content = null;
  let failed = false;
  const step = async (name, work) => {
    if (failed) {
      steps.push({ step: name, outcome: "skipped", detail: "" });
      return undefined;
    }
    try {
      const [detail, value] = await work();
      steps.push({ step: name, outcome: detail === null ? "skipped" : "passed", detail: detail ?? "" });
      return value;
    } catch (error) {
      if (!(error instanceof Refuted)) throw error; // this browser cannot do it: that says nothing about the receipt
      failed = true;
      steps.push({ step: name, outcome: "failed", detail: error.message, foreign: error instanceof OtherLog });
      return undefined;
    }
  };

  const vkeys = await Promise.all(vkeyText.trim().split(/\s+/).map(readVkey));
  const receipt = await step("read", () => {
    const read = readReceipt(text);
    return [`${read.says.kind} ${read.says.index}`, read];
  });
  await step("commitment", async () => {
    if (receipt.evidence === undefined) return [null]; // a receipt that discloses nothing
    if (receipt.says.commitment === undefined) refuse("this entry is in clear and commits to nothing");
    content = readCanonical(receipt.evidence);
    const opening = unb64u(receipt.opening);
    if (opening.length !== 32) refuse("the opening does not have 32 bytes");
    const made = await commitment(utf8.encode(receipt.evidence), opening);
    if (b64u(made) !== receipt.says.commitment) refuse("content and opening do not give the commitment");
    return [b64u(made)];
  });
  const hash = await step("leaf", async () => {
    const made = await leafHash(utf8.encode(receipt.leaf));
    return [hex(made), made];
  });
  const found = await step("inclusion", async () => {
    const proof = readProof(receipt.proof);
    if (proof.extra) refuse("the proof of a receipt has no extra line");
    const note = proof.note;
    const checkpoint = readCheckpoint(note.slice(0, note.lastIndexOf("\n\n") + 1));
    if (proof.index !== BigInt(receipt.says.index)) refuse("the proof is about another entry");
    await verifyInclusion(proof.index, checkpoint.size, hash, proof.hashes, checkpoint.root);
    return [`${proof.hashes.length} hashes, root ${b64(checkpoint.root)}`, { note, checkpoint }];
  });
  await step("chain", async () => {
    const says = content === null ? null : statementOf(content);
    if (says === null) return [null];
    if (b64u(await chainOf(chainNamed(content, says))) !== receipt.says.chain) {
      refuse("the content is of another chain");
    }
    await requireStatement(content, says, receipt.says, found.checkpoint.origin);
    return [receipt.says.chain];
  });
  await step("checkpoint", async () => {
    if (vkeys.some((vkey) => vkey.name !== found.checkpoint.origin)) {
      throw new OtherLog(`the checkpoint is of the log ${found.checkpoint.origin}`);
    }
    await openNote(found.note, vkeys);
    return [`${found.checkpoint.origin}, ${found.checkpoint.size} entries`];
  });
  const first = failed ? steps.find((one) => one.outcome === "failed") : null;
  return { genuine: !failed, outcome: outcomeOf(first), steps, content };
}
