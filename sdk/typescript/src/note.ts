/** Signed notes, checkpoints and proofs: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof. */
import { type Bytes, b64, bigOf, concat, decimal, equal, hex, sha256, textOf, unb64, utf8 } from "./bytes.js";
import { Refuted, refuse } from "./errors.js";
import { type PublicKey, ed25519Key } from "./keys.js";

export const ED25519 = 0x01;
export const COSIGNATURE = 0x04;
export const ML_DSA_44 = 0x06;

/** A verifier key. `key` is null for a type that is understood and cannot be verified with here. */
export interface NoteKey {
  readonly vkey: string;
  readonly name: string;
  readonly id: Bytes;
  readonly kind: number;
  readonly raw: Bytes;
  readonly key: PublicKey | null;
}

/** A signature that verified; `time` in milliseconds, null where the signer states none. */
export interface Signed {
  readonly key: NoteKey;
  readonly time: number | null;
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: bigint;
  readonly root: Bytes;
}

export interface Proof {
  readonly index: bigint;
  readonly path: readonly Bytes[];
  readonly extra: Bytes | null;
  /** The signed checkpoint. */
  readonly note: string;
}

const bad = (message: string): never => refuse("BAD_ENCODING", message);
const SPACE = /[\u0000- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]/;
/** Whether keys can have this name. */
export const isName = (name: string): boolean => name !== "" && utf8(name).length <= 255 && !SPACE.test(name);

/** Read `name+hex id+base64(type, key)`. Throws Refuted; `kinds` are the types that will do. */
export async function readVkey(text: string, kinds: readonly number[] = [ED25519, COSIGNATURE]): Promise<NoteKey> {
  const found = /^([^+]+)\+([0-9a-f]{8})\+([^\n]+)$/.exec(text) ?? bad("not a verifier key");
  const [, name, id, coded] = found as unknown as [string, string, string, string];
  if (text.length > 2_300 || !isName(name)) bad("not a verifier key");
  const data = unb64(coded);
  const [kind, raw] = [data[0] ?? -1, data.slice(1)];
  if (!kinds.includes(kind)) bad(`a verifier key of a type that cannot be used here: ${kind}`);
  if (kind === ML_DSA_44 && raw.length !== 1_312) bad("an ML-DSA-44 key has 1312 bytes");
  const key = kind === ML_DSA_44 ? null : ed25519Key(raw);
  const computed = (await sha256(utf8(`${name}\n`), data)).slice(0, 4);
  if (hex(computed) !== id) bad("the id of the verifier key is not that of its key");
  return { vkey: text, name, id: computed, kind, raw, key };
}

/**
 * The text of a note and the signatures of `keys` on it. Throws Refuted when a line of a known key is wrong and, unless
 * `unsigned` will do, when there is none.
 */
export async function openNote(
  note: string,
  keys: readonly NoteKey[],
  unsigned = false,
): Promise<{ text: string; signed: Signed[] }> {
  const { text, lines } = splitNote(note);
  const signed = new Map<NoteKey, Signed>();
  for (const { name, id, blob } of lines) {
    const key = keys.find((one) => one.name === name && equal(one.id, id));
    if (key === undefined || key.key === null) continue;
    const one = await verifyLine(text, blob, key, key.key);
    if (!signed.has(key)) signed.set(key, one);
  }
  if (!signed.size && !unsigned) refuse("BAD_SIGNATURE", "no signature by a known key");
  return { text, signed: [...signed.values()] };
}

function splitNote(note: string): { text: string; lines: { name: string; id: Bytes; blob: Bytes }[] } {
  if (utf8(note).length > 1_000_000) bad("the note is too long");
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) bad("the note holds a control character");
  const border = note.lastIndexOf("\n\n");
  if (border < 0 || !note.slice(border + 2).endsWith("\n")) bad("the note has no signature lines, or no end");
  const lines = note.slice(border + 2, -1).split("\n");
  if (lines.length > 100) bad("more than 100 signature lines");
  return {
    text: note.slice(0, border + 1),
    lines: lines.map((line) => {
      const [dash, name, coded, ...rest] = line.split(" ");
      if (dash !== "\u2014" || name === undefined || !isName(name) || coded === undefined || rest.length) {
        return bad("not a signature line");
      }
      const blob = unb64(coded);
      return blob.length < 5 ? bad("a signature line is too short") : { name, id: blob.slice(0, 4), blob: blob.slice(4) };
    }),
  };
}

async function verifyLine(text: string, blob: Bytes, key: NoteKey, verifier: PublicKey): Promise<Signed> {
  if (key.kind === ED25519) {
    await verifier.verify(utf8(text), blob);
    return { key, time: null };
  }
  const stamp = bigOf(blob.subarray(0, 8));
  if (stamp >= 2n ** 63n) refuse("BAD_SIGNATURE", "the time of the signature is out of range");
  await verifier.verify(utf8(`cosignature/v1\ntime ${stamp}\n${text}`), blob.subarray(8));
  return { key, time: Number(stamp) * 1_000 };
}

/** Origin, size and root of a checkpoint's text; worth nothing before its note was opened. Throws Refuted. */
export async function readCheckpoint(text: string): Promise<Checkpoint> {
  const lines = text.split("\n");
  if (lines.length < 4 || lines.pop() !== "" || lines.includes("")) bad("not the lines of a checkpoint");
  const [origin, size, root] = lines as [string, string, string];
  const checkpoint = { origin, size: decimal(size), root: unb64(root, 32) };
  if (checkpoint.size === 0n && !equal(checkpoint.root, await sha256())) refuse("BAD_PROOF", "an empty log has another root");
  return checkpoint;
}

const HEADER = "c2sp.org/tlog-proof@v1";

/** Read a `.tlog-proof`; nothing in it is verified yet. Throws Refuted. */
export function readProof(text: string): Proof {
  if (utf8(text).length > 1_100_000) bad("the proof is too long");
  const border = text.indexOf("\n\n");
  if (border < 0) bad("the proof has no checkpoint");
  const lines = text.slice(0, border).split("\n");
  if (lines.shift() !== HEADER) bad("not a tlog-proof of this version");
  let extra: Bytes | null = null;
  if (lines[0]?.startsWith("extra ")) extra = unb64((lines.shift() as string).slice(6));
  const first = lines.shift() ?? "";
  if (!first.startsWith("index ")) bad("the proof has no index line");
  if (lines.length > 63) bad("the proof has too many hashes");
  const path = lines.map((line) => unb64(line, 32));
  return { index: decimal(first.slice(6)), path, extra, note: text.slice(border + 2) };
}

/** A signature line of a note, for tests and for whoever keeps a log of their own. */
export const signatureLine = (key: NoteKey, signature: Uint8Array): string =>
  `\u2014 ${key.name} ${b64(concat(key.id, signature))}\n`;

/** Text of UTF-8 bytes, for files read from elsewhere. */
export const noteText = (bytes: Uint8Array): string => textOf(bytes);

export { Refuted };
