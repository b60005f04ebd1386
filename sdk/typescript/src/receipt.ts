/** Receipts: one entry, proved to whoever holds the file (docs/spec/receipts.md, leaves.md). */
import { type Bytes, b64u, concat, sha256, tagged, unb64u, utf8 } from "./bytes.js";
import { Refuted, refuse } from "./errors.js";
import {
  type JsonObject, checkMembers, checkVersion, getInteger, getObject, getText, getTexts, readCanonical, readJson,
} from "./json.js";
import { DECLARED } from "./declarations.js";
import type { PublicKey } from "./keys.js";
import { leafHash, verifyInclusion } from "./merkle.js";
import { type Proof, readProof } from "./note.js";
import type { Head, Trust } from "./policy.js";
import { ITEM, ITEM_LIMIT, SKEW_SECONDS, checkItem, readEnvelope, readPayload, verifyEnvelope } from "./statement.js";

export const RECEIPT_LIMIT = 1_400_000;
export const LEAF_LIMIT = 1_024;
export const EVIDENCE_LIMIT = 49_152;

const COMMON = ["index", "kind", "prev", "time", "v"];
const CHAINED = [...COMMON, "chain", "prev_in_chain", "seq"];
const KINDS: Readonly<Record<string, readonly string[]>> = {
  consent: [...CHAINED, "commitment"],
  subject: [...CHAINED, "commitment"],
  participant: [...CHAINED, "commitment"],
  operator: [...CHAINED, "document"],
  "index-head": [...COMMON, "map_root", "map_size"],
};

/** An entry of the log. `time` in milliseconds; hashes in base64url. */
export interface Leaf {
  readonly index: number;
  readonly kind: "consent" | "subject" | "participant" | "operator" | "index-head";
  readonly time: number;
  readonly members: JsonObject;
}

/** What the evidence says. `signed` tells whether the participant's signature was checked. */
export interface Disclosed {
  readonly act: string;
  /** The compact JWS; null for an expiry, which the ledger derives. */
  readonly statement: string | null;
  readonly kid: string | null;
  readonly payload: JsonObject | null;
  /** What was asked for, when this is an access, alone or in a batch. */
  readonly item: JsonObject | null;
  /** Its place in its batch. */
  readonly position: number | null;
  readonly outcome: JsonObject | null;
}

/** All that is wrong stands in `defects`; what could not be looked at, in `unchecked`. `head` is null if it was refused. */
export interface Checked {
  readonly index: bigint;
  readonly head: Head | null;
  readonly leaf: Leaf | null;
  readonly disclosed: Disclosed | null;
  readonly defects: readonly Refuted[];
  readonly unchecked: readonly string[];
}

/** What a receipt is about, as it says: the log, and the entry's index and leaf. */
export interface Asked {
  readonly origin: string;
  readonly index: bigint;
  readonly leaf: Bytes;
}

/** A receipt without a defect. */
export interface VerifiedReceipt {
  readonly file: Bytes;
  readonly index: number;
  readonly time: number;
  readonly leaf: Leaf;
  readonly head: Head;
  /** `witnessed` if the policy asks for witnesses and they have signed, else `logged`. */
  readonly level: "logged" | "witnessed";
  readonly disclosed: Disclosed | null;
  readonly unchecked: readonly string[];
}

/** Read a leaf in its one spelling. Throws Refuted, and CannotCheck for another version. */
export function readLeaf(bytes: Uint8Array): Leaf {
  const members = readCanonical(bytes, LEAF_LIMIT);
  checkVersion(members, "the leaf");
  const kind = getText(members, "kind", 16);
  if (!Object.hasOwn(KINDS, kind)) refuse("BAD_ENCODING", "a leaf of an unknown kind", "kind");
  checkMembers(members, KINDS[kind] as readonly string[]);
  for (const name of ["prev", "chain", "prev_in_chain", "commitment", "map_root"]) {
    if (name in members) unb64u(getText(members, name, 43), 32);
  }
  for (const name of ["seq", "map_size"]) if (name in members) getInteger(members, name);
  if ("document" in members) getObject(members, "document");
  return { index: getInteger(members, "index"), kind: kind as Leaf["kind"], time: getInteger(members, "time"), members };
}

/** What a leaf shows of its evidence. */
export async function commitment(evidence: Uint8Array, opening: Bytes): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", opening, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const message = concat(utf8("consent-ledger/v1/commitment\0"), await sha256(evidence));
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

/** The chain of a consent id, or of `subject:holder:reference`. */
export const chainOf = async (name: string): Promise<string> => b64u(await tagged("chain", utf8(name)));

const UNNAMED = "the shard's own signature: the policy does not name the shard, the head log alone vouches for it";

interface Parsed {
  readonly leaf: Bytes;
  readonly proof: Proof;
  readonly evidence: Bytes | null;
  readonly opening: Bytes | null;
}

function readReceipt(file: Uint8Array): Parsed {
  const members = readJson(file, RECEIPT_LIMIT);
  checkVersion(members, "the receipt");
  checkMembers(members, ["v", "leaf", "proof"], ["evidence", "opening"]);
  const disclosed = "evidence" in members;
  if (disclosed !== "opening" in members) refuse("BAD_ENCODING", "evidence and opening come together or not at all");
  const proof = readProof(getText(members, "proof", RECEIPT_LIMIT));
  if (proof.extra !== null) refuse("BAD_ENCODING", "the proof of a receipt has no extra data", "proof");
  return {
    leaf: utf8(getText(members, "leaf", LEAF_LIMIT)),
    proof,
    evidence: disclosed ? utf8(getText(members, "evidence", EVIDENCE_LIMIT)) : null,
    opening: disclosed ? unb64u(getText(members, "opening", 43), 32) : null,
  };
}

/**
 * Check all of a receipt and collect every defect. `keys`: participants' registered keys by kid; without them the
 * signature on the statement stays unchecked, and the result says so.
 * Throws Refuted if it is no receipt at all, CannotCheck for a version that is not known.
 */
export async function checkReceipt(
  file: Uint8Array,
  trust: Trust,
  keys: ReadonlyMap<string, PublicKey> | null = null,
): Promise<Checked> {
  return (await checkBeside(file, trust, keys, null))[0];
}

/**
 * The same, with what is checked `beside` the receipt, whose defects come before those of its own proof. With it, the log need
 * not be one of the policy, since something else vouches for it (`checkInSet`); its signature then stays unchecked.
 */
export async function checkBeside<T>(
  file: Uint8Array,
  trust: Trust,
  keys: ReadonlyMap<string, PublicKey> | null,
  beside: ((receipt: Asked) => Promise<T>) | null,
): Promise<[Checked, T | null]> {
  const receipt = readReceipt(file);
  const origin = receipt.proof.note.split("\n")[0] as string;
  const defects: Refuted[] = [];
  const unchecked: string[] = [];
  const ofTheProof: Refuted[] = []; // they name no entry, and come after all that do (docs/spec/verdicts.md)
  const attempt = async <T>(found: Refuted[], work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refuted)) throw error;
      found.push(error);
      return null;
    }
  };
  const head = await attempt(ofTheProof, async () => {
    const vouched = beside !== null && !trust.logs.some((key) => key.name === origin);
    if (vouched) unchecked.push(UNNAMED);
    const opened = vouched ? null : await trust.open(receipt.proof.note);
    const { size, root } = opened?.checkpoint ?? (await trust.openUnnamed(receipt.proof.note));
    await verifyInclusion(receipt.proof.index, size, await leafHash(receipt.leaf), receipt.proof.path, root);
    return opened;
  });
  let leaf: Leaf | null = null;
  const disclosed = await attempt(defects, async () => {
    leaf = readLeaf(receipt.leaf);
    if (BigInt(leaf.index) !== receipt.proof.index) refuse("BAD_PROOF", "leaf and proof name different indexes", "index");
    const latest = head === null ? null : trust.latest(head);
    if (latest !== null && leaf.time > latest) {
      defects.push(new Refuted("TIME_INVALID", "the entry is younger than the witnesses' signatures over its tree", "time"));
    }
    return readDisclosed(receipt, leaf, origin, keys, defects, unchecked);
  });
  const { index } = receipt.proof;
  const found = beside === null ? null : await attempt(defects, () => beside({ origin, index, leaf: receipt.leaf }));
  defects.push(...ofTheProof);
  return [{ index, head, leaf, disclosed, defects, unchecked }, found];
}

/** A receipt that holds. Throws Refuted with the first defect otherwise, and CannotCheck. */
export async function verifyReceipt(
  file: Uint8Array,
  trust: Trust,
  keys: ReadonlyMap<string, PublicKey> | null = null,
): Promise<VerifiedReceipt> {
  const checked = await checkReceipt(file, trust, keys);
  const { head, leaf } = checked;
  if (checked.defects[0] !== undefined) throw checked.defects[0];
  if (head === null || leaf === null) return refuse("BAD_ENCODING", "the receipt was not read");
  const { disclosed, unchecked } = checked;
  const level = head.witnessed ? "witnessed" : "logged";
  return { file: concat(file), index: leaf.index, time: leaf.time, leaf, head, level, disclosed, unchecked };
}

/** What a receipt, in either of its forms, shows of its entry. Throws Refuted for what ends the reading, CannotCheck. */
export async function readDisclosed(
  receipt: Pick<Parsed, "evidence" | "opening">,
  leaf: Leaf,
  origin: string,
  keys: ReadonlyMap<string, PublicKey> | null,
  defects: Refuted[],
  unchecked: string[],
): Promise<Disclosed | null> {
  const committed = "commitment" in leaf.members;
  if (receipt.evidence === null || receipt.opening === null) {
    if (committed) unchecked.push("the entry's content: this receipt does not disclose it");
    return null;
  }
  if (!committed) refuse("BAD_ENCODING", "a receipt of this kind of leaf discloses no evidence");
  if (b64u(await commitment(receipt.evidence, receipt.opening)) !== leaf.members["commitment"]) {
    refuse("BAD_COMMITMENT", "evidence and opening do not give the leaf's commitment");
  }
  const evidence = readCanonical(receipt.evidence, EVIDENCE_LIMIT);
  checkVersion(evidence, "the evidence");
  checkMembers(evidence, ["act", "statements", "v"], ["assertion", "item", "outcome"]);
  const act = getText(evidence, "act", 64);
  const outcome = "outcome" in evidence ? getObject(evidence, "outcome") : null;
  const item = "item" in evidence ? getObject(evidence, "item") : null;
  checkOutcome(act, outcome);
  const [statement] = getTexts(evidence, "statements", 0, 1);
  if (act === "consent.expire") {
    if (statement !== undefined || leaf.kind !== "consent" || item !== null || "assertion" in evidence) {
      refuse("BAD_ENCODING", "an expiry is derived by the ledger: it has no statement", "statements");
    }
    return { act, statement: null, kid: null, payload: null, item: null, position: null, outcome };
  }
  if (statement === undefined) return refuse("BAD_ENCODING", "the evidence holds no statement", "statements");
  if ("assertion" in evidence) getObject(evidence, "assertion");
  const envelope = readEnvelope(statement);
  if (keys === null) {
    unchecked.push("the participant's signature: no keys were given");
  } else {
    try {
      const key = keys.get(envelope.kid) ?? refuse("BAD_SIGNATURE", `the key ${envelope.kid} is not registered`, "kid");
      await verifyEnvelope(envelope, key);
    } catch (error) {
      if (!(error instanceof Refuted)) throw error;
      defects.push(error);
    }
  }
  const payload = readPayload(envelope.payload, origin);
  if (payload["act"] !== (item === null ? act : "access.batch") || act === "access.batch" || (item !== null && act !== "access.request")) {
    refuse("CONSENT_INVALID", "the evidence is of another act than its statement", "act");
  }
  const [position, content] = item === null ? [null, payload] : await readItem(item, payload);
  if (Math.abs(getInteger(payload, "iat") * 1_000 - leaf.time) > SKEW_SECONDS * 1_000) {
    defects.push(new Refuted("TIME_INVALID", "the statement was not made within 300 s of the entry", "iat"));
  }
  await checkChain(leaf, act, String(payload["on_behalf_of"] ?? payload["iss"]), content);
  const named = [...ITEM, "region"].filter((name) => name in content);
  const asked = act === "access.request" ? Object.fromEntries(named.map((name) => [name, content[name] as never])) : null;
  return { act, statement, kid: envelope.kid, payload, item: asked, position, outcome };
}

async function readItem(item: JsonObject, payload: JsonObject): Promise<[number, JsonObject]> {
  checkMembers(item, ["body", "path", "position"]);
  const body = utf8(getText(item, "body", ITEM_LIMIT));
  const content = readCanonical(body, ITEM_LIMIT);
  checkMembers(content, ITEM, ["region"]);
  checkItem(content);
  const position = getInteger(item, "position", 0, 999);
  const path = getTexts(item, "path", 0, 16).map((text) => unb64u(text, 32));
  const root = unb64u(getText(payload, "items_root", 43), 32);
  const count = BigInt(getInteger(payload, "items_count", 1, 1_000));
  await verifyInclusion(BigInt(position), count, await leafHash(body), path, root);
  return [position, content];
}

async function checkChain(leaf: Leaf, act: string, party: string, content: JsonObject): Promise<void> {
  const [kind, name] = Object.hasOwn(DECLARED, act)
    ? ["participant", `participant:${party}`]
    : act.startsWith("subject.")
      ? ["subject", `subject:${party}:${String(content["subject"])}`]
      : act === "history.sheet"
        ? ["subject", `history:${party}:${getText(getObject(content, "sheet"), "subject", 64)}`]
        : ["consent", String(content["consent_id"])];
  if (leaf.kind !== kind || (await chainOf(name)) !== leaf.members["chain"]) {
    refuse("BAD_CHAIN", "the entry is filed under another chain than its statement names", "chain");
  }
}

const DECISION = ["basis", "consent_version", "decision", "obligations", "reasons", "ruleset", "used_today"];

function checkOutcome(act: string, outcome: JsonObject | null): void {
  const access = act === "access.request";
  if ((outcome !== null) !== (access || act.startsWith("consent."))) {
    refuse("BAD_ENCODING", "an outcome is missing or out of place", "outcome");
  }
  if (outcome === null) return;
  checkMembers(outcome, access ? DECISION : ["consent_version", "ruleset", "status"], access ? ["asserted"] : []);
  getInteger(outcome, "ruleset", 1);
  getInteger(outcome, "consent_version");
  if (!access) return void getText(outcome, "status", 16);
  getInteger(outcome, "basis", -1);
  getInteger(outcome, "used_today");
  if (Object.values(getObject(outcome, "obligations")).some((value) => typeof value === "boolean")) {
    refuse("BAD_ENCODING", "true or false among the obligations", "outcome.obligations");
  }
  getTexts(outcome, "reasons", 0, 32);
  if ("asserted" in outcome) getTexts(outcome, "asserted", 1, 32);
  if (outcome["decision"] !== "allow" && outcome["decision"] !== "deny") {
    refuse("BAD_ENCODING", "neither allow nor deny", "outcome.decision");
  }
}

