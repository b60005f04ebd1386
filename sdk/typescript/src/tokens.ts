/** Access tokens for reads: client credentials by `private_key_jwt` (RFC 7523), bound to a key of this process (DPoP). */
import { b64u, sha256, utf8 } from "./bytes.js";
import { LedgerUnavailable } from "./errors.js";
import { LocalSigner, freshJti, signJwt } from "./signer.js";
import type { Signer } from "./statement.js";
import { type Transport, jsonOf } from "./transport.js";

const EARLY_MS = 20_000; // a token is renewed this long before it ends

export class TokenSource {
  private proofKey: Promise<Signer> | undefined;
  private token: { text: string; until: number } | undefined;
  private asking: Promise<string> | undefined;

  /** `key` is registered for `client` use: one key, one purpose. `issuer`: the ledger's public URL, exactly. */
  constructor(
    private readonly transport: Transport,
    private readonly participant: string,
    private readonly key: Signer,
    private readonly issuer: string,
  ) {}

  /** Token and proof for one request. `path` may have a query, which the proof leaves out (RFC 9449 §4.2). */
  async headers(method: string, path: string): Promise<Record<string, string>> {
    const token = await this.current();
    const url = this.issuer + (path.split("?")[0] as string);
    return { Authorization: `DPoP ${token}`, DPoP: await this.proof(method, url, token) };
  }

  private async current(): Promise<string> {
    if (this.token !== undefined && this.token.until > performance.now()) return this.token.text;
    this.asking ??= this.fetch().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async fetch(): Promise<string> {
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
    const asked = performance.now();
    const answer = await this.transport.once("/token", form.toString(), {
      "Content-Type": "application/x-www-form-urlencoded",
      DPoP: await this.proof("POST", `${this.issuer}/token`),
    });
    const { access_token: text, token_type: kind, expires_in: seconds } = jsonOf(answer);
    if (typeof text !== "string" || String(kind).toLowerCase() !== "dpop" || typeof seconds !== "number") {
      throw new LedgerUnavailable("the token service gave no token that is bound to a key");
    }
    this.token = { text, until: asked + seconds * 1_000 - EARLY_MS };
    return text;
  }

  private async proof(method: string, url: string, token?: string): Promise<string> {
    this.proofKey ??= LocalSigner.generate("dpop", "ES256").then(({ signer }) => signer);
    const key = await this.proofKey;
    const claims: Record<string, unknown> = { htm: method, htu: url, iat: Math.floor(Date.now() / 1_000), jti: freshJti() };
    if (token !== undefined) claims["ath"] = b64u(await sha256(utf8(token)));
    return signJwt(key, { jwk: key.jwk, typ: "dpop+jwt" }, claims);
  }
}
