/** Public keys and signatures. The gate of docs/spec/statements.md comes before WebCrypto, because libraries disagree. */
import { type Bytes, bigOf, concat, unb64u } from "./bytes.js";
import { refuse } from "./errors.js";
import { type JsonObject, checkMembers, getText } from "./json.js";
import { sm2Key } from "./sm2.js";

/** `SM2` from ruleset 3 on: checked here, not signed. */
export type Algorithm = "EdDSA" | "ES256" | "PS256" | "SM2";

/** A registered public key and the one algorithm that it is for. */
export interface PublicKey {
  readonly alg: Algorithm;
  /** Throws Refuted(BAD_SIGNATURE) unless the raw signature of JWS verifies. */
  verify(message: Uint8Array, signature: Uint8Array): Promise<void>;
}

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const ORDER_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
const SMALL_ORDER = new Set([0n, 1n, P - 1n, P, P + 1n, ORDER_8, P - ORDER_8]);
const LOW_255 = 2n ** 255n - 1n;

const bad = (message: string): never => refuse("BAD_SIGNATURE", message);
const little = (bytes: Uint8Array): bigint => bigOf(Uint8Array.from(bytes).reverse());
const mod = (value: bigint, by = P): bigint => ((value % by) + by) % by;

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, mod(base)];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}
const inverse = (value: bigint): bigint => power(value, P - 2n);
const D = mod(-121665n * inverse(121666n));

type Point = readonly [bigint, bigint, bigint, bigint];

/** The complete addition law of RFC 8032 §5.1.4, in extended coordinates. */
function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const [a, b] = [mod((y1 - x1) * (y2 - x2)), mod((y1 + x1) * (y2 + x2))];
  const [c, d] = [mod(2n * t1 * t2 * D), mod(2n * z1 * z2)];
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function decodePoint(encoded: Uint8Array): Point {
  const number = little(encoded);
  const y = number & LOW_255;
  const square = mod((y * y - 1n) * inverse(D * y * y + 1n));
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x - square) !== 0n) x = mod(x * power(2n, (P - 1n) / 4n));
  if (mod(x * x - square) !== 0n) bad("the key is not a point of the curve");
  if ((x & 1n) !== number >> 255n) x = mod(-x);
  return [x, y, 1n, mod(x * y)];
}

function checkEncoding(encoded: Uint8Array, what: string): void {
  if (encoded.length !== 32) bad(`${what} must have 32 bytes`);
  const y = little(encoded) & LOW_255;
  if (SMALL_ORDER.has(y)) bad(`${what} is a point of small order`);
  if (y >= P) bad(`${what} is not reduced`);
}

function checkPrimeOrder(key: Uint8Array): void {
  let [result, point]: [Point, Point] = [[0n, 1n, 1n, 0n], decodePoint(key)];
  for (let rest = L; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, point);
    point = add(point, point);
  }
  if (result[0] !== 0n || mod(result[1] - result[2]) !== 0n) bad("the public key is not of prime order");
}

/** An Ed25519 key of prime order from its 32 bytes. Throws Refuted(BAD_SIGNATURE). */
export function ed25519Key(raw: Bytes): PublicKey {
  checkEncoding(raw, "the public key");
  checkPrimeOrder(raw);
  let imported: Promise<CryptoKey> | undefined;
  return {
    alg: "EdDSA",
    async verify(message, signature) {
      if (signature.length !== 64) bad("an Ed25519 signature has 64 bytes");
      checkEncoding(signature.subarray(0, 32), "R of the signature");
      if (little(signature.subarray(32)) >= L) bad("S of the signature is not reduced");
      imported ??= crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
      await settle(imported, { name: "Ed25519" }, message, signature);
    },
  };
}

async function settle(
  key: Promise<CryptoKey>,
  algorithm: AlgorithmIdentifier | EcdsaParams | RsaPssParams,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<void> {
  if (!(await crypto.subtle.verify(algorithm, await key, concat(signature), concat(message)))) {
    bad("the signature does not verify");
  }
}

const Q = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

/** A point of P-256 from two 32-byte coordinates. Throws Refuted(BAD_SIGNATURE). */
export function p256Key(x: Bytes, y: Bytes): PublicKey {
  if (x.length !== 32 || y.length !== 32) bad("a P-256 coordinate has 32 bytes");
  const [a, b] = [bigOf(x), bigOf(y)];
  if (a >= Q || b >= Q || mod(b * b - (a * a * a - 3n * a + B), Q) !== 0n) bad("not a point of P-256");
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  let imported: Promise<CryptoKey> | undefined;
  return {
    alg: "ES256",
    async verify(message, signature) {
      if (signature.length !== 64) bad("an ES256 signature has 64 bytes");
      imported ??= crypto.subtle.importKey("raw", concat(new Uint8Array([4]), x, y), algorithm, false, ["verify"]);
      await settle(imported, { name: "ECDSA", hash: "SHA-256" }, message, signature);
    },
  };
}

function rsaKey(jwk: JsonObject): PublicKey {
  const modulus = unb64u(getText(jwk, "n", 1_024));
  if (modulus.length === 0 || modulus[0] === 0) refuse("BAD_ENCODING", "the modulus has a leading zero byte", "n");
  if (unb64u(getText(jwk, "e", 8))[0] === 0) refuse("BAD_ENCODING", "the exponent has a leading zero byte", "e");
  if (jwk["e"] !== "AQAB") bad("a registered RSA key has the exponent 65537");
  if (modulus.length < 256 || modulus.length > 384 || (modulus[0] as number) < 128 || !((modulus.at(-1) as number) & 1)) {
    bad("the modulus is not an odd number of 2048 to 3072 bits in whole bytes");
  }
  const members = { kty: "RSA", n: String(jwk["n"]), e: "AQAB" };
  let imported: Promise<CryptoKey> | undefined;
  return {
    alg: "PS256",
    async verify(message, signature) {
      if (signature.length !== modulus.length) bad("an RSA signature is as long as the modulus");
      imported ??= crypto.subtle.importKey("jwk", members, { name: "RSA-PSS", hash: "SHA-256" }, false, ["verify"]);
      await settle(imported, { name: "RSA-PSS", saltLength: 32 }, message, signature);
    },
  };
}

/** The key of a JWK with exactly the public members of its type. Throws Refuted. */
export function readJwk(jwk: JsonObject): PublicKey {
  if (jwk["kty"] === "OKP" && jwk["crv"] === "Ed25519") {
    checkMembers(jwk, ["crv", "kty", "x"]);
    return ed25519Key(unb64u(getText(jwk, "x", 64), 32));
  }
  if (jwk["kty"] === "EC" && jwk["crv"] === "P-256") {
    checkMembers(jwk, ["crv", "kty", "x", "y"]);
    return p256Key(unb64u(getText(jwk, "x", 64), 32), unb64u(getText(jwk, "y", 64), 32));
  }
  if (jwk["kty"] === "EC" && jwk["crv"] === "SM2") {
    checkMembers(jwk, ["crv", "kty", "x", "y"]);
    return sm2Key(unb64u(getText(jwk, "x", 64), 32), unb64u(getText(jwk, "y", 64), 32));
  }
  if (jwk["kty"] === "RSA") {
    checkMembers(jwk, ["e", "kty", "n"]);
    return rsaKey(jwk);
  }
  return refuse("BAD_ENCODING", "a key of an unknown type", "kty");
}

/** In a COSE key's one spelling, and a key that can be used (docs/spec/passkeys.md). Throws Refuted. */
export function checkCoseKey(bytes: Bytes): void {
  const starts = (...prefix: number[]): boolean => prefix.every((byte, at) => bytes[at] === byte);
  if (bytes.length === 42 && starts(0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 0x20)) {
    ed25519Key(bytes.slice(10));
  } else if (
    bytes.length === 77 &&
    starts(0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20) &&
    bytes[42] === 0x22 && bytes[43] === 0x58 && bytes[44] === 0x20
  ) {
    p256Key(bytes.slice(10, 42), bytes.slice(45));
  } else {
    refuse("BAD_ENCODING", "not a COSE key for ES256 or EdDSA", "public_key");
  }
}
