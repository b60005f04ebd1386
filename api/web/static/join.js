// Comes in by an invitation: makes two keys here, proves that it holds them, and lets them be saved. Nothing is kept.
"use strict";

(() => {
  const text = new TextEncoder();
  const place = document.getElementById("join");
  const button = document.getElementById("make");
  const token = location.hash.slice(1);

  const b64u = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const plain = (part) => {
    const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder().decode(Uint8Array.from(binary, (letter) => letter.charCodeAt(0)));
  };

  const read = () => {
    try {
      return JSON.parse(plain(token.split(".")[1]));
    } catch {
      return null;
    }
  };

  const edge = (word) => `-----${word} PRIVATE KEY-----`;
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const jws = async (key, header, claims) => {
    const signed = [header, claims].map((part) => b64u(text.encode(JSON.stringify(part)))).join(".");
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, text.encode(signed));
    return `${signed}.${b64u(signature)}`;
  };

  const make = async (participant, use) => {
    const pair = await crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
    const { crv, kty, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
    const kid = `${participant.slice(0, 40)}-${use}-${b64u(crypto.getRandomValues(new Uint8Array(6)))}`;
    const claims = { aud: place.dataset.origin, kid, participant, use };
    const proof = await jws(pair.privateKey, { alg: "ES256", typ: "key-proof+jwt" }, claims);
    const secret = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
    const lines = btoa(String.fromCharCode(...secret)).match(/.{1,64}/g);
    const pem = [edge("BEGIN"), ...lines, edge("END"), ""].join("\n");
    return { pem, said: { alg: "ES256", jwk: { crv, kty, x, y }, kid, proof, use } };
  };

  const offer = (id, content) => {
    document.getElementById(id).href = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  };

  const refuse = (why) => {
    document.getElementById("why").textContent = why;
    document.getElementById("refused").hidden = false;
    button.disabled = false;
  };

  const invited = read();
  if (invited === null || !invited.sub) return;
  const who = [invited.name, invited.sub, (invited.roles || []).join(", ")];
  document.getElementById("invited").textContent = who.join(" · ");
  button.disabled = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    document.getElementById("refused").hidden = true;
    try {
      const keys = [await make(invited.sub, "statement"), await make(invited.sub, "client")];
      const answer = await fetch("/partners/join", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ invitation: token, keys: keys.map((key) => key.said) }),
      });
      if (answer.status !== 201) {
        refuse((await answer.json()).detail || String(answer.status));
        return;
      }
      const members = [
        ["participant", invited.sub],
        ["url", place.dataset.url],
        ["log_key", place.dataset.vkey],
        ["statement_kid", keys[0].said.kid],
        ["client_kid", keys[1].said.kid],
      ];
      offer("statement", keys[0].pem);
      offer("client", keys[1].pem);
      offer("folder", members.map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`).join(""));
      document.getElementById("done").hidden = false;
      place.hidden = true;
    } catch (error) {
      refuse(error.name);
    }
  });
})();
