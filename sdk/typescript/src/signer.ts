import { type Bytes, b64u, utf8 } from "./bytes.js";
import type { Algorithm } from "./keys.js";
import type { Signer } from "./statement.js";

const ALGORITHMS = {
  EdDSA: { key: { name: "Ed25519" }, sign: { name: "Ed25519" }, members: ["crv", "kty", "x"] },
  ES256: {
    key: { name: "ECDSA", namedCurve: "P-256" },
    sign: { name: "ECDSA", hash: "SHA-256" },
    members: ["crv", "kty", "x", "y"],
  },
  PS256: {
    key: { name: "RSA-PSS", hash: "SHA-256" },
    sign: { name: "RSA-PSS", saltLength: 32 },
    members: ["e", "kty", "n"],
  },
} as const;

/** A signer whose private key is in this process. A key in hardware is any other `Signer`. */
export class LocalSigner implements Signer {
  private constructor(
    readonly kid: string,
    readonly alg: Exclude<Algorithm, "SM2">,
    readonly jwk: Readonly<Record<string, string>>,
    private readonly key: CryptoKey,
  ) {}

  /** A new key pair: EdDSA or ES256. Keep `privateJwk` if it is to outlive this process. */
  static async generate(kid: string, alg: "EdDSA" | "ES256" = "EdDSA"): Promise<{ signer: LocalSigner; privateJwk: JsonWebKey }> {
    const pair = (await crypto.subtle.generateKey(ALGORITHMS[alg].key, true, ["sign", "verify"])) as CryptoKeyPair;
    const privateJwk = await crypto.subtle.exportKey("jwk", pair.privateKey);
    return { signer: await LocalSigner.fromJwk(kid, privateJwk), privateJwk };
  }

  /** The key of a private JWK. Throws TypeError for another kind of key. */
  static async fromJwk(kid: string, jwk: JsonWebKey): Promise<LocalSigner> {
    const alg = jwk.kty === "OKP" ? "EdDSA" : jwk.kty === "EC" ? "ES256" : jwk.kty === "RSA" ? "PS256" : null;
    if (alg === null) throw new TypeError(`a key of the type ${String(jwk.kty)} signs no statements`);
    const { alg: _stated, key_ops: _use, ...bare } = jwk;
    const key = await crypto.subtle.importKey("jwk", bare, ALGORITHMS[alg].key, false, ["sign"]);
    const members = jwk as Record<string, string>;
    return new LocalSigner(kid, alg, Object.fromEntries(ALGORITHMS[alg].members.map((name) => [name, members[name] as string])), key);
  }

  async sign(message: Bytes): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign(ALGORITHMS[this.alg].sign, this.key, message));
  }
}

/** A compact JWS for all that is no statement: client assertions (RFC 7523), DPoP proofs (RFC 9449). */
export async function signJwt(signer: Signer, header: object, claims: object): Promise<string> {
  const signed = [{ alg: signer.alg, ...header }, claims].map((part) => b64u(utf8(JSON.stringify(part)))).join(".");
  return `${signed}.${b64u(await signer.sign(utf8(signed)))}`;
}

/** 16 random bytes: a `jti`. */
export const freshJti = (): string => b64u(crypto.getRandomValues(new Uint8Array(16)));
