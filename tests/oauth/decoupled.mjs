// A stock client asks a customer without a browser (CIBA): run by tests/oauth/decoupled.py, which is the bank and its customer.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as oauth from "oauth4webapi";

const [address, keyFile] = process.argv.slice(2);
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (said) => {
  console.log(said);
  return (await input.next()).value;
};

const plain = { [oauth.allowInsecureRequests]: true }; // our own machine
const issuer = new URL(address);
const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plain });
const server = await oauth.processDiscoveryResponse(issuer, found);
assert.deepEqual(server.backchannel_token_delivery_modes_supported, ["poll"]);
const { kid, ...jwk } = JSON.parse(readFileSync(keyFile));
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
const client = { client_id: "tpp-1" };
const authentication = oauth.PrivateKeyJwt({ key, kid });
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));

const request = await oauth.issueRequestObject(
  server,
  client,
  {
    authorization_details: JSON.stringify([{ type: "account_information", actions: ["read_balances"] }]),
    binding_message: "PLUM 7-3-1",
    login_hint: "customer 4711 of the bank",
    resource: "bank-a",
  },
  { key, kid },
);
const begun = await oauth.processBackchannelAuthenticationResponse(
  server,
  client,
  await oauth.backchannelAuthenticationRequest(server, client, authentication, { request }, plain),
);
const poll = async () =>
  oauth.processBackchannelAuthenticationGrantResponse(
    server,
    client,
    await oauth.backchannelAuthenticationGrantRequest(server, client, authentication, begun.auth_req_id, { DPoP, ...plain }),
  );
const waits = (error) => error instanceof oauth.ResponseBodyError && error.error === "authorization_pending";
await assert.rejects(poll, waits);

await ask(`the bank reaches its customer about ${begun.grant_id}`);
await new Promise((resolve) => setTimeout(resolve, begun.interval * 1000));
const tokens = await poll();
const introspect = async () =>
  oauth.processIntrospectionResponse(
    server,
    client,
    await oauth.introspectionRequest(server, client, authentication, tokens.access_token, {
      requestJwtResponse: false,
      ...plain,
    }),
  );
assert.equal((await introspect()).active, true);
await ask("the customer stops it");
assert.equal((await introspect()).active, false);
console.log("oauth4webapi: CIBA with a signed request, polling, tokens; all ended with the consent");
process.stdin.destroy();
