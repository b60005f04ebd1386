/** SM2 signatures with SM3: checking only (GB/T 32918.2-2016, GB/T 32905-2016, docs/spec/ruleset-3.md, section 8). */
import { type Bytes, bigOf, concat } from "./bytes.js";
import { refuse } from "./errors.js";
import type { PublicKey } from "./keys.js";

const P = 2n ** 256n - 2n ** 224n - 2n ** 96n + 2n ** 64n - 1n;
const N = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
const A = P - 3n;
const B = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;
const GX = 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n;
const GY = 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n;
const IDENTITY = new TextEncoder().encode("1234567812345678");

const bad = (message: string): never => refuse("BAD_SIGNATURE", message);
const mod = (value: bigint, by = P): bigint => ((value % by) + by) % by;

/** X, Y, Z of a point (Jacobian); Z is 0 at infinity. */
type Point = readonly [bigint, bigint, bigint];
const INFINITY: Point = [1n, 1n, 0n];

function double([x, y, z]: Point): Point {
  if (z === 0n || y === 0n) return INFINITY;
  const yy = mod(y * y);
  const m = mod(3n * (x - z * z) * (x + z * z));
  const s = mod(4n * x * yy);
  const at = mod(m * m - 2n * s);
  return [at, mod(m * (s - at) - 8n * yy * yy), mod(2n * y * z)];
}

function add(one: Point, other: Point): Point {
  const [x1, y1, z1] = one;
  const [x2, y2, z2] = other;
  if (z1 === 0n) return other;
  if (z2 === 0n) return one;
  const [u1, u2] = [mod(x1 * z2 * z2), mod(x2 * z1 * z1)];
  const [s1, s2] = [mod(y1 * z2 ** 3n), mod(y2 * z1 ** 3n)];
  const [h, r] = [mod(u2 - u1), mod(s2 - s1)];
  if (h === 0n) return r === 0n ? double(one) : INFINITY;
  const [hh, hhh] = [mod(h * h), mod(h * h * h)];
  const at = mod(r * r - hhh - 2n * u1 * hh);
  return [at, mod(r * (u1 * hh - at) - s1 * hhh), mod(z1 * z2 * h)];
}

/** [s]G + [t]P, both at once. */
function sum(s: bigint, t: bigint, key: Point): Point {
  const base: Point = [GX, GY, 1n];
  const table: readonly Point[] = [INFINITY, base, key, add(base, key)];
  let found = INFINITY;
  for (let bit = 255n; bit >= 0n; bit--) {
    found = double(found);
    found = add(found, table[Number(((s >> bit) & 1n) | (((t >> bit) & 1n) << 1n))] as Point);
  }
  return found;
}

function inverse(value: bigint): bigint {
  let [result, square] = [1n, mod(value)];
  for (let rest = P - 2n; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

const turn = (word: number, by: number): number => ((word << (by % 32)) | (word >>> (32 - (by % 32 || 32)))) | 0;
const p0 = (x: number): number => x ^ turn(x, 9) ^ turn(x, 17);
const p1 = (x: number): number => x ^ turn(x, 15) ^ turn(x, 23);

/** The SM3 hash, 32 bytes. */
export function sm3(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, (message.length * 8) >>> 0);
  let state = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];
  const w = new Int32Array(68);
  const at = (index: number): number => w[index] as number;
  for (let block = 0; block < padded.length; block += 64) {
    for (let j = 0; j < 16; j++) w[j] = view.getInt32(block + 4 * j);
    for (let j = 16; j < 68; j++) {
      w[j] = p1(at(j - 16) ^ at(j - 9) ^ turn(at(j - 3), 15)) ^ turn(at(j - 13), 7) ^ at(j - 6);
    }
    let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number];
    for (let j = 0; j < 64; j++) {
      const ss1 = turn((turn(a, 12) + e + turn(j < 16 ? 0x79cc4519 : 0x7a879d8a, j)) | 0, 7);
      const ff = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
      const gg = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
      const tt1 = (ff + d + (ss1 ^ turn(a, 12)) + (at(j) ^ at(j + 4))) | 0;
      const tt2 = (gg + h + ss1 + at(j)) | 0;
      [d, c, b, a] = [c, turn(b, 9), a, tt1];
      [h, g, f, e] = [g, turn(f, 19), e, p0(tt2)];
    }
    state = [a, b, c, d, e, f, g, h].map((word, index) => word ^ (state[index] as number));
  }
  const digest = new Uint8Array(32);
  state.forEach((word, index) => new DataView(digest.buffer).setInt32(4 * index, word));
  return digest;
}

const bytes32 = (number: bigint): Uint8Array =>
  Uint8Array.from((number.toString(16).padStart(64, "0").match(/../g) as string[]).map((pair) => Number.parseInt(pair, 16)));

/** A point of the curve from two 32-byte coordinates. Throws Refuted(BAD_SIGNATURE). */
export function sm2Key(x: Bytes, y: Bytes): PublicKey {
  if (x.length !== 32 || y.length !== 32) bad("an SM2 coordinate has 32 bytes");
  const [a, b] = [bigOf(x), bigOf(y)];
  if (a >= P || b >= P || mod(b * b - (a * a * a + A * a + B)) !== 0n) bad("not a point of the curve of SM2");
  const length = new Uint8Array([0, 8 * IDENTITY.length]);
  const z = sm3(concat(length, IDENTITY, bytes32(A), bytes32(B), bytes32(GX), bytes32(GY), x, y));
  return {
    alg: "SM2",
    async verify(message, signature) {
      if (signature.length !== 64) bad("an SM2 signature has 64 bytes");
      const [r, s] = [bigOf(signature.subarray(0, 32)), bigOf(signature.subarray(32))];
      const t = mod(r + s, N);
      if (r === 0n || s === 0n || r >= N || s >= N || t === 0n) bad("r or s of the signature is out of range");
      const [at, , width] = sum(s, t, [a, b, 1n]);
      const e = bigOf(sm3(concat(z, message)));
      if (width === 0n || mod(e + mod(at * inverse(width * width)), N) !== r) bad("the signature does not verify");
    },
  };
}
