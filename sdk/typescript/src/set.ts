/**
 * Several logs as one (docs/sets.md): a statement goes to the log of its holder, and the head log vouches for all of them. Who
 * trusts the head log's key needs no other: it says which key each shard has, and where each holder lives.
 */
import { Addresses } from "./addresses.js";
import { type Bytes, b64u, textOf, unb64u, utf8 } from "./bytes.js";
import type { LedgerClient, Question } from "./client.js";
import { LedgerUnavailable, RefusedByLedger, Refuted, WrongAnswer, refuse } from "./errors.js";
import { type JsonObject, checkMembers, getBytes, getText } from "./json.js";
import { ed25519Key } from "./keys.js";
import { leafHash, verifyInclusion } from "./merkle.js";
import { readProof } from "./note.js";
import { type Head, type Trust, readTrust } from "./policy.js";
import { PublicLog } from "./public.js";
import type { VerifiedReceipt } from "./receipt.js";
import { type Vouched, checkInSet, getOrigin, headOf, openHeads, readSetDocument } from "./shard.js";
import { readEnvelope } from "./statement.js";
import { keyOfLog } from "./succession.js";
import { type Means, type Transport, jsonOf, openTransport } from "./transport.js";
import { type CheckpointMemory, CheckpointWatch, InMemory } from "./watch.js";
import { PARTICIPANT } from "./words.js";

/** How often a head log is asked for an entry that it has not committed to yet, and the pause between (ms). */
const COMMITTED_TRIES = 20;
const COMMITTED_PAUSE = 500;

/** The head log places this holder in no shard, or does not say where a shard of this name answers. */
export class NotInSet extends RefusedByLedger {
  override readonly name: string = "NotInSet";
  constructor(detail: string) {
    super(404, { detail });
  }
}

/** A set proof that can be handed on beside the receipt. `index`: the entry of the head log that commits. */
export interface SetReceipt {
  readonly file: Bytes;
  readonly index: number;
  /** Of the head log: `witnessed` if the policy asks for witnesses and they have signed, else `logged`. */
  readonly level: "logged" | "witnessed";
}

export interface SetOptions extends Means {
  /** The public URL of the head log, or of each node of it. */
  readonly baseUrl: string | readonly string[];
  /** Whom to trust in the head log. */
  readonly trust: Trust;
  /** Makes the client of a shard, for its address and the trust in its key. */
  readonly connect: (address: string, trust: Trust) => LedgerClient;
  readonly memory?: CheckpointMemory;
}

type Word = { readonly holder: string | null; readonly origin: string; readonly key: Bytes | null };

interface Known {
  readonly documents: readonly { readonly index: number; readonly leaf: Bytes; readonly word: Word }[];
  readonly addresses: ReadonlyMap<string, string>;
}

/** The set of a head log. Every method throws what a LedgerClient throws, and NotInSet. */
export class LedgerSet {
  readonly watch: CheckpointWatch;
  private readonly transport: Transport;
  private readonly published: PublicLog;
  private readonly clients = new Map<string, { address: string; client: LedgerClient }>();
  /** Leaves, each of which names its index. */
  private readonly proved = new Set<string>();
  private known: Known = { documents: [], addresses: new Map() };

  constructor(private readonly options: SetOptions) {
    this.transport = openTransport(new Addresses(options.baseUrl), options);
    this.published = new PublicLog(this.transport);
    const proofs = (old: bigint, size: bigint): Promise<Bytes[]> => this.published.consistency(old, size);
    this.watch = new CheckpointWatch(options.trust, options.memory ?? new InMemory(), proofs);
  }

  /** The client of the shard in which this holder lives; the same one as long as the shard answers at one address. */
  async ofHolder(holder: string): Promise<LedgerClient> {
    const home = await this.find((word) => word.holder === holder);
    return home === null ? notInSet(`the head log places the holder ${holder} in no shard`) : this.ofOrigin(home.origin);
  }

  /** The client of the shard of this origin. */
  async ofOrigin(origin: string): Promise<LedgerClient> {
    const made = this.clients.get(origin);
    if (made !== undefined && made.address === this.known.addresses.get(origin)) return made.client;
    const trust = await this.trustIn(origin);
    const address = this.addressOf(origin);
    const client = this.options.connect(address, trust);
    this.clients.set(origin, { address, client });
    return client;
  }

  /** The key with which a shard opened, as the head log says. */
  async trustIn(origin: string): Promise<Trust> {
    const added = await this.find((word) => word.key !== null && word.origin === origin);
    if (added === null) return notInSet(`the head log knows no shard ${origin}`);
    return readTrust(`log ${(await keyOfLog(origin, added.key as Bytes)).vkey}\nquorum none\n`);
  }

  /**
   * Submit a question to the log that its statement names in `aud`. If that shard does not answer, the head log is asked where
   * it answers now, and the same question goes there: it is recorded once.
   */
  async submit(question: Question): Promise<VerifiedReceipt[]> {
    const { aud } = JSON.parse(textOf(readEnvelope(question.statement).payload)) as { aud?: unknown };
    const origin = typeof aud === "string" ? aud : refuse("BAD_ENCODING", "the statement names no log", "aud");
    const client = await this.ofOrigin(origin);
    try {
      return await client.submit(question);
    } catch (error) {
      if (!(error instanceof LedgerUnavailable)) throw error;
      await this.look();
      const other = await this.ofOrigin(origin);
      if (other === client) throw error;
      return other.submit(question);
    }
  }

  /** That the head log has committed to the entry of this receipt; waits some seconds until it has. */
  async prove(receipt: VerifiedReceipt): Promise<SetReceipt> {
    const { origin } = receipt.head.checkpoint;
    if (!this.known.addresses.size) await this.look();
    const shard = new PublicLog(openTransport(new Addresses(this.addressOf(origin)), this.options));
    const { leaf, proof } = await this.committed(origin, receipt.index);
    const vouched = await openHeads(utf8(leaf), readProof(proof), this.options.trust);
    const { size } = headOf(vouched, origin, BigInt(receipt.index));
    const path = await shard.inclusion(BigInt(receipt.index), BigInt(size));
    const file = utf8(JSON.stringify({ leaf, path: path.map((hash) => b64u(hash)), proof, v: 1 }));
    const checked = await checkInSet(receipt.file, file, this.options.trust);
    if (checked.defects[0] !== undefined) throw checked.defects[0];
    const { head, index } = checked.vouched as Vouched;
    await this.watch.observe(head);
    return { file, index, level: head.witnessed ? "witnessed" : "logged" };
  }

  private async committed(origin: string, index: number): Promise<{ leaf: string; proof: string }> {
    const wanted = `/set/heads?${new URLSearchParams({ origin, index: String(index) })}`;
    for (let left = COMMITTED_TRIES; ; left -= 1) {
      try {
        const { leaf, proof } = jsonOf(await this.transport.ask("GET", wanted));
        if (typeof leaf === "string" && typeof proof === "string") return { leaf, proof };
        throw new WrongAnswer("the head log's answer holds no leaf and no proof");
      } catch (error) {
        if (!(error instanceof RefusedByLedger) || error.status !== 404 || left === 0) throw error;
      }
      await this.transport.pause(COMMITTED_PAUSE);
    }
  }

  private addressOf(origin: string): string {
    return this.known.addresses.get(origin) ?? notInSet(`the head log does not say where ${origin} answers`);
  }

  /** The document that is wanted, shown to stand in the head log; the set is asked for anew if it is not known. */
  private async find(wanted: (word: Word) => boolean): Promise<Word | null> {
    for (let tries = 0; tries < 2; tries += 1) {
      const found = this.known.documents.find((one) => wanted(one.word));
      if (found !== undefined) {
        await this.check(found.index, found.leaf);
        return found.word;
      }
      await this.look();
    }
    return null;
  }

  private async look(): Promise<void> {
    const { documents, shards } = jsonOf(await this.transport.ask("GET", "/set"));
    if (!Array.isArray(documents) || !Array.isArray(shards)) throw new WrongAnswer("the head log's answer is no set");
    const told = documents as { index?: unknown; leaf?: unknown }[];
    const addresses = new Map<string, string>();
    for (const { origin, address } of shards as { origin?: unknown; address?: unknown }[]) {
      if (typeof origin === "string" && typeof address === "string") addresses.set(origin, address);
    }
    this.known = { documents: await Promise.all(told.map(readWord)), addresses };
  }

  private async check(index: number, leaf: Bytes): Promise<void> {
    if (this.proved.has(b64u(leaf))) return;
    const { trust } = this.options;
    const before = await this.watch.known();
    const read = async (): Promise<Head> => trust.open(await this.published.newest());
    const head = await this.transport.newest(read, before?.checkpoint.size ?? 0n);
    await this.watch.observe(head, before);
    const { size, root } = head.checkpoint;
    const path = await this.published.inclusion(BigInt(index), size);
    await verifyInclusion(BigInt(index), size, await leafHash(leaf), path, root);
    this.proved.add(b64u(leaf));
  }
}

function notInSet(detail: string): never {
  throw new NotInSet(detail);
}

/** What a leaf of the set says; nothing is proved yet. Throws WrongAnswer, Refuted, CannotCheck. */
async function readWord(told: { index?: unknown; leaf?: unknown }): Promise<Known["documents"][number]> {
  if (typeof told.index !== "number" || typeof told.leaf !== "string") throw new WrongAnswer("a document has no index or no leaf");
  const leaf = unb64u(told.leaf);
  const { index, document } = await readSetDocument(leaf, "operator:set");
  if (index !== told.index) throw new Refuted("BAD_PROOF", `entry ${told.index} of the head log is not the one that it is said to be`);
  return { index, leaf, word: wordOf(document) };
}

function wordOf(document: JsonObject): Word {
  if (document["type"] === "holder.placed") {
    checkMembers(document, ["holder", "origin", "type", "v"]);
    return { holder: getText(document, "holder", 63, PARTICIPANT), origin: getOrigin(document), key: null };
  }
  if (document["type"] !== "shard.added") refuse("BAD_ENCODING", "a document of the set is none about shards and holders", "type");
  checkMembers(document, ["key", "origin", "type", "v"]);
  const key = getBytes(document, "key", 32);
  ed25519Key(key);
  return { holder: null, origin: getOrigin(document), key };
}
