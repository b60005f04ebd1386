// Passkeys. A form with data-passkey="get" or "create" carries its options; on submit the browser asks for the passkey,
// the answer goes into the form's field "response", and the form is sent as any form is.

const fromB64u = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
const toB64u = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** Options as the server writes them (base64url text) to options as the browser wants them (bytes). */
function readOptions(text) {
  const options = JSON.parse(text);
  options.challenge = fromB64u(options.challenge);
  if (options.user) options.user.id = fromB64u(options.user.id);
  for (const list of [options.allowCredentials, options.excludeCredentials]) {
    for (const entry of list ?? []) entry.id = fromB64u(entry.id);
  }
  return options;
}

/** The browser's answer as text for the server (the JSON form of WebAuthn level 3). */
function writeAnswer(credential) {
  const answer = credential.response;
  const response = { clientDataJSON: toB64u(answer.clientDataJSON) };
  if (answer.attestationObject) {
    response.attestationObject = toB64u(answer.attestationObject);
  } else {
    response.authenticatorData = toB64u(answer.authenticatorData);
    response.signature = toB64u(answer.signature);
    if (answer.userHandle) response.userHandle = toB64u(answer.userHandle);
  }
  return JSON.stringify({ id: credential.id, rawId: toB64u(credential.rawId), type: credential.type, response });
}

async function ask(form) {
  const publicKey = readOptions(form.dataset.options);
  const ceremony = form.dataset.passkey === "create" ? "create" : "get";
  const credential = await navigator.credentials[ceremony]({ publicKey });
  form.elements.response.value = writeAnswer(credential);
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue; // the form stays hidden; the page offers another way
  form.hidden = false;
  const button = form.querySelector("button");
  const message = form.querySelector("[data-message]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    message.hidden = true;
    button.disabled = true;
    try {
      await ask(form);
      form.submit();
    } catch (error) {
      // None of the algorithms that we take (docs/spec/passkeys.md): trying again would not help her, these words do.
      const unsupported = error instanceof DOMException && error.name === "NotSupportedError";
      message.textContent = (unsupported && form.dataset.unsupported) || form.dataset.failed;
      message.hidden = false;
      button.disabled = false;
      button.focus();
    }
  });
}
