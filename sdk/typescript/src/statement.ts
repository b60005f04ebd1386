/** Statements: what participants sign, in exactly one form (docs/spec/statements.md). */
import { type Bytes, b64u, tagged, unb64u, utf8 } from "./bytes.js";
import { DECLARED, MAY_DECLARE, checkDeclaration } from "./declarations.js";
import { refuse } from "./errors.js";
import { checkSheet } from "./history.js";
import {
  type Json, type JsonObject, bad, canonical, checkChoice, checkMembers, checkVersion, getBytes, getCodes, getFlag, getInteger,
  getObject, getObjects, getText, getTexts, isObject, isSorted, readCanonical,
} from "./json.js";
import { type Algorithm, type PublicKey, checkCoseKey } from "./keys.js";
import { CODE, CONSENT_ID, COUNTRY, INTERACTION, PARTICIPANT, REFERENCE } from "./words.js";

export const STATEMENT_LIMIT = 16_384;
export const ITEM_LIMIT = 8_192;
export const SKEW_SECONDS = 300;
const TYPE = "consent-statement+jwt";

const LANGUAGE = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/;
const KID = /^[A-Za-z0-9._-]{1,64}$/;
const BY = ["customer", "guardian", "court", "holder", "recipient", "system"];

const COMMON = ["act", "aud", "iat", "iss", "jti", "v"];
export const ITEM = [
  "accounts", "consent_id", "customer_present", "from", "interaction_id", "permissions", "purpose", "request_digest", "to",
];
const LEG = ["consent_id", "interaction_id", "basis", "rows", "bytes", "digest"];
const ENDING = ["consent_id", "reason", "by"];

/** Act -> the members beside the common ones. */
export const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  "consent.request": ["consent_id", "terms"],
  "consent.authorise": ["consent_id", "version", "terms_hash", "accounts", "authoriser", "subject", "sca"],
  "consent.reject": ENDING,
  "consent.suspend": ENDING,
  "consent.resume": ENDING,
  "consent.pause": ENDING,
  "consent.revoke": ENDING,
  "consent.terminate": ENDING,
  "consent.amend": ["consent_id", "previous_version", "terms"],
  "consent.withdraw_accounts": [...ENDING, "accounts"],
  "consent.withdraw_approval": [...ENDING, "authoriser"],
  "consent.withdraw_separate": [...ENDING, "separate"],
  "consent.reauthenticate": ["consent_id", "sca"],
  "consent.reconfirm": ENDING,
  "consent.supersede": [...ENDING, "superseded_by"],
  "consent.acknowledge": ["consent_id", "basis"],
  "access.request": ITEM,
  "access.batch": ["items_count", "items_root"],
  "access.release": LEG,
  "access.receive": LEG,
  "subject.consent": ["consent_id", "subject"],
  "subject.enrol": ["subject", "credential_id", "public_key", "rp_id", "sca"],
  "subject.unenrol": ["subject", "credential_id", "reason"],
  "subject.feedback": ["about", "consent_id", "due", "kind", "number", "subject"],
  "subject.answer": ["by", "number", "state", "subject"],
  "history.sheet": ["history", "path", "sheet"],
  ...DECLARED,
};
const OPTIONAL: Readonly<Record<string, readonly string[]>> = {
  "consent.authorise": ["acting_role", "joint_accounts", "separate_consents"],
  "access.request": ["asserted", "region", "relayed"],
  "access.release": ["masks"],
  "access.batch": ["relayed"],
  "subject.consent": ["suppress_notify"],
  "subject.feedback": ["text_hash"],
  "subject.answer": ["text_hash"],
  ...MAY_DECLARE,
};
const ASSERTED = [
  "SOFTWARE_INACTIVE", "SOFTWARE_REMOVED", "CERT_MISSING", "CERT_INVALID", "CERT_EXPIRED", "CERT_REVOKED", "TOKEN_MISSING",
  "TOKEN_INVALID", "TOKEN_BINDING_MISMATCH", "TOKEN_EXPIRED", "TOKEN_REVOKED", "SCOPE_INSUFFICIENT", "TOKEN_CONSENT_MISMATCH",
  "RECIPIENT_NOT_NAMED", "REGION_NOT_CONSENTED", "ACCOUNT_CLOSED", "ACCOUNT_BLOCKED", "FILTER_EXCEEDED", "RATE_LIMITED",
  "LOW_VELOCITY_LIMIT", "RISK_BLOCKED", "HOLDER_UNAVAILABLE",
];

/** A JWS whose form is right; neither signature nor payload have been looked at. */
export interface Envelope {
  readonly alg: Algorithm;
  readonly kid: string;
  readonly signed: Bytes;
  readonly payload: Bytes;
  readonly signature: Bytes;
}

/** Split a statement. Throws Refuted: BAD_ENCODING for the spelling, BAD_SIGNATURE for any header but ours. */
export function readEnvelope(jws: string): Envelope {
  if (jws.length > STATEMENT_LIMIT) bad("the statement is too long", "statement");
  const found = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/.exec(jws);
  if (!found) return bad("not a compact JWS", "statement");
  const [, top, body, signature] = found as unknown as [string, string, string, string];
  const header = readCanonical(unb64u(top), STATEMENT_LIMIT);
  const { alg, kid, typ } = header;
  if (Object.keys(header).length !== 3 || typ !== TYPE || !["EdDSA", "ES256", "PS256", "SM2"].includes(String(alg))) {
    refuse("BAD_SIGNATURE", "the header is not that of a statement");
  }
  if (typeof kid !== "string" || !KID.test(kid)) return refuse("BAD_SIGNATURE", "the key id has a form that is not allowed");
  return { alg: alg as Algorithm, kid, signed: utf8(`${top}.${body}`), payload: unb64u(body), signature: unb64u(signature) };
}

/** The signature verifies under `key`, the one registered for the envelope's `kid`. Throws Refuted. */
export async function verifyEnvelope(envelope: Envelope, key: PublicKey): Promise<void> {
  if (envelope.alg !== key.alg) refuse("BAD_SIGNATURE", "the statement names another algorithm than its key is for");
  await key.verify(envelope.signed, envelope.signature);
}

/** Read the payload of a statement for the log `origin`, with the members of its act. Throws Refuted, CannotCheck. */
export function readPayload(bytes: Uint8Array, origin: string): JsonObject {
  const payload = readCanonical(bytes, STATEMENT_LIMIT);
  checkVersion(payload, "the statement");
  getBytes(payload, "jti", 16);
  getText(payload, "iss", 63, PARTICIPANT);
  const act = getText(payload, "act", 64);
  checkAct(act, payload);
  if (payload["aud"] !== origin) refuse("BAD_SIGNATURE", "the statement was made for another log", "aud");
  getInteger(payload, "iat");
  return payload;
}

function checkAct(act: string, payload: JsonObject): void {
  const members = Object.hasOwn(MEMBERS, act) ? (MEMBERS[act] as readonly string[]) : bad("an unknown act", "act");
  checkMembers(payload, [...members, ...COMMON], [...(OPTIONAL[act] ?? []), "on_behalf_of"]);
  checkOptional(payload);
  if (act === "access.request") return checkItem(payload);
  if (Object.hasOwn(DECLARED, act)) return checkDeclaration(act, payload);
  if (members.includes("consent_id")) getText(payload, "consent_id", 128, CONSENT_ID);
  (FORMS[act] ?? checkEnding)(payload);
}

function checkOptional(payload: JsonObject): void {
  for (const name of ["relayed", "suppress_notify"]) {
    if (name in payload && payload[name] !== true) bad("true or absent", name);
  }
  if ("on_behalf_of" in payload && getText(payload, "on_behalf_of", 63, PARTICIPANT) === payload["iss"]) {
    bad("the signer acts for itself", "on_behalf_of");
  }
  if ("asserted" in payload) {
    const asserted = getTexts(payload, "asserted", 1, 8);
    const known = ASSERTED.filter((code) => asserted.includes(code));
    if (!("relayed" in payload) || asserted.join() !== known.join()) {
      bad("asserted reasons are known ones in their order, in a relayed request", "asserted");
    }
  }
}

/** The members of an access item, but not their number. Throws Refuted. */
export function checkItem(item: JsonObject): void {
  getText(item, "consent_id", 128, CONSENT_ID);
  checkReferences(item, "accounts", 0);
  getFlag(item, "customer_present");
  getInteger(item, "from");
  getInteger(item, "to");
  getText(item, "interaction_id", 64, INTERACTION);
  getCodes(item, "permissions", 1, 64, CODE);
  getText(item, "purpose", 64, CODE);
  getBytes(item, "request_digest", 32);
  if ("region" in item) getText(item, "region", 2, COUNTRY);
}

function checkReferences(payload: JsonObject, name: string, low: number): void {
  const texts = getTexts(payload, name, low, 100);
  if (!isSorted(texts)) bad("the list is not sorted and unique", name);
  if (!texts.every((text) => REFERENCE.test(text))) bad("not a reference", name);
}

const TERMS = [
  "authorisers_required", "expires_at", "frequency_per_day", "grade", "history_from", "history_to", "holder", "language",
  "notice_hash", "once", "permissions", "purpose", "recipient", "retention_days", "separate_consents", "standard",
  "standard_version", "starts_at",
];
const LATER_TERMS = [
  "destinations", "details_hash", "filters", "frequency_period", "once_seconds", "reauthenticate_days", "reconfirm_days", "utc_offset",
];

/** Terms of any values in their one form (docs/spec/consents.md). Throws Refuted. */
export function checkTerms(terms: JsonObject): void {
  checkMembers(terms, TERMS, LATER_TERMS);
  const purpose = getObject(terms, "purpose");
  checkMembers(purpose, ["code", "text"]);
  getText(purpose, "text", 200);
  getText(purpose, "code", 64, CODE);
  getText(terms, "language", 35, LANGUAGE);
  getBytes(terms, "notice_hash", 32);
  getText(terms, "standard", 64, CODE);
  getText(terms, "standard_version", 64, CODE);
  if ("details_hash" in terms) getBytes(terms, "details_hash", 32);
  getText(terms, "holder", 63, PARTICIPANT);
  getText(terms, "recipient", 63, PARTICIPANT);
  getCodes(terms, "permissions", 1, 64, CODE);
  getInteger(terms, "grade", 1, 5);
  getFlag(terms, "once");
  for (const name of ["starts_at", "expires_at", "history_from", "history_to"]) getInteger(terms, name);
  getInteger(terms, "frequency_per_day", 0, 10_000);
  getInteger(terms, "authorisers_required", 1, 10);
  getInteger(terms, "retention_days", 0, 36_500);
  getCodes(terms, "separate_consents", 0, 8, CODE);
  if ("filters" in terms) checkFilters(terms["filters"] as Json);
  if ("reauthenticate_days" in terms) getInteger(terms, "reauthenticate_days", 1, 3_650);
  if ("reconfirm_days" in terms) getInteger(terms, "reconfirm_days", 1, 3_650);
  if ("utc_offset" in terms) getInteger(terms, "utc_offset", -840, 840);
  if ("once_seconds" in terms) getInteger(terms, "once_seconds", 1, 2_592_000);
  if ("frequency_period" in terms) checkChoice(terms, "frequency_period", ["hour", "day", "month", "year"]);
  if ("destinations" in terms) checkDestinations(terms["destinations"] as Json);
}

function checkDestinations(rows: Json): void {
  const countries = getObjects(rows, "destinations", 1, 32).map((row) => {
    checkMembers(row, ["country", "mechanism"]);
    getText(row, "mechanism", 64, CODE);
    return getText(row, "country", 2, COUNTRY);
  });
  if (!isSorted(countries)) bad("the list is not sorted and unique", "destinations");
}

function checkFilters(rows: Json): void {
  if (!Array.isArray(rows) || rows.length < 1 || rows.length > 8 || !rows.every(isObject)) {
    return bad("1 to 8 objects are expected", "filters");
  }
  const spelled = rows.map((row) => new TextDecoder().decode(canonical(row)));
  for (const row of rows) {
    checkMembers(row, ["field", "op", "value"]);
    getText(row, "field", 64, CODE);
    getText(row, "op", 2, /^(eq|ge|gt|in|le|lt|ne)$/);
    getText(row, "value", 200);
  }
  if (!isSorted(spelled)) bad("the list is not sorted and unique", "filters");
}

function checkSeparate(rows: Json): void {
  if (!Array.isArray(rows) || rows.length < 1 || rows.length > 8 || !rows.every(isObject)) {
    return bad("1 to 8 objects are expected", "separate_consents");
  }
  const kinds = rows.map((row) => {
    checkMembers(row, ["given_at", "kind", "text_hash"]);
    getInteger(row, "given_at");
    getBytes(row, "text_hash", 32);
    return getText(row, "kind", 64, CODE);
  });
  if (!isSorted(kinds)) bad("not sorted by kind, each once", "separate_consents");
}

function checkSca(payload: JsonObject): void {
  const sca = getObject(payload, "sca");
  checkMembers(sca, ["acr", "amr", "at"]);
  getText(sca, "acr", 64, CODE);
  if (!getTexts(sca, "amr", 0, 8).every((text) => CODE.test(text))) bad("not a code", "amr");
  if (getInteger(sca, "at") > getInteger(payload, "iat") + SKEW_SECONDS) {
    refuse("TIME_INVALID", "the customer was authenticated after the statement was made", "sca.at");
  }
}

function checkEnding(payload: JsonObject): void {
  getText(payload, "reason", 64, CODE);
  if (!BY.includes(getText(payload, "by", 16))) bad("in an unknown name", "by");
}

function checkLeg(payload: JsonObject): void {
  getText(payload, "interaction_id", 64, INTERACTION);
  for (const name of ["basis", "rows", "bytes"]) getInteger(payload, name);
  getBytes(payload, "digest", 32);
  if ("masks" in payload) getCodes(payload, "masks", 0, 16, CODE);
}

const FORMS: Readonly<Record<string, (payload: JsonObject) => void>> = {
  "consent.request": (payload) => checkTerms(getObject(payload, "terms")),
  "consent.amend": (payload) => {
    checkTerms(getObject(payload, "terms"));
    getInteger(payload, "previous_version", 1);
  },
  "consent.authorise": (payload) => {
    getInteger(payload, "version", 1);
    getBytes(payload, "terms_hash", 32);
    checkReferences(payload, "accounts", 1);
    getText(payload, "authoriser", 64, REFERENCE);
    getText(payload, "subject", 64, REFERENCE);
    checkSca(payload);
    if ("acting_role" in payload) getText(payload, "acting_role", 64, CODE);
    if ("joint_accounts" in payload) {
      checkReferences(payload, "joint_accounts", 1);
      const all = getTexts(payload, "accounts", 1, 100);
      if (!getTexts(payload, "joint_accounts", 1, 100).every((one) => all.includes(one))) {
        bad("a joint account is not among the accounts", "joint_accounts");
      }
    }
    if ("separate_consents" in payload) checkSeparate(payload["separate_consents"] as Json);
  },
  "consent.withdraw_accounts": (payload) => {
    checkReferences(payload, "accounts", 1);
    checkEnding(payload);
  },
  "consent.withdraw_approval": (payload) => {
    getText(payload, "authoriser", 64, REFERENCE);
    checkEnding(payload);
  },
  "consent.withdraw_separate": (payload) => {
    getText(payload, "separate", 64, CODE);
    checkEnding(payload);
  },
  "consent.supersede": (payload) => {
    getText(payload, "superseded_by", 128, CONSENT_ID);
    checkEnding(payload);
  },
  "consent.reauthenticate": checkSca,
  "consent.acknowledge": (payload) => void getInteger(payload, "basis"),
  "access.release": checkLeg,
  "access.receive": checkLeg,
  "access.batch": (payload) => {
    getInteger(payload, "items_count", 1, 1_000);
    getBytes(payload, "items_root", 32);
  },
  "subject.consent": (payload) => void getText(payload, "subject", 64, REFERENCE),
  "subject.enrol": (payload) => {
    getText(payload, "subject", 64, REFERENCE);
    getBytes(payload, "credential_id", 16, 1_023);
    const key = getBytes(payload, "public_key", 1, 1_024);
    try {
      checkCoseKey(key);
    } catch {
      bad("not a COSE key that can be used", "public_key");
    }
    getText(payload, "rp_id", 253);
    checkSca(payload);
  },
  "subject.unenrol": (payload) => {
    getText(payload, "subject", 64, REFERENCE);
    getBytes(payload, "credential_id", 16, 1_023);
    getText(payload, "reason", 64, CODE);
  },
  "subject.feedback": (payload) => {
    getText(payload, "subject", 64, REFERENCE);
    getInteger(payload, "about", -1);
    getInteger(payload, "due", getInteger(payload, "iat") + 1);
    checkChoice(payload, "kind", ["unexpected", "after-stop", "other"]);
    getText(payload, "number", 64, CODE);
    if ("text_hash" in payload) getBytes(payload, "text_hash", 32);
  },
  "subject.answer": (payload) => {
    getText(payload, "subject", 64, REFERENCE);
    checkChoice(payload, "by", ["holder", "recipient"]);
    checkChoice(payload, "state", ["received", "forwarded", "answered", "closed"]);
    getText(payload, "number", 64, CODE);
    if ("text_hash" in payload) getBytes(payload, "text_hash", 32);
  },
  "history.sheet": checkSheet,
};

/** Signs for one registered key, wherever the key is kept. */
export interface Signer {
  readonly kid: string;
  readonly alg: Algorithm;
  /** The public members that a registration takes. */
  readonly jwk: Readonly<Record<string, string>>;
  /** The raw signature of JWS: for ES256, 64 bytes r and s. */
  sign(message: Bytes): Promise<Uint8Array>;
}

/** The compact JWS of a statement. Throws Refuted when the ledger would refuse its form. */
export async function signStatement(signer: Signer, payload: JsonObject): Promise<string> {
  const bytes = canonical(payload);
  readPayload(bytes, String(payload["aud"]));
  const signed = `${b64u(canonical({ alg: signer.alg, kid: signer.kid, typ: TYPE }))}.${b64u(bytes)}`;
  return `${signed}.${b64u(await signer.sign(utf8(signed)))}`;
}

/** What an authorisation names the terms by. */
export const termsHash = async (terms: JsonObject): Promise<string> => b64u(await tagged("terms", canonical(terms)));

/** A statement that one knows the key of: form, header, signature, payload, in this order. Throws Refuted, CannotCheck. */
export async function verifyStatement(jws: string, kid: string, key: PublicKey, origin: string): Promise<JsonObject> {
  const envelope = readEnvelope(jws);
  if (envelope.kid !== kid) refuse("BAD_SIGNATURE", `the statement names the key ${envelope.kid}`, "kid");
  await verifyEnvelope(envelope, key);
  return readPayload(envelope.payload, origin);
}
