// Checking on your own device that these are all entries of one chain (docs/spec/receipts.md, «Complete»):
//
//   index-head's receipt -> root of the map -> (map proof) -> count and last leaf -> leaf by leaf back to the first
//
// What the map proof is: docs/spec/log.md, «Completeness map». All hashing and every spelling is verify.js.

import {
  b64u, chainOf, checkReceipt, concat, hex, leafHash, OtherLog, readCanonical, readObject, Refuted, sha256, unb64u,
} from "./verify.js";

const utf8 = new TextEncoder();
const LIMIT = 4_000_000;
const KEY_BITS = 256;
const refuse = (sentence) => {
  throw new Refuted(sentence);
};

/** Unsigned LEB128, minimal. */
function uvarint(number) {
  const out = [];
  for (; number > 0x7f; number >>>= 7) out.push((number & 0x7f) | 0x80);
  return new Uint8Array([...out, number]);
}

const bitOf = (key, bit) => (key[bit >> 3] >> (7 - (bit & 7))) & 1;
const mapLeaf = (key, value) =>
  sha256(new Uint8Array([0]), uvarint(key.length), key, uvarint(value.length), value);
const mapNode = (bit, left, right) => sha256(new Uint8Array([1]), uvarint(bit), left, right);

/** Reads a map proof from the front. */
class Walk {
  constructor(proof) {
    this.proof = proof;
    this.at = 0;
  }

  take(count) {
    if (this.at + count > this.proof.length) refuse("the map proof ends too early");
    this.at += count;
    return this.proof.slice(this.at - count, this.at);
  }

  number() {
    let value = 0;
    for (let place = 0; place < 4; place += 1) {
      const [byte] = this.take(1);
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) return byte || !place ? value : refuse("a number of the map proof is not minimal");
    }
    return refuse("a number of the map proof is too long");
  }

  /** [bit, sibling] from leaf to root: bits fall, all within a key. */
  steps() {
    const found = [];
    for (let limit = KEY_BITS; this.at < this.proof.length;) {
      const bit = this.number();
      if (bit >= limit) refuse("the bits of the map proof do not fall");
      limit = bit;
      found.push([bit, this.take(32)]);
    }
    return found;
  }
}

async function fold(key, node, steps) {
  for (const [bit, sibling] of steps) {
    node = await (bitOf(key, bit) ? mapNode(bit, sibling, node) : mapNode(bit, node, sibling));
  }
  return hex(node);
}

/** Raises Refuted unless the map of this root holds `value` under `key`, or nothing where `value` is null. */
export async function verifyMap(root, key, value, proof) {
  const walk = new Walk(proof);
  if (value !== null) {
    const top = await fold(key, await mapLeaf(key, value), walk.steps());
    if (top !== hex(root)) refuse("the map proof misses the root");
    return;
  }
  if (!proof.length && hex(root) === hex(await sha256(new Uint8Array()))) return; // the empty map
  const [other, held] = [walk.take(walk.number()), walk.take(walk.number())];
  const steps = walk.steps();
  if (other.length !== 32 || hex(other) === hex(key)) refuse("the proof of absence ends at the very key");
  if (steps.some(([bit]) => bitOf(key, bit) !== bitOf(other, bit))) refuse("the proof of absence leaves the key's way");
  if ((await fold(other, await mapLeaf(other, held), steps)) !== hex(root)) refuse("the map proof misses the root");
}

function readFile(text) {
  if (text.length > LIMIT) refuse("the file is longer than a proof can be");
  const file = readObject(text);
  const names = Object.keys(file).sort().join();
  const whole = ["chain,count,index_head,last,leaves,map_proof,v", "chain,count,index_head,leaves,map_proof,v"];
  if (file.v !== 1 || !whole.includes(names)) refuse("the file does not have the members of a proof");
  if (!Number.isSafeInteger(file.count) || file.count < 0) refuse("the count is not a number");
  if ((file.last !== undefined) !== file.count > 0) refuse("a chain with entries has a last one");
  const texts = [file.chain, file.index_head, file.map_proof, ...(file.count ? [file.last] : [])];
  if (!Array.isArray(file.leaves) || ![...texts, ...file.leaves].every((one) => typeof one === "string")) {
    refuse("a member of the proof is not text");
  }
  if (file.leaves.length > 1_000) refuse("the file encloses more leaves than a proof may");
  return { ...file, chain: unb64u(file.chain) };
}

/** From the last leaf backwards, how many leaves the file shows without a gap. */
async function walkBack(file) {
  const byHash = new Map();
  for (const leaf of file.leaves) byHash.set(b64u(await leafHash(utf8.encode(leaf))), leaf);
  let wanted = file.last;
  for (let seq = file.count - 1; seq >= 0; seq -= 1) {
    const text = byHash.get(wanted);
    if (text === undefined) {
      if (file.leaves.length < 1_000) refuse(`the entry with number ${seq} of the chain is missing`);
      return file.count - 1 - seq; // of a longer chain the file encloses the last leaves only
    }
    const leaf = readCanonical(text);
    if (leaf.seq !== seq || leaf.chain !== b64u(file.chain)) refuse("the chain has a gap or a repetition");
    wanted = leaf.prev_in_chain;
  }
  return file.count;
}

/**
 * Check a completeness file for the chain with this name (a consent's id, or `subject:<holder>:<reference>`).
 *
 * `outcome` is "complete", "refuted", "foreign" (of another log) or "nothing" (not such a file). When complete: `count`
 * entries up to entry `upto` at `time` (ms), of which the file shows the newest `shown`.
 */
export async function checkComplete(text, vkeyText, name) {
  let file;
  try {
    file = readFile(text);
  } catch (error) {
    if (error instanceof Refuted) return { outcome: "nothing", detail: error.message };
    throw error;
  }
  try {
    if (b64u(await chainOf(name)) !== b64u(file.chain)) refuse("the proof is about another chain");
    const receipt = await checkReceipt(file.index_head, vkeyText);
    const failed = receipt.steps.find((one) => one.outcome === "failed");
    if (failed?.foreign) throw new OtherLog(failed.detail);
    if (failed) refuse(failed.detail);
    const head = readCanonical(readObject(file.index_head).leaf);
    if (head.kind !== "index-head" || head.map_size !== head.index) refuse("the receipt is not of an index-head");
    const count = new Uint8Array(new BigUint64Array([BigInt(file.count)]).buffer).reverse();
    const value = file.count ? concat(count, unb64u(file.last)) : null;
    await verifyMap(unb64u(head.map_root), file.chain, value, unb64u(file.map_proof));
    return { outcome: "complete", count: file.count, shown: await walkBack(file), upto: head.index, time: head.time };
  } catch (error) {
    if (!(error instanceof Refuted)) throw error;
    return { outcome: error instanceof OtherLog ? "foreign" : "refuted", detail: error.message };
  }
}
