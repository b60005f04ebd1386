/** Whom a reader trusts: tlog-policies and trust files (docs/spec/policies.md). The reader's own input, never from evidence. */
import { type Bytes, decimal, hex, textOf, utf8 } from "./bytes.js";
import { CannotCheck, Refuted, refuse } from "./errors.js";
import { checkMembers, getInteger, getText, getTexts, isObject, readJson, type Json } from "./json.js";
import {
  COSIGNATURE, type Checkpoint, ED25519, ML_DSA_44, type NoteKey, type Signed, openNote, readCheckpoint, readVkey,
} from "./note.js";
import type { KeySuccession } from "./succession.js";

/** A checkpoint whose signatures verify. `witnessed`: the policy's quorum is met, and the policy asks for one. */
export interface Head {
  readonly checkpoint: Checkpoint;
  readonly note: string;
  readonly cosignatures: readonly Signed[];
  /** Names of the policy's witnesses that count. */
  readonly witnesses: readonly string[];
  readonly quorumMet: boolean;
  readonly witnessed: boolean;
}

const ALWAYS: Interval = { from: 0, to: null, compromised: null };

interface Group {
  readonly threshold: number;
  readonly members: readonly string[];
}

/** The sizes of checkpoints that a key may sign, and the size from which on somebody else may have signed with it. */
interface Interval {
  readonly from: number;
  readonly to: number | null;
  readonly compromised: number | null;
}

export class Trust {
  /** Use `readTrust`. */
  constructor(
    readonly logs: readonly NoteKey[],
    readonly witnesses: ReadonlyMap<string, NoteKey>,
    private readonly groups: ReadonlyMap<string, Group>,
    readonly quorum: string,
    /** Names whose keys are understood and cannot be counted (ML-DSA-44). */
    readonly uncounted: readonly string[],
    private readonly intervals: ReadonlyMap<string, Interval> = new Map(),
    readonly expires: number | null = null,
  ) {}

  /** The same trust, with the keys that the log's documents have led to (`successors`), each from its size on. */
  with(found: readonly KeySuccession[]): Trust {
    const intervals = new Map(this.intervals);
    for (const { key, first } of found) intervals.set(key.vkey, { from: first, to: null, compromised: null });
    const logs = [...this.logs, ...found.map((one) => one.key)];
    return new Trust(logs, this.witnesses, this.groups, this.quorum, this.uncounted, intervals, this.expires);
  }

  isSatisfied(names: Iterable<string>): boolean {
    const met = new Set([...names].filter((name) => this.witnesses.has(name)));
    for (const [name, group] of this.groups) {
      if (group.members.filter((member) => met.has(member)).length >= group.threshold) met.add(name);
    }
    return this.quorum === "none" || met.has(this.quorum);
  }

  /** Verify a signed checkpoint. Too few cosignatures do not refute it: look at `quorumMet`. Throws Refuted. */
  async open(note: string): Promise<Head> {
    const { text, signed } = await openNote(note, [...this.logs, ...this.witnesses.values()]);
    const log = signed.filter((one) => this.logs.includes(one.key));
    if (!log.length) refuse("BAD_SIGNATURE", "no signature by a key of the log");
    const checkpoint = await readCheckpoint(text);
    if (log.some((one) => one.key.name !== checkpoint.origin)) refuse("BAD_SIGNATURE", "the checkpoint is of another log");
    if (!log.some((one) => this.covers(one, checkpoint.size))) {
      refuse("POLICY_REJECTED", `the log key is not valid for a checkpoint of size ${checkpoint.size}`);
    }
    const cosignatures = signed.filter((one) => one.key.kind === COSIGNATURE && this.covers(one, checkpoint.size));
    const names = [...this.witnesses].filter(([, key]) => cosignatures.some((one) => one.key === key)).map(([name]) => name);
    const quorumMet = this.isSatisfied(names);
    const witnessed = quorumMet && this.quorum !== "none";
    const lines = log.filter((one) => this.covers(one, checkpoint.size));
    if (!witnessed && lines.every((one) => this.isCompromised(one, checkpoint.size))) {
      refuse("KEY_COMPROMISED", "somebody else may have signed this checkpoint, and no quorum vouches for it");
    }
    const all = signed.filter((one) => one.key.kind === COSIGNATURE);
    return { checkpoint, note, cosignatures: all, witnesses: names, quorumMet, witnessed };
  }

  /**
   * The checkpoint of a log that this policy does not name, for which something else vouches: its form, and that no line of a
   * known witness is wrong, are all that can be asked. Throws Refuted.
   */
  async openUnnamed(note: string): Promise<Checkpoint> {
    return readCheckpoint((await openNote(note, [...this.witnesses.values()], true)).text);
  }

  /** The latest time (ms) that an entry of this tree may have, by the word of a quorum of witnesses; null: nothing is said. */
  latest(head: Head): number | null {
    if (this.quorum === "none") return null;
    const names = new Map([...this.witnesses].map(([name, key]) => [key, name]));
    const stamped = head.cosignatures
      .flatMap((one) => (one.time ? [[one.time, names.get(one.key) as string] as const] : []))
      .sort((a, b) => a[0] - b[0]);
    const signers: string[] = [];
    for (const [time, name] of stamped) {
      signers.push(name);
      if (this.isSatisfied(signers)) return time + 300_000;
    }
    return null;
  }

  /** Whether a key vouches for some sizes only, or somebody else may have it. */
  isBounded(key: NoteKey): boolean {
    const { from, to, compromised } = this.intervals.get(key.vkey) ?? ALWAYS;
    return from > 0 || to !== null || compromised !== null;
  }

  private isCompromised(signed: Signed, size: bigint): boolean {
    const from = this.intervals.get(signed.key.vkey)?.compromised ?? null;
    return from !== null && size >= BigInt(from);
  }

  private covers(signed: Signed, size: bigint): boolean {
    const { from: first, to: last } = this.intervals.get(signed.key.vkey) ?? ALWAYS;
    return BigInt(first) <= size && (last === null || size <= BigInt(last));
  }
}

class Malformed extends Error {}
const malformed = (message: string): never => {
  throw new Malformed(message);
};

class Builder {
  readonly logs: NoteKey[] = [];
  readonly witnesses = new Map<string, NoteKey>();
  readonly groups = new Map<string, Group>();
  readonly uncounted = new Map<string, string>();
  quorum: string | null = null;
  private readonly members = new Set<string>();
  private readonly depths = new Map<string, number>();
  private readonly keys = new Set<string>();
  private readonly logNames = new Set<string>();
  private readonly witnessNames = new Set<string>();
  private logCount = 0;

  async add(words: string[]): Promise<void> {
    const [first, second, third] = words as [string, string?, string?];
    if (first === "log" && second !== undefined && words.length <= 3) {
      await this.log(second);
    } else if (first === "witness" && second !== undefined && third !== undefined && words.length <= 4) {
      this.checkFree(second);
      await this.witness(second, third);
    } else if (first === "group" && second !== undefined && third !== undefined && words.length > 3) {
      this.checkFree(second);
      this.group(second, third, words.slice(3));
    } else if (first === "quorum" && second !== undefined && words.length === 2) {
      if (this.quorum !== null) malformed("a second quorum line");
      if (second !== "none" && !this.isDefined(second)) malformed("the quorum is not defined above");
      this.quorum = second;
    } else {
      malformed(`not a line of a policy: ${first}`);
    }
  }

  private async log(vkey: string): Promise<void> {
    const key = await this.key(vkey, ED25519);
    if (this.witnessNames.has(key.name)) malformed(`${key.name} is a witness: nobody witnesses itself`);
    this.logNames.add(key.name);
    if (key.key === null) this.uncounted.set(` ${key.vkey}`, key.name);
    else this.logs.push(key);
    if ((this.logCount += 1) > 256) malformed("more than 256 logs");
  }

  private async witness(name: string, vkey: string): Promise<void> {
    const key = await this.key(vkey, COSIGNATURE);
    if (this.logNames.has(key.name)) malformed(`${key.name} is a log: nobody witnesses itself`);
    if (this.witnessNames.has(key.name)) malformed(`a second key of the witness ${key.name}: it would count twice`);
    this.witnessNames.add(key.name);
    if (key.key === null) this.uncounted.set(name, name);
    else this.witnesses.set(name, key);
    if (this.witnessNames.size > 256) malformed("more than 256 witnesses");
  }

  private group(name: string, word: string, members: string[]): void {
    const threshold = word === "all" ? members.length : word === "any" ? 1 : Number(decimal(word));
    if (threshold < 1 || threshold > members.length) malformed(`a threshold of ${word} of ${members.length}`);
    let depth = 0;
    for (const member of members) {
      if (!this.isDefined(member)) malformed(`the member ${member} is not defined above`);
      if (this.members.has(member)) malformed(`${member} is a member already`);
      this.members.add(member);
      depth = Math.max(depth, this.depths.get(member) ?? 0);
    }
    if (depth + 1 > 32) malformed("groups are nested more than 32 deep");
    this.groups.set(name, { threshold, members });
    this.depths.set(name, depth + 1);
    if (this.groups.size > 256) malformed("more than 256 groups");
  }

  private async key(word: string, kind: number): Promise<NoteKey> {
    const key = await readVkey(textOf(latin1(word)), [kind, ML_DSA_44]);
    const raw = hex(key.raw);
    if (this.keys.has(raw)) malformed("the same public key again: a key has one role");
    this.keys.add(raw);
    return key;
  }

  private isDefined(name: string): boolean {
    return this.witnesses.has(name) || this.groups.has(name) || this.uncounted.has(name);
  }

  private checkFree(name: string): void {
    if (name === "none" || this.isDefined(name)) malformed(`the name ${name} is taken`);
  }
}

const latin1 = (text: string): Bytes => Uint8Array.from(text, (character) => character.charCodeAt(0));

async function readPolicy(bytes: Uint8Array): Promise<Builder> {
  if (bytes.length > 262_144 || bytes.filter((byte) => byte === 10).length > 4_096) throw new CannotCheck("the policy is too long");
  if (bytes.some((byte) => (byte < 0x20 && byte !== 9 && byte !== 10) || byte === 0x7f)) {
    throw new CannotCheck("the policy holds a control character");
  }
  if (bytes.length && bytes.at(-1) !== 10) throw new CannotCheck("the last line of the policy does not end in a newline");
  const builder = new Builder();
  // Names are compared as bytes: one character for each.
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  for (const [at, line] of text.split("\n").entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== "");
    if (!words.length || words[0]?.startsWith("#")) continue;
    try {
      await builder.add(words);
    } catch (error) {
      if (!(error instanceof Malformed || error instanceof Refuted)) throw error;
      throw new CannotCheck(`policy line ${at + 1}: ${error.message}`);
    }
  }
  if (builder.quorum === null) throw new CannotCheck("the policy has no quorum line: write «quorum none» to ask for no witness");
  return builder;
}

/** A policy or a trust file that is in force at `now` (ms). Throws CannotCheck: without it nothing can be said. */
export async function readTrust(file: Uint8Array | string, now: number = Date.now()): Promise<Trust> {
  const bytes = typeof file === "string" ? utf8(file) : file;
  const first = bytes.find((byte) => byte !== 32 && byte !== 9 && byte !== 10 && byte !== 13);
  const made = (one: Builder, intervals?: ReadonlyMap<string, Interval>, expires?: number): Trust =>
    new Trust(one.logs, one.witnesses, one.groups, one.quorum as string, [...one.uncounted.values()], intervals, expires ?? null);
  if (first !== 0x7b) return made(await readPolicy(bytes));
  try {
    const members = readJson(bytes, 1_000_000);
    checkMembers(members, ["v", "version", "expires", "policy", "keys", "rp_ids", "origins"]);
    getInteger(members, "v", 1, 1);
    const policy = await readPolicy(utf8(getText(members, "policy", 262_144)));
    getTexts(members, "rp_ids", 0, 1_000);
    getTexts(members, "origins", 0, 1_000);
    getInteger(members, "version", 1);
    const expires = getInteger(members, "expires", 1);
    if (now >= expires) throw new CannotCheck(`the trust file expired at ${expires} ms`);
    return made(policy, readIntervals(members["keys"] as Json, policy), expires);
  } catch (error) {
    if (error instanceof Refuted) throw new CannotCheck(`the trust file cannot be used: ${error.message}`);
    throw error;
  }
}

function readIntervals(keys: Json, policy: Builder): Map<string, Interval> {
  const known = new Set([...policy.logs, ...policy.witnesses.values()].map((key) => key.vkey));
  const found = new Map<string, Interval>();
  if (!Array.isArray(keys)) return refuse("BAD_ENCODING", "not a list", "keys");
  for (const item of keys) {
    if (!isObject(item)) return refuse("BAD_ENCODING", "an item is not an object", "keys");
    checkMembers(item, ["vkey", "valid_from_size", "valid_to_size"], ["compromised_from_size"]);
    const vkey = getText(item, "vkey", 1_000);
    const from = getInteger(item, "valid_from_size");
    const to = item["valid_to_size"] === null ? null : getInteger(item, "valid_to_size", from);
    if (!known.has(vkey) || found.has(vkey)) refuse("BAD_ENCODING", "a key is listed twice, or is not in the policy", "keys");
    const compromised = "compromised_from_size" in item ? getInteger(item, "compromised_from_size") : null;
    found.set(vkey, { from, to, compromised });
  }
  return found;
}
