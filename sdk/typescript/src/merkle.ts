/** Merkle trees of RFC 6962, and the checks of their proofs (RFC 9162 §2.1). Sizes come from a verified checkpoint only. */
import { type Bytes, equal, sha256 } from "./bytes.js";
import { refuse } from "./errors.js";

export const leafHash = (entry: Uint8Array): Promise<Bytes> => sha256(new Uint8Array([0]), entry);
export const nodeHash = (left: Uint8Array, right: Uint8Array): Promise<Bytes> => sha256(new Uint8Array([1]), left, right);

const bad = (message: string): never => refuse("BAD_PROOF", message);

function checkHashes(hashes: readonly Uint8Array[]): void {
  if (hashes.some((hash) => hash.length !== 32)) bad("a hash does not have 32 bytes");
}

/** The root of the tree over these leaf hashes. */
export async function rootOf(hashes: readonly Bytes[]): Promise<Bytes> {
  if (hashes.length === 0) return sha256();
  let row: Bytes[] = [...hashes];
  while (row.length > 1) {
    const above: Bytes[] = [];
    for (let at = 0; at + 1 < row.length; at += 2) above.push(await nodeHash(row[at] as Bytes, row[at + 1] as Bytes));
    if (row.length % 2) above.push(row[row.length - 1] as Bytes);
    row = above;
  }
  return row[0] as Bytes;
}

/** The root to which the proof leads from leaf `index` of a tree of `size`: worth what vouches for it. Throws Refuted(BAD_PROOF). */
export async function inclusionRoot(
  index: bigint,
  size: bigint,
  leaf: Uint8Array,
  path: readonly Uint8Array[],
): Promise<Uint8Array> {
  if (index < 0n || index >= size) bad("the index is not within the tree");
  checkHashes([leaf, ...path]);
  let [at, last, found] = [index, size - 1n, leaf];
  for (const sibling of path) {
    if (last === 0n) bad("the inclusion proof is too long");
    if (at & 1n || at === last) {
      found = await nodeHash(sibling, found);
      while (!(at & 1n) && at !== 0n) [at, last] = [at >> 1n, last >> 1n];
    } else {
      found = await nodeHash(found, sibling);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  if (last !== 0n) bad("the inclusion proof is too short");
  return found;
}

/** The leaf hash is number `index` of the tree of `size` leaves with this root. Throws Refuted(BAD_PROOF). */
export async function verifyInclusion(
  index: bigint,
  size: bigint,
  leaf: Uint8Array,
  path: readonly Uint8Array[],
  root: Uint8Array,
): Promise<void> {
  if (!equal(await inclusionRoot(index, size, leaf, path), root)) bad("the inclusion proof does not lead to the root");
}

/** The tree of `size` leaves begins with the tree of `old` > 0 leaves. Throws Refuted(BAD_PROOF). */
export async function verifyConsistency(
  old: bigint,
  size: bigint,
  path: readonly Uint8Array[],
  oldRoot: Uint8Array,
  root: Uint8Array,
): Promise<void> {
  if (old <= 0n || old > size) bad("the sizes are not in order");
  checkHashes([oldRoot, root, ...path]);
  if (old === size) {
    if (path.length) bad("the proof between equal sizes must be empty");
    if (!equal(oldRoot, root)) bad("two roots for one size");
    return;
  }
  const whole = (old & (old - 1n)) === 0n; // then the old root itself begins the proof, and is left out of it
  const hashes = whole ? [oldRoot, ...path] : [...path];
  if (!hashes.length) bad("the consistency proof is too short");
  let [at, last] = [old - 1n, size - 1n];
  while (at & 1n) [at, last] = [at >> 1n, last >> 1n];
  let [first, second] = [hashes[0] as Uint8Array, hashes[0] as Uint8Array];
  for (const hash of hashes.slice(1)) {
    if (last === 0n) bad("the consistency proof is too long");
    if (at & 1n || at === last) {
      first = await nodeHash(hash, first);
      second = await nodeHash(hash, second);
      while (!(at & 1n) && at !== 0n) [at, last] = [at >> 1n, last >> 1n];
    } else {
      second = await nodeHash(second, hash);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  if (last !== 0n) bad("the consistency proof is too short");
  if (!equal(first, oldRoot)) bad("the consistency proof does not lead to the old root");
  if (!equal(second, root)) bad("the consistency proof does not lead to the new root");
}
