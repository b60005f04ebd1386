/** From the log keys that are trusted to those that came after them, by the log's own documents (docs/spec/log.md, «The log's keys»). */
import { type Bytes, b64, equal, hex, sha256, unb64u, utf8 } from "./bytes.js";
import { Refuted, refuse } from "./errors.js";
import { type JsonObject, checkMembers, getInteger, getText } from "./json.js";
import { type PublicKey, ed25519Key } from "./keys.js";
import { inclusionRoot, leafHash } from "./merkle.js";
import { ED25519, type NoteKey, readVkey } from "./note.js";
import { readLeaf } from "./receipt.js";
import { CODE } from "./words.js";

/** A key of the log that another, which was trusted, has led to. It signs checkpoints of `first` entries and more. */
export interface KeySuccession {
  readonly key: NoteKey;
  readonly by: NoteKey;
  readonly first: number;
}

/** A document about a key of the log: the index of its entry, and the entry itself. */
export interface KeyDocument {
  readonly index: number;
  readonly leaf: Uint8Array;
}

/** Takes an index and the size of a tree; gives the hashes of the inclusion proof. */
export type FetchInclusion = (index: number, size: number) => Promise<readonly Uint8Array[]>;

const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  "log.key_added": ["key", "previous"],
  "log.key_retired": ["key", "signature"],
  "log.key_compromised": ["from_size", "key", "reason"],
};

interface Words {
  readonly leaves: Map<number, Uint8Array>;
  readonly added: Map<number, { key: Bytes; previous: Bytes }>;
  readonly retired: Map<number, { key: Bytes; signature: Bytes }>;
  /** Key in hexadecimal → the least size from which on somebody else may have signed. */
  readonly compromised: Map<string, number>;
}

function keyOf(document: JsonObject, name: string): Bytes {
  const raw = unb64u(getText(document, name, 43), 32);
  ed25519Key(raw);
  return raw;
}

function read(words: Words, { index, leaf: bytes }: KeyDocument): void {
  const leaf = readLeaf(bytes);
  const document = leaf.members["document"] as JsonObject | undefined;
  const type = typeof document?.["type"] === "string" ? document["type"] : "";
  if (document === undefined || !Object.hasOwn(MEMBERS, type) || document["v"] !== 2) {
    return refuse("BAD_ENCODING", `entry ${index} is no document about a key of the log`);
  }
  if (leaf.index !== index) refuse("BAD_PROOF", `entry ${index} is not the one that it is said to be`);
  checkMembers(document, [...(MEMBERS[type] as readonly string[]), "type", "v"]);
  const key = keyOf(document, "key");
  words.leaves.set(index, bytes);
  if (type === "log.key_added") {
    words.added.set(index, { key, previous: keyOf(document, "previous") });
  } else if (type === "log.key_retired") {
    words.retired.set(index, { key, signature: unb64u(getText(document, "signature", 86), 64) });
  } else {
    getText(document, "reason", 64, CODE);
    const from = getInteger(document, "from_size");
    words.compromised.set(hex(key), Math.min(from, words.compromised.get(hex(key)) ?? from));
  }
}

const inOrder = <T>(of: ReadonlyMap<number, T>): [number, T][] => [...of].sort(([one], [other]) => one - other);

/**
 * The keys that the trusted ones of one log lead to, nearest first. Whoever hands the documents over is trusted in nothing.
 * Throws Refuted when a document, proof or signature does not hold, and with KEY_COMPROMISED when they lead to none because
 * somebody else may have one of them: then the present key has to come another way than from the log.
 */
export async function successors(
  trusted: readonly NoteKey[],
  documents: Iterable<KeyDocument>,
  fetchInclusion: FetchInclusion,
): Promise<KeySuccession[]> {
  const words: Words = { leaves: new Map(), added: new Map(), retired: new Map(), compromised: new Map() };
  for (const document of documents) read(words, document);
  const known = trusted.filter((key) => key.kind === ED25519 && key.key !== null);
  const found: KeySuccession[] = [];
  for (const by of known) { // grows: from a key so found the way goes on
    const stolenFrom = words.compromised.get(hex(by.raw)) ?? Infinity;
    for (const [end, { key: ended, signature }] of inOrder(words.retired)) {
      if (!equal(ended, by.raw) || stolenFrom <= end) continue;
      for (const [index, { key, previous }] of inOrder(words.added)) {
        if (index >= end || !equal(previous, by.raw) || known.some((one) => equal(one.raw, key))) continue;
        const leaf = await leafHash(words.leaves.get(index) as Uint8Array);
        const root = await inclusionRoot(BigInt(index), BigInt(end), leaf, await fetchInclusion(index, end));
        await (by.key as PublicKey).verify(utf8(`${by.name}\n${end}\n${b64(root)}\n`), signature);
        const next = await keyOfLog(by.name, key);
        known.push(next);
        if (!words.compromised.has(hex(key))) found.push({ key: next, by, first: index + 1 });
      }
    }
  }
  if (!found.length && known.some((key) => words.compromised.has(hex(key.raw)))) {
    throw new Refuted(
      "KEY_COMPROMISED",
      "somebody else may have a key of this log, which therefore leads to no later one: get the present key another way",
    );
  }
  return found;
}

/** The key of a log of this name. Throws Refuted. */
export async function keyOfLog(name: string, raw: Bytes): Promise<NoteKey> {
  const data = Uint8Array.from([ED25519, ...raw]);
  const id = (await sha256(utf8(`${name}\n`), data)).slice(0, 4);
  return readVkey(`${name}+${hex(id)}+${b64(data)}`, [ED25519]);
}
