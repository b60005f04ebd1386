import { refuse } from "./errors.js";

/** Bytes that lie in memory of their own: what WebCrypto takes. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const utf8 = (text: string): Bytes => encoder.encode(text) as Bytes;

/** The text of UTF-8 bytes. Throws Refuted for any other bytes. */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return refuse("BAD_ENCODING", "not UTF-8");
  }
}

export function concat(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const equal = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);

/** Negative, zero or positive: the order of bytes, which is that of code points in UTF-8. */
export function compareBytes(one: Uint8Array, other: Uint8Array): number {
  for (let at = 0; at < Math.min(one.length, other.length); at += 1) {
    const difference = (one[at] as number) - (other[at] as number);
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

export const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Big-endian, as a whole number. */
export const bigOf = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(`0x${hex(bytes)}`));

export function b64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8_192) binary += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return btoa(binary);
}

export const b64u = (bytes: Uint8Array): string =>
  b64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function decoded(text: string, padded: string, spell: (bytes: Uint8Array) => string, size?: number): Bytes {
  let bytes: Bytes;
  try {
    bytes = Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
  } catch {
    return refuse("BAD_ENCODING", "not base64");
  }
  if (spell(bytes) !== text) refuse("BAD_ENCODING", "not the canonical base64 spelling");
  if (size !== undefined && bytes.length !== size) refuse("BAD_ENCODING", `${size} bytes expected, found ${bytes.length}`);
  return bytes;
}

/** Base64 with padding, in its one spelling; of exactly `size` bytes if given. Throws Refuted. */
export const unb64 = (text: string, size?: number): Bytes => decoded(text, text, b64, size);

/** Base64url without padding, in its one spelling; of exactly `size` bytes if given. Throws Refuted. */
export function unb64u(text: string, size?: number): Bytes {
  const standard = text.replace(/-/g, "+").replace(/_/g, "/");
  return decoded(text, standard + "=".repeat((4 - (text.length % 4)) % 4), b64u, size);
}

/** A decimal number below 2^63 in its one spelling. Throws Refuted. */
export function decimal(text: string): bigint {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text) || BigInt(text) >= 2n ** 63n) {
    refuse("BAD_ENCODING", `not a canonical decimal: ${text.slice(0, 20)}`);
  }
  return BigInt(text);
}

export async function sha256(...parts: Uint8Array[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

/** A hash under a domain tag of docs/spec/encoding.md. */
export const tagged = (tag: string, ...parts: Uint8Array[]): Promise<Bytes> =>
  sha256(utf8(`consent-ledger/v1/${tag}\0`), ...parts);
