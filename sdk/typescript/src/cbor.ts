/** The little CBOR of COSE receipts (RFC 8949), in one spelling of each item (docs/spec/cose.md). */
import { type Bytes, concat, textOf } from "./bytes.js";
import { refuse } from "./errors.js";

/** Whole numbers are BigInt; the keys of a map are numbers or texts. */
export type Cbor = bigint | boolean | null | string | Bytes | Cbor[] | CborMap | Tagged;
export type CborMap = Map<bigint | string, Cbor>;

/** A tag number and the item that it is about. */
export class Tagged {
  constructor(
    readonly tag: bigint,
    readonly item: Cbor,
  ) {}
}

const DEEPEST = 8;
const SIMPLE = new Map<bigint, boolean | null>([[20n, false], [21n, true], [22n, null]]);
const bad = (message: string): never => refuse("BAD_ENCODING", message);

class Reader {
  private at = 0;
  constructor(private readonly data: Bytes) {}

  whole(): Cbor {
    const item = this.item(0);
    return this.at === this.data.length ? item : bad("bytes behind the CBOR item");
  }

  private item(depth: number): Cbor {
    if (depth > DEEPEST) bad("nested too deeply");
    const [major, argument] = this.head();
    if (major === 0) return argument;
    if (major === 1) return -1n - argument;
    if (major === 2) return this.take(argument);
    if (major === 3) return textOf(this.take(argument));
    if (major === 4) return this.array(argument, depth);
    if (major === 5) return this.map(argument, depth);
    if (major === 6) return new Tagged(argument, this.item(depth + 1));
    return SIMPLE.has(argument) ? (SIMPLE.get(argument) as boolean | null) : bad("a float or an unknown simple value");
  }

  /** Major type and argument, which stands in its shortest form. */
  private head(): [number, bigint] {
    const [first] = this.take(1n) as unknown as [number];
    const [major, short] = [first >> 5, first & 31];
    if (short < 24) return [major, BigInt(short)];
    if (short > 27) bad("an indefinite or reserved length");
    const width = 1 << (short - 24);
    const argument = this.take(BigInt(width)).reduce((number, byte) => number * 256n + BigInt(byte), 0n);
    if (argument < (width === 1 ? 24n : 1n << BigInt(4 * width))) bad("a number is not in its shortest form");
    return [major, argument];
  }

  private take(count: bigint): Bytes {
    if (count > BigInt(this.data.length - this.at)) bad("the input ends too early");
    const from = this.at;
    this.at += Number(count);
    return this.data.slice(from, this.at);
  }

  private array(count: bigint, depth: number): Cbor[] {
    const items: Cbor[] = []; // each takes a byte at least: the input's end stops a false count
    for (let n = 0n; n < count; n += 1n) items.push(this.item(depth + 1));
    return items;
  }

  private map(count: bigint, depth: number): CborMap {
    const members: CborMap = new Map();
    for (let n = 0n; n < count; n += 1n) {
      const key = this.item(depth + 1);
      if ((typeof key !== "bigint" && typeof key !== "string") || members.has(key)) {
        return bad("a map key is repeated, or neither number nor text");
      }
      members.set(key, this.item(depth + 1));
    }
    return members;
  }
}

/** The one item that the bytes are. Throws Refuted(BAD_ENCODING). */
export const readCbor = (data: Bytes): Cbor => new Reader(data).whole();

/** A byte string as CBOR writes it. */
export function byteString(bytes: Uint8Array): Bytes {
  const size = bytes.length;
  if (size < 24) return concat(new Uint8Array([0x40 | size]), bytes);
  const width = size < 0x100 ? 1 : size < 0x1_0000 ? 2 : 4;
  const length = Array.from({ length: width }, (_, at) => (size >>> (8 * (width - 1 - at))) & 0xff);
  return concat(new Uint8Array([0x58 | Math.log2(width), ...length]), bytes);
}
