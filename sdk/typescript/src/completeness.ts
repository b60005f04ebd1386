/** That a chain's entries are all there are, up to an entry of the log (docs/spec/receipts.md, «Complete»; log.md). */
import { type Bytes, b64u, concat, equal, sha256, unb64u, utf8 } from "./bytes.js";
import { refuse } from "./errors.js";
import { checkMembers, checkVersion, getInteger, getText, getTexts, readJson } from "./json.js";
import { leafHash } from "./merkle.js";
import type { Trust } from "./policy.js";
import { type Leaf, type VerifiedReceipt, readLeaf, verifyReceipt } from "./receipt.js";

/** All `count` leaves of the `chain` (base64url), oldest first, up to the entry `head`. */
export interface Complete {
  readonly chain: string;
  readonly count: number;
  readonly head: VerifiedReceipt;
  readonly leaves: readonly Leaf[];
}

const bad = (message: string): never => refuse("INCOMPLETE", message);

function uv(number: number): Bytes {
  const bytes: number[] = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number % 128) + 128);
  return Uint8Array.from([...bytes, number]);
}

const mapLeaf = (key: Bytes, value: Bytes): Promise<Bytes> =>
  sha256(new Uint8Array([0]), uv(key.length), key, uv(value.length), value);

const bitOf = (key: Bytes, bit: number): number => ((key[bit >> 3] as number) >> (7 - (bit & 7))) & 1;

class Walk {
  private at = 0;
  constructor(private readonly proof: Bytes) {}

  steps(): [number, Bytes][] {
    const steps: [number, Bytes][] = [];
    let limit = 256;
    while (this.at < this.proof.length) {
      const bit = this.number();
      if (bit >= limit) bad("the bits of the map proof do not fall from within the key");
      limit = bit;
      steps.push([bit, this.take(32)]);
    }
    return steps;
  }

  text(): Bytes {
    return this.take(this.number());
  }

  private number(): number {
    let number = 0;
    for (let position = 0; position < 7; position += 1) {
      const [byte] = this.take(1) as unknown as [number];
      number += (byte & 127) * 128 ** position;
      if (byte < 128) return byte === 0 && position ? bad("a number of the map proof is not minimal") : number;
    }
    return bad("a number of the map proof is too long");
  }

  private take(count: number): Bytes {
    const taken = this.proof.slice(this.at, this.at + count);
    this.at += count;
    return taken.length === count ? taken : bad("the map proof ends too early");
  }
}

async function checkRoot(root: Uint8Array, key: Bytes, leaf: Bytes, steps: readonly [number, Bytes][]): Promise<void> {
  let node = leaf;
  for (const [bit, sibling] of steps) {
    const pair = bitOf(key, bit) ? [sibling, node] : [node, sibling];
    node = await sha256(new Uint8Array([1]), uv(bit), ...pair);
  }
  if (!equal(node, root)) bad("the map proof does not lead to the root");
}

/** The map with `root` holds `value` under the 32 bytes of `key`. Throws Refuted(INCOMPLETE). */
export async function verifyPresent(root: Uint8Array, key: Bytes, value: Bytes, proof: Bytes): Promise<void> {
  await checkRoot(root, key, await mapLeaf(key, value), new Walk(proof).steps());
}

/** The map with `root` holds nothing under the 32 bytes of `key`. Throws Refuted(INCOMPLETE). */
export async function verifyAbsent(root: Uint8Array, key: Bytes, proof: Bytes): Promise<void> {
  if (proof.length === 0 && equal(root, await sha256())) return;
  const walk = new Walk(proof);
  const [other, value] = [walk.text(), walk.text()];
  if (other.length !== 32 || equal(other, key)) bad("the proof of absence ends at the key, or at none");
  const steps = walk.steps();
  if (steps.some(([bit]) => bitOf(key, bit) !== bitOf(other, bit))) bad("the proof of absence leaves the way of the key");
  await checkRoot(root, other, await mapLeaf(other, value), steps);
}

function be64(number: number): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

/**
 * Check a completeness file. `shown`: receipts whose leaves count where the file encloses none; each must hold by itself,
 * be of the same log, and contradict nothing. Throws Refuted, CannotCheck.
 */
export async function verifyCompleteness(file: Uint8Array, trust: Trust, shown: readonly Uint8Array[] = []): Promise<Complete> {
  const members = readJson(file, 4_000_000);
  checkVersion(members, "the completeness file");
  checkMembers(members, ["v", "chain", "count", "index_head", "map_proof", "leaves"], ["last"]);
  const chain = getText(members, "chain", 43);
  const key = unb64u(chain, 32);
  const count = getInteger(members, "count");
  if ("last" in members !== count > 0) refuse("BAD_ENCODING", "a chain with leaves has a last one", "last");
  const head = await verifyReceipt(utf8(getText(members, "index_head", 4_000_000)), trust);
  if (head.leaf.kind !== "index-head") bad("the receipt is not that of an index-head");
  if (head.leaf.members["map_size"] !== head.index) bad("the index-head does not cover all leaves before it");
  const root = unb64u(head.leaf.members["map_root"] as string);
  const proof = unb64u(typeof members["map_proof"] === "string" ? members["map_proof"] : "=");
  if (proof.length > 65_536) bad("the map proof is too long");
  const last = count ? unb64u(getText(members, "last", 43), 32) : null;
  if (last === null) await verifyAbsent(root, key, proof);
  else await verifyPresent(root, key, concat(be64(count), last), proof);

  const receipts = await Promise.all(shown.map((one) => verifyReceipt(one, trust)));
  const enclosed = getTexts(members, "leaves", 0, 1_000).map(utf8);
  const known = new Map<string, Bytes>();
  for (const bytes of [...enclosed, ...receipts.map((one) => utf8(leafOf(one)))]) known.set(b64u(await leafHash(bytes)), bytes);
  const leaves: Leaf[] = [];
  const latest = trust.latest(head.head);
  let wanted = last === null ? "" : b64u(last);
  for (let seq = count - 1; seq >= 0; seq -= 1) {
    const leaf = readLeaf(known.get(wanted) ?? bad("leaves of the chain are not shown: give their receipts too"));
    if (leaf.members["seq"] !== seq || leaf.members["chain"] !== chain) refuse("BAD_CHAIN", "the chain has a gap or a repetition");
    if (latest !== null && leaf.time > latest) refuse("TIME_INVALID", "a leaf is younger than the witnesses' signatures");
    leaves.unshift(leaf);
    wanted = leaf.members["prev_in_chain"] as string;
  }
  for (const one of receipts) holdAgainst(one, head, chain, leaves);
  return { chain, count, head, leaves };
}

const leafOf = (receipt: VerifiedReceipt): string => getText(readJson(receipt.file, 1_400_000), "leaf", 1_024);

function holdAgainst(one: VerifiedReceipt, head: VerifiedReceipt, chain: string, leaves: readonly Leaf[]): void {
  const [mine, theirs] = [head.head.checkpoint, one.head.checkpoint];
  if (mine.origin !== theirs.origin) refuse("BAD_PROOF", "a receipt of another log");
  if (mine.size === theirs.size && !equal(mine.root, theirs.root)) refuse("EQUIVOCATION", "two roots for one size");
  const { chain: own, seq } = one.leaf.members;
  if (own !== chain || one.index >= head.index) return;
  const there = leaves[seq as number] ?? bad("the index-head leaves out an entry of the chain");
  if (there.index !== one.index) refuse("BAD_CHAIN", "two different entries stand at one place of a chain");
}
