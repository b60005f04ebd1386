/** A receipt of a shard, and the proof that the head log has committed to its entry (docs/spec/sets.md, 3). */
import { type Bytes, unb64u, utf8 } from "./bytes.js";
import { CannotCheck, type Refuted, refuse } from "./errors.js";
import {
  type JsonObject, bad, checkMembers, checkVersion, getBytes, getInteger, getText, getTexts, isObject, isSorted, readJson,
} from "./json.js";
import type { PublicKey } from "./keys.js";
import { leafHash, verifyInclusion } from "./merkle.js";
import { type Proof, isName, readProof } from "./note.js";
import type { Head, Trust } from "./policy.js";
import { type Checked, LEAF_LIMIT, chainOf, checkBeside, readLeaf } from "./receipt.js";

export const SET_PROOF_LIMIT = 65_536;
const MOST_HEADS = 6;
const LONGEST_PATH = 63;

/** The first `size` entries of the log `origin` have this root. */
export interface ShardHead {
  readonly origin: string;
  readonly size: number;
  readonly root: Bytes;
}

/** What entry `index` of the head log vouches for. `head`: the head log's checkpoint that it is proved in. */
export interface Vouched {
  readonly index: number;
  readonly heads: readonly ShardHead[];
  readonly head: Head;
}

/** What a receipt and a set proof show together; `vouched` is null if the set proof was refused before that. */
export interface CheckedInSet {
  readonly receipt: Checked;
  readonly vouched: Vouched | null;
  readonly defects: readonly Refuted[];
  readonly unchecked: readonly string[];
}

/** Whether this text is the origin of a log, after which a key can be named. Throws Refuted. */
export function getOrigin(value: JsonObject): string {
  const origin = getText(value, "origin", 255);
  return isName(origin) ? origin : bad("not the origin of a log", "origin");
}

/** A leaf of the head log, with its document if it is one of version 2 and of this type. Throws Refuted, CannotCheck. */
export async function readSetDocument(bytes: Uint8Array, chain: string): Promise<{ index: number; document: JsonObject }> {
  const leaf = readLeaf(bytes);
  const document = leaf.members["document"];
  if (leaf.kind !== "operator" || leaf.members["chain"] !== (await chainOf(chain)) || !isObject(document)) {
    return bad("the leaf is none of a set of logs", "leaf");
  }
  const version = getInteger(document, "v", 1);
  if (version > 2) throw new CannotCheck(`the operator document is of version ${version}, and version 2 is known here`);
  return version === 2 ? { index: leaf.index, document } : bad("the leaf is none of a set of logs", "v");
}

function readHeads(document: JsonObject): ShardHead[] {
  if (document["type"] !== "heads.committed") bad("the leaf of a set proof commits to no heads", "leaf");
  checkMembers(document, ["heads", "type", "v"]);
  const listed = document["heads"];
  if (!Array.isArray(listed) || listed.length < 1 || listed.length > MOST_HEADS) return bad(`not 1 to ${MOST_HEADS} heads`, "heads");
  const heads = listed.map((one) => {
    if (!isObject(one)) return bad("a head is not an object", "heads");
    checkMembers(one, ["origin", "root", "size"]);
    return { origin: getOrigin(one), root: getBytes(one, "root", 32), size: getInteger(one, "size", 1) };
  });
  return isSorted(heads.map((one) => one.origin)) ? heads : bad("the heads are not sorted and unique", "heads");
}

/** What a leaf of the head log vouches for, of which `proof` shows its place. Throws Refuted, CannotCheck. */
export async function openHeads(leaf: Uint8Array, proof: Proof, trust: Trust): Promise<Vouched> {
  const head = await trust.open(proof.note);
  const { index, document } = await readSetDocument(leaf, "operator:heads");
  const heads = readHeads(document);
  if (BigInt(index) !== proof.index) refuse("BAD_PROOF", "leaf and proof name different indexes", "index");
  await verifyInclusion(proof.index, head.checkpoint.size, await leafHash(leaf), proof.path, head.checkpoint.root);
  return { index, heads, head };
}

interface SetProof {
  readonly leaf: Bytes;
  readonly path: readonly Bytes[];
  readonly proof: Proof;
}

function readSetProof(file: Uint8Array): SetProof {
  const members = readJson(file, SET_PROOF_LIMIT);
  checkVersion(members, "the set proof");
  checkMembers(members, ["v", "leaf", "path", "proof"]);
  const proof = readProof(getText(members, "proof", SET_PROOF_LIMIT));
  if (proof.extra !== null) bad("the proof of a set proof has no extra data", "proof");
  const path = getTexts(members, "path", 0, LONGEST_PATH).map((text) => unb64u(text, 32));
  return { leaf: utf8(getText(members, "leaf", LEAF_LIMIT)), path, proof };
}

/**
 * Check a receipt of a shard with a set proof beside it, under a policy that names the head log, and collect every defect. If
 * the policy does not name the shard, its own signature is not checked, and `unchecked` says so. The quorum is asked of the
 * head log alone: look at `vouched.head.quorumMet`.
 * Throws Refuted if the receipt is none, CannotCheck for a version that is not known.
 */
export async function checkInSet(
  receipt: Uint8Array,
  setProof: Uint8Array,
  trust: Trust,
  keys: ReadonlyMap<string, PublicKey> | null = null,
): Promise<CheckedInSet> {
  let vouched: Vouched | null = null;
  const [checked] = await checkBeside(receipt, trust, keys, async ({ origin, index, leaf }) => {
    const proof = readSetProof(setProof);
    vouched = await openHeads(proof.leaf, proof.proof, trust);
    const { size, root } = headOf(vouched, origin, index);
    await verifyInclusion(index, BigInt(size), await leafHash(leaf), proof.path, root);
  });
  return { receipt: checked, vouched, defects: checked.defects, unchecked: checked.unchecked };
}

/** The head of that shard which covers its entry `index`. Throws Refuted. */
export function headOf(vouched: Vouched, origin: string, index: bigint): ShardHead {
  const found = vouched.heads.find((one) => one.origin === origin && BigInt(one.size) > index);
  return found ?? refuse("BAD_PROOF", `the head log commits here to no head of ${origin} that holds entry ${index}`, "leaf");
}
