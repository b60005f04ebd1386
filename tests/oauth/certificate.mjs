// A stock client (oauth4webapi) with a client certificate, told what to do line by line by tests/stock: JSON in, JSON out.
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { createInterface } from "node:readline";
import * as oauth from "oauth4webapi";

const [address, clientId, certificate, authority, keyFile, method] = process.argv.slice(2);
const pem = readFileSync(certificate);
const ca = readFileSync(authority);

// `fetch` of Node takes no client certificate; this one does, and nothing else.
const connect = (url, { method = "GET", headers = {}, body }) =>
  new Promise((resolve, reject) => {
    const content = body === undefined || body === null ? undefined : body.toString();
    const asked = request(url, { method, headers: { ...headers }, cert: pem, key: pem, ca }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        const empty = [204, 304].includes(answer.statusCode);
        const told = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
        resolve(new Response(empty ? null : Buffer.concat(parts), { status: answer.statusCode, headers: told }));
      });
    });
    asked.on("error", reject);
    asked.end(content);
  });
const options = { [oauth.customFetch]: connect };

const issuer = new URL(address);
let server;
const discovered = async () => {
  server ??= await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...options }));
  return server;
};
const client = { client_id: clientId };
const { kid, ...jwk } = JSON.parse(readFileSync(keyFile));
const key = await crypto.subtle.importKey("jwk", jwk, { name: "RSA-PSS", hash: "SHA-256" }, false, ["sign"]);
const authentication = method === "private_key_jwt" ? oauth.PrivateKeyJwt({ key, kid }) : oauth.TlsClientAuth();
let begun;

const steps = {
  async metadata() {
    return discovered();
  },
  async register({ metadata }) {
    return oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(await discovered(), metadata, options),
    );
  },
  async client_credentials({ scope, details }) {
    const as = await discovered();
    const asked = { ...(scope ? { scope } : {}), ...(details ? { authorization_details: JSON.stringify(details) } : {}) };
    return oauth.processClientCredentialsResponse(
      as, client, await oauth.clientCredentialsGrantRequest(as, client, authentication, asked, options),
    );
  },
  async push({ parameters, signed, at }) {
    const as = { ...(await discovered()), ...(at ? { pushed_authorization_request_endpoint: at } : {}) };
    begun = { verifier: oauth.generateRandomCodeVerifier(), state: oauth.generateRandomState(), back: parameters.redirect_uri };
    const asked = {
      ...parameters,
      ...(parameters.claims ? { claims: JSON.stringify(parameters.claims) } : {}),
      response_type: "code",
      state: begun.state,
      code_challenge: await oauth.calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: "S256",
    };
    let sent = asked;
    if (signed) {
      sent = { request: await oauth.issueRequestObject(as, client, asked, { key, kid }) };
    }
    const pushed = await oauth.processPushedAuthorizationResponse(
      as, client, await oauth.pushedAuthorizationRequest(as, client, authentication, sent, options),
    );
    const authorize = new URL(as.authorization_endpoint);
    authorize.search = new URLSearchParams({ client_id: clientId, request_uri: pushed.request_uri }).toString();
    return { ...pushed, address: authorize.href };
  },
  async redeem({ back }) {
    const as = await discovered();
    const parameters = oauth.validateAuthResponse(as, client, new URL(back), begun.state);
    const tokens = await oauth.processAuthorizationCodeResponse(
      as, client,
      await oauth.authorizationCodeGrantRequest(as, client, authentication, parameters, begun.back, begun.verifier, options),
    );
    return tokens;
  },
  async refresh({ token }) {
    const as = await discovered();
    return oauth.processRefreshTokenResponse(
      as, client, await oauth.refreshTokenGrantRequest(as, client, authentication, token, options),
    );
  },
  // What no specification of OAuth has: a form of an ecosystem's own, with the client's usual authentication.
  async form({ at, form }) {
    const as = { ...(await discovered()), revocation_endpoint: at };
    const [said] = Object.values(form);
    const answer = await oauth.revocationRequest(as, client, authentication, said, { additionalParameters: form, ...options });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    return { status: answer.status };
  },
  async introspect({ token }) {
    const as = await discovered();
    return oauth.processIntrospectionResponse(
      as, client, await oauth.introspectionRequest(as, client, authentication, token, { requestJwtResponse: false, ...options }),
    );
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { step, ...said } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ said: await steps[step](said) }));
  } catch (error) {
    console.log(JSON.stringify({ refused: `${error.code ?? error.name}: ${error.message}`, error: error.error ?? "",
      description: error.error_description ?? "" }));
  }
}
