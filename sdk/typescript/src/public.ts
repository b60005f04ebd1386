/**
 * The log's public files: those of a node, or as `consent-ledger publish` left them on any web server (docs/spec/log.md, «Published
 * files»). Such a server computes no proofs; then they are made here, from tiles. Tiles may lie: whoever verifies the proof finds out.
 */
import { type Bytes, unb64u } from "./bytes.js";
import { Refuted, RefusedByLedger, WrongAnswer } from "./errors.js";
import { nodeHash, rootOf } from "./merkle.js";
import { readCheckpoint } from "./note.js";
import { type Answer, type Transport, jsonOf } from "./transport.js";

/** Takes a tile's path; gives its bytes. */
export type FetchTile = (path: string) => Promise<Bytes>;

/** Leaves from the first up to, not including, the second: a proof has one hash over each. */
type Span = readonly [bigint, bigint];

const WIDTH = 256n;
/** 403 is what object stores say of a file that is not there to those who may not list the others. */
const NOT_THERE = [403, 404, 410];

/** Reads them; nothing is verified here. Throws RefusedByLedger, LedgerUnavailable, WrongAnswer. */
export class PublicLog {
  constructor(private readonly transport: Transport) {}

  /** The newest checkpoint, signed. */
  async newest(): Promise<string> {
    const found = (await this.found("checkpoint/newest")) ?? (await this.found("checkpoint.newest")) ?? (await this.get("checkpoint"));
    return new TextDecoder("utf-8").decode(found.body);
  }

  /** What the log says of its keys. */
  keys(): Promise<Answer> {
    return this.get("log/keys");
  }

  /** The proof that the tree of `size` entries begins with that of `old`. */
  async consistency(old: bigint, size: bigint): Promise<Bytes[]> {
    const found = await this.found(`proofs/consistency?old=${old}&new=${size}`);
    return found === null ? consistencyFromTiles(old, size, (path) => this.tile(path)) : hashesOf(found);
  }

  /** The proof of entry `index` in the tree of `size` entries. */
  async inclusion(index: bigint, size: bigint): Promise<Bytes[]> {
    const found = await this.found(`proofs/inclusion?index=${index}&size=${size}`);
    if (found !== null) return hashesOf(found);
    const note = await this.newest();
    const head = await readCheckpoint(note.slice(0, note.lastIndexOf("\n\n") + 1));
    return inclusionFromTiles(index, size, head.size, (path) => this.tile(path));
  }

  /** A tile; of one that has been filled since, its beginning. */
  private async tile(path: string): Promise<Bytes> {
    const found = await this.found(path);
    if (found !== null) return found.body;
    const [whole, width] = path.split(".p/");
    return (await this.get(whole as string)).body.slice(0, Number(width ?? WIDTH) * 32);
  }

  private get(path: string): Promise<Answer> {
    return this.transport.ask("GET", `/${path}`);
  }

  private async found(path: string): Promise<Answer | null> {
    try {
      return await this.get(path);
    } catch (error) {
      if (error instanceof RefusedByLedger && NOT_THERE.includes(error.status)) return null;
      throw error;
    }
  }
}

function hashesOf(answer: Answer): Bytes[] {
  const { hashes } = jsonOf(answer);
  if (!Array.isArray(hashes)) throw new WrongAnswer("the proof is no list of hashes");
  try {
    return hashes.map((hash) => unb64u(String(hash), 32));
  } catch (error) {
    if (error instanceof Refuted) throw new WrongAnswer(`the proof is no list of hashes: ${error.message}`);
    throw error;
  }
}

/** The consistency proof between two sizes, 0 < old <= size, from tiles of the larger tree. Throws WrongAnswer, what `fetch` throws. */
export async function consistencyFromTiles(old: bigint, size: bigint, fetch: FetchTile): Promise<Bytes[]> {
  let [begin, end] = [0n, size];
  const spans: Span[] = [];
  while (end !== old) {
    const middle = begin + half(end - begin);
    if (old <= middle) {
      spans.push([middle, end]);
      end = middle;
    } else {
      spans.push([begin, middle]);
      begin = middle;
    }
  }
  if (begin !== 0n) spans.push([begin, end]); // else the last one is the whole old tree, whose root the verifier has
  return new Tiles(size, fetch).over(spans.reverse());
}

/** The inclusion proof of entry `index` in the tree of `size` entries, from tiles of a tree of `tiled` >= `size`. Throws the same. */
export async function inclusionFromTiles(index: bigint, size: bigint, tiled: bigint, fetch: FetchTile): Promise<Bytes[]> {
  if (index < 0n || index >= size || size > tiled) throw new WrongAnswer("the log has not as many entries as the proof is about");
  let [begin, end] = [0n, size];
  const spans: Span[] = [];
  while (end - begin > 1n) {
    const middle = begin + half(end - begin);
    if (index < middle) {
      spans.push([middle, end]);
      end = middle;
    } else {
      spans.push([begin, middle]);
      begin = middle;
    }
  }
  return new Tiles(tiled, fetch).over(spans.reverse());
}

/** The largest power of two below `count` > 1. */
function half(count: bigint): bigint {
  let power = 1n;
  while (power << 1n < count) power <<= 1n;
  return power;
}

class Tiles {
  private readonly read = new Map<string, Bytes[]>();

  constructor(
    private readonly size: bigint,
    private readonly fetch: FetchTile,
  ) {}

  async over(spans: readonly Span[]): Promise<Bytes[]> {
    const hashes: Bytes[] = [];
    for (const span of spans) hashes.push(await this.root(span));
    return hashes;
  }

  /** The root over a span that begins where a complete subtree of at least its size may. */
  private async root([begin, end]: Span): Promise<Bytes> {
    const count = end - begin;
    if (count === 1n || half(count) << 1n === count) return this.complete(begin, count);
    const middle = begin + half(count);
    return nodeHash(await this.complete(begin, half(count)), await this.root([middle, end]));
  }

  /** The root over `count` leaves, a power of two, from `begin` on. */
  private async complete(begin: bigint, count: bigint): Promise<Bytes> {
    let [level, first, width] = [0n, begin, count];
    while (width >= WIDTH) [level, first, width] = [level + 1n, first / WIDTH, width / WIDTH];
    const at = Number(first % WIDTH);
    return rootOf((await this.tile(level, first / WIDTH)).slice(at, at + Number(width)));
  }

  private async tile(level: bigint, number: bigint): Promise<Bytes[]> {
    const filled = (this.size >> (8n * level)) - number * WIDTH;
    const width = Number(filled < WIDTH ? filled : WIDTH);
    const path = tilePath(level, number, width);
    let hashes = this.read.get(path);
    if (hashes === undefined) {
      const bytes = await this.fetch(path);
      if (bytes.length !== width * 32) throw new WrongAnswer(`${path} has ${bytes.length} bytes and not ${width * 32}`);
      hashes = Array.from({ length: width }, (_, at) => bytes.slice(at * 32, at * 32 + 32));
      this.read.set(path, hashes);
    }
    return hashes;
  }
}

/** `tile/0/x001/234` of C2SP tlog-tiles. */
function tilePath(level: bigint, number: bigint, width: number): string {
  const digits = String(number);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.{3}/g) as string[];
  const path = groups.map((group, at) => (at + 1 < groups.length ? `x${group}` : group)).join("/");
  return `tile/${level}/${path}${width < Number(WIDTH) ? `.p/${width}` : ""}`;
}
