/** Transparent statements: a receipt as a COSE receipt within a statement of the log (docs/spec/cose.md, RFC 9942). */
import { type Bytes, concat, equal, utf8 } from "./bytes.js";
import { type Cbor, type CborMap, Tagged, byteString, readCbor } from "./cbor.js";
import { Refuted, refuse } from "./errors.js";
import type { PublicKey } from "./keys.js";
import { inclusionRoot, leafHash } from "./merkle.js";
import type { NoteKey } from "./note.js";
import type { Trust } from "./policy.js";
import { type Disclosed, LEAF_LIMIT, type Leaf, readDisclosed, readLeaf } from "./receipt.js";

const STATEMENT_LIMIT = 131_072;
const RECEIPT_LIMIT = 65_536;
const LEAF_TYPE = "application/vnd.consent-ledger.leaf+json";
const EDDSA = -8n;
const RFC9162_SHA256 = 1n;
const [ALG, CONTENT_TYPE, KID, CLAIMS, RECEIPTS, VDS, VDP] = [1n, 3n, 4n, 15n, 394n, 395n, 396n] as const;

/**
 * A transparent statement that was checked: all that is wrong stands in `defects`. `key`: the log's, null if it was refused.
 * It is never witnessed: `quorumMet` says that the policy asks for no witnesses.
 */
export interface CheckedTransparent {
  readonly key: NoteKey | null;
  readonly leaf: Leaf | null;
  readonly disclosed: Disclosed | null;
  readonly quorumMet: boolean;
  readonly defects: readonly Refuted[];
  readonly unchecked: readonly string[];
}

interface Sign1 {
  readonly protected: Bytes;
  readonly headers: CborMap;
  readonly unprotected: CborMap;
  readonly payload: Bytes | null;
  readonly signature: Bytes;
}

interface Parsed extends Sign1 {
  readonly leaf: Bytes;
  readonly evidence: Bytes | null;
  readonly opening: Bytes | null;
  readonly receipt: Sign1;
  readonly size: bigint;
  readonly index: bigint;
  readonly path: readonly Bytes[];
}

const bad = (message: string): never => refuse("BAD_ENCODING", message);
const isBytes = (item: Cbor | undefined): item is Bytes => item instanceof Uint8Array;
const isMap = (item: Cbor | undefined): item is CborMap => item instanceof Map;
const isNumber = (item: Cbor | undefined): item is bigint => typeof item === "bigint" && item >= 0n && item < 2n ** 63n;

function readSign1(data: Bytes, limit: number): Sign1 {
  if (data.length > limit) bad("the COSE object is too long");
  const outer = readCbor(data);
  const parts = outer instanceof Tagged && outer.tag === 18n && Array.isArray(outer.item) ? outer.item : [];
  const [header, unprotected, payload, signature] = parts;
  const whole = parts.length === 4 && isBytes(header) && isMap(unprotected) && isBytes(signature);
  if (!whole || !(payload === null || isBytes(payload))) return bad("not a COSE_Sign1");
  const headers = readCbor(header);
  return { protected: header, headers: isMap(headers) ? headers : bad("the headers are no map"), unprotected, payload, signature };
}

function checkLabels(headers: CborMap, labels: readonly (bigint | string)[]): void {
  if (headers.size !== labels.length || !labels.every((label) => headers.has(label))) bad("not exactly the headers of its kind");
}

function readStatement(data: Bytes): Parsed {
  const outer = readSign1(data, STATEMENT_LIMIT);
  checkLabels(outer.headers, [ALG, CONTENT_TYPE, KID, CLAIMS]);
  if (outer.headers.get(CONTENT_TYPE) !== LEAF_TYPE) bad("the payload is not a leaf");
  const leaf = outer.payload ?? bad("a transparent statement has its payload");
  if (leaf.length > LEAF_LIMIT) bad("the payload is not a leaf");
  const [evidence, opening] = [outer.unprotected.get("evidence"), outer.unprotected.get("opening")];
  const disclosed = isBytes(evidence) && isBytes(opening) && opening.length === 32;
  checkLabels(outer.unprotected, disclosed ? [RECEIPTS, "evidence", "opening"] : [RECEIPTS]);
  const receipts = outer.unprotected.get(RECEIPTS);
  const [inner] = Array.isArray(receipts) && receipts.length === 1 ? receipts : [];
  const receipt = isBytes(inner) ? readSign1(inner, RECEIPT_LIMIT) : bad("a transparent statement has one receipt");
  if (receipt.payload !== null) bad("the payload of a COSE receipt is detached");
  checkLabels(receipt.headers, [ALG, KID, CLAIMS, VDS]);
  checkLabels(receipt.unprotected, [VDP]);
  if (receipt.headers.get(VDS) !== RFC9162_SHA256) bad("a receipt of an unknown tree");
  const shown = disclosed ? { evidence, opening } : { evidence: null, opening: null };
  return { ...outer, leaf, ...shown, receipt, ...readInclusion(receipt.unprotected.get(VDP)) };
}

function readInclusion(proofs: Cbor | undefined): Pick<Parsed, "size" | "index" | "path"> {
  const inclusion = isMap(proofs) && proofs.size === 1 ? proofs.get(-1n) : null;
  const [wrapped] = Array.isArray(inclusion) && inclusion.length === 1 ? inclusion : [];
  const parts = isBytes(wrapped) ? readCbor(wrapped) : null;
  const [size, index, path] = Array.isArray(parts) && parts.length === 3 ? parts : [];
  if (!isNumber(size) || !isNumber(index) || !Array.isArray(path) || path.length > 64) return bad("not one proof of inclusion");
  return { size, index, path: path.map((hash) => (isBytes(hash) && hash.length === 32 ? hash : bad("a hash has 32 bytes"))) };
}

/** The key of the policy that statement and receipt name. Throws Refuted. */
function keyOf(statement: Parsed, trust: Trust): NoteKey & { readonly key: PublicKey } {
  const both = [statement.headers, statement.receipt.headers];
  if (both.some((headers) => headers.get(ALG) !== EDDSA)) refuse("BAD_SIGNATURE", "not the algorithm of a log key");
  for (const log of trust.logs) {
    const kid = utf8(log.vkey.split("+", 2).join("+"));
    const named = both.every((headers) => {
      const [given, claims] = [headers.get(KID), headers.get(CLAIMS)];
      return isBytes(given) && equal(given, kid) && isMap(claims) && claims.get(1n) === log.name;
    });
    if (!named || log.key === null) continue;
    if (trust.isBounded(log)) refuse("POLICY_REJECTED", "nobody signs the size of a COSE receipt: a key with bounds vouches for none");
    return { ...log, key: log.key };
  }
  return refuse("BAD_SIGNATURE", "neither statement nor receipt names a log key of the policy, or they name two");
}

const SIGNATURE_1 = concat(new Uint8Array([0x84, 0x6a]), utf8("Signature1"));

/** The signature of a COSE_Sign1 without external data (RFC 9052, section 4.4). Throws Refuted(BAD_SIGNATURE). */
const verifySign1 = (one: Sign1, payload: Uint8Array, key: PublicKey): Promise<void> =>
  key.verify(concat(SIGNATURE_1, byteString(one.protected), byteString(utf8("")), byteString(payload)), one.signature);

/**
 * Check all of a transparent statement and collect every defect; `keys` as for `checkReceipt`.
 * Throws Refuted if it is none at all, CannotCheck for a version that is not known.
 */
export async function checkTransparent(
  file: Uint8Array,
  trust: Trust,
  keys: ReadonlyMap<string, PublicKey> | null = null,
): Promise<CheckedTransparent> {
  const statement = readStatement(concat(file));
  const [defects, unchecked, ofTheProof]: [Refuted[], string[], Refuted[]] = [[], [], []];
  const attempt = async <T>(found: Refuted[], work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refuted)) throw error;
      found.push(error);
      return null;
    }
  };
  const key = await attempt(ofTheProof, async () => {
    const found = keyOf(statement, trust);
    const root = await inclusionRoot(statement.index, statement.size, await leafHash(statement.leaf), statement.path);
    await verifySign1(statement.receipt, root, found.key);
    await verifySign1(statement, statement.leaf, found.key);
    return found;
  });
  let leaf: Leaf | null = null;
  const disclosed = await attempt(defects, async () => {
    leaf = readLeaf(statement.leaf);
    const claims = statement.headers.get(CLAIMS);
    const [issuer, subject] = isMap(claims) ? [claims.get(1n), claims.get(2n)] : [];
    if (BigInt(leaf.index) !== statement.index || subject !== `entry/${leaf.index}`) {
      refuse("BAD_PROOF", "leaf and proof name different indexes", "index");
    }
    return readDisclosed(statement, leaf, String(issuer), keys, defects, unchecked);
  });
  return { key, leaf, disclosed, quorumMet: trust.quorum === "none", defects: [...defects, ...ofTheProof], unchecked };
}
