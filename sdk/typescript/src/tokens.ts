/** Access tokens for reads: client credentials by `private_key_jwt` (RFC 7523), bound to a key of this process (DPoP). */
import { b64u, sha256, utf8 } from "./bytes.js";
import { LedgerUnavailable } from "./errors.js";
import { LocalSigner, freshJti, signJwt } from "./signer.js";
import type { Signer } from "./statement.js";
import { type Headers, type Transport, jsonOf } from "./transport.js";

const EARLY_MS = 20_000; // a token is renewed this long before it ends

class TokenSource {
  private proofKey: Promise<Signer> | undefined;
  private token: { text: string; until: number } | undefined;
  private asking: Promise<string> | undefined;
  private nonce: string | undefined;

  /** `key` is registered for `client` use: one key, one purpose. `issuer`: the ledger's public URL, exactly. */
  constructor(
    private readonly transport: Transport,
    private readonly participant: string,
    private readonly key: Signer,
    private readonly issuer: string,
  ) {}

  /** Token and proof for one request. `path` may have a query, which the proof leaves out (RFC 9449 §4.2). */
  async headers(method: string, path: string, within: number): Promise<Record<string, string>> {
    const token = await this.current(within);
    const url = this.issuer + (path.split("?")[0] as string);
    return { Authorization: `DPoP ${token}`, DPoP: await this.proof(method, url, token) };
  }

  /** What the next proofs bring, where the ledger wants nonces (RFC 9449 §8). */
  learn(nonce: string): void {
    this.nonce = nonce;
  }

  private async current(within: number): Promise<string> {
    if (this.token !== undefined && this.token.until > performance.now()) return this.token.text;
    this.asking ??= this.fetch(within).finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async fetch(within: number): Promise<string> {
    const asked = performance.now();
    const made = (): Promise<[string, Record<string, string>]> => this.question();
    const answer = await this.transport.once(`${this.issuer}/token`, made, (nonce) => this.learn(nonce), within);
    const { access_token: text, token_type: kind, expires_in: seconds } = jsonOf(answer);
    if (typeof text !== "string" || String(kind).toLowerCase() !== "dpop" || typeof seconds !== "number") {
      throw new LedgerUnavailable("the token service gave no token that is bound to a key");
    }
    this.token = { text, until: asked + seconds * 1_000 - EARLY_MS };
    return text;
  }

  /** Body and headers of one request for a token: assertion and proof are for one use. */
  private async question(): Promise<[string, Record<string, string>]> {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      aud: this.issuer, exp: now + 50, iat: now, iss: this.participant, jti: freshJti(), sub: this.participant,
    };
    const form = new URLSearchParams({
      client_assertion: await signJwt(this.key, { kid: this.key.kid, typ: "JWT" }, claims),
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_id: this.participant,
      grant_type: "client_credentials",
    });
    const proof = await this.proof("POST", `${this.issuer}/token`);
    return [form.toString(), { "Content-Type": "application/x-www-form-urlencoded", DPoP: proof }];
  }

  private async proof(method: string, url: string, token?: string): Promise<string> {
    this.proofKey ??= LocalSigner.generate("dpop", "ES256").then(({ signer }) => signer);
    const key = await this.proofKey;
    const claims: Record<string, unknown> = { htm: method, htu: url, iat: Math.floor(Date.now() / 1_000), jti: freshJti() };
    if (this.nonce !== undefined) claims["nonce"] = this.nonce;
    if (token !== undefined) claims["ath"] = b64u(await sha256(utf8(token)));
    return signJwt(key, { jwk: key.jwk, typ: "dpop+jwt" }, claims);
  }
}

/** A token for each address of the ledger: every node is the issuer of its own, and a proof is for one address. */
export class Tokens {
  private readonly sources: ReadonlyMap<string, TokenSource>;

  constructor(transport: Transport, participant: string, key: Signer, addresses: readonly string[]) {
    this.sources = new Map(addresses.map((one) => [one, new TokenSource(transport, participant, key, one)]));
  }

  /** What makes token and proof of a request to `path` of the address that is to be asked. */
  headers(method: string, path: string): Headers {
    return {
      make: (address, within) => this.at(address).headers(method, path, within),
      learn: (address, nonce) => this.at(address).learn(nonce),
    };
  }

  private at(address: string): TokenSource {
    return this.sources.get(address) as TokenSource;
  }
}
