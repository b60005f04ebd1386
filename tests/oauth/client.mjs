// A stock client goes through the code flow: run by tests/oauth/__main__.py, which is the bank and its customer.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as oauth from "oauth4webapi";

const [address, redirectUri, keyFile] = process.argv.slice(2);
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (said) => {
  console.log(said);
  return (await input.next()).value;
};

const plain = { [oauth.allowInsecureRequests]: true }; // our own machine
const issuer = new URL(address);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plain }));
const { kid, ...jwk } = JSON.parse(readFileSync(keyFile));
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const client = { client_id: "tpp-1" };
const authentication = oauth.PrivateKeyJwt({ key, kid });
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));

// As the library's own examples do: where the server asks for a nonce, once more with it (RFC 9449 §8).
const twice = async (step) => {
  try {
    return await step();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return step();
  }
};

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const asked = {
  authorization_details: JSON.stringify([{ type: "account_information", actions: ["list_accounts", "read_balances"] }]),
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  redirect_uri: redirectUri,
  resource: "bank-a",
  response_type: "code",
  state,
};
const pushed = await twice(async () =>
  oauth.processPushedAuthorizationResponse(
    server, client, await oauth.pushedAuthorizationRequest(server, client, authentication, asked, { DPoP, ...plain }),
  ),
);
const authorize = new URL(server.authorization_endpoint);
authorize.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri }).toString();
const sent = await fetch(authorize, { redirect: "manual" });
assert.equal(sent.status, 303);

const back = new URL(await ask(`the browser is at ${sent.headers.get("location")}`));
const parameters = oauth.validateAuthResponse(server, client, back, state);
const tokens = await twice(async () =>
  oauth.processAuthorizationCodeResponse(
    server, client,
    await oauth.authorizationCodeGrantRequest(server, client, authentication, parameters, redirectUri, verifier, { DPoP, ...plain }),
  ),
);
assert.equal(tokens.token_type, "dpop");
const refresh = async () =>
  oauth.processRefreshTokenResponse(
    server, client, await oauth.refreshTokenGrantRequest(server, client, authentication, tokens.refresh_token, { DPoP, ...plain }),
  );
const again = await twice(refresh);
const introspect = async (token) =>
  oauth.processIntrospectionResponse(
    server, client, await oauth.introspectionRequest(server, client, authentication, token, { requestJwtResponse: false, ...plain }),
  );
assert.equal((await introspect(again.access_token)).active, true);

await ask("the customer stops it");
assert.equal((await introspect(again.access_token)).active, false);
await assert.rejects(twice(refresh), (error) => error instanceof oauth.ResponseBodyError && error.error === "invalid_grant");
console.log("oauth4webapi: discovery, PAR with DPoP, PKCE, code, refresh, introspection; all ended with the consent");
process.stdin.destroy();
