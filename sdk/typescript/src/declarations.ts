/** What participants declare, of no consent and no customer (docs/spec/ruleset-3.md, 1; partners.md, 1 and 3): members and form. */
import { checkAttest, checkWithdraw } from "./history.js";
import {
  type JsonObject, bad, checkChoice, checkMembers, getBytes, getCodes, getFlag, getInteger, getObject, getObjects, getText,
} from "./json.js";
import { CODE, COUNTRY, PARTICIPANT, REFERENCE } from "./words.js";

/** Act -> the members beside the common ones. */
export const DECLARED: Readonly<Record<string, readonly string[]>> = {
  "freeze.order": ["drill", "freeze_id", "from", "reason", "scope", "until"],
  "freeze.lift": ["freeze_id", "reason"],
  "assessment.require": ["requirement_id", "reason", "scope"],
  "assessment.waive": ["requirement_id", "reason"],
  "assessment.record": ["assessment_id", "document_hash", "method", "next_due", "outcome", "scope"],
  "risk.block": ["about", "level", "rule", "seconds"],
  "risk.unblock": ["reason", "rule"],
  "alert.decide": ["alert", "decision", "officer", "proposal", "proposal_reasons"],
  "incident.open": ["affected", "affected_consents", "class", "clocks", "detected_at", "incident_id", "severity", "text_hash"],
  "incident.update": ["incident_id", "text_hash", "told_customers", "told_participants"],
  "incident.close": ["incident_id", "reason", "text_hash"],
  "purpose.define": ["code", "permissions", "max_days", "max_frequency_per_day", "max_history_days", "max_retention_days"],
  "case.hand_over": ["basis", "disclosure", "handover_id", "pack_hash", "scope", "to"],
  "case.receive": ["handover", "pack_hash"],
  "attestation.give": ["attestation", "document_hash", "issuer", "kind", "valid_until"],
  "attestation.withdraw": ["attestation", "reason"],
  "map.publish": ["fields", "map", "map_hash", "map_version"],
  "tariff.offer": ["currency", "from", "lines", "recipient", "tariff", "utc_offset"],
  "tariff.accept": ["offer"],
  "tariff.end": ["from", "offer", "reason"],
  "usage.state": ["amounts", "count", "from", "left_out", "offer", "recipient", "replaces", "root", "to", "to_index", "total"],
  "usage.answer": ["answer", "disputed", "statement"],
  "history.attest": ["customers", "first", "history", "last", "left_out", "root", "rows", "sheets", "source", "title"],
  "history.withdraw": ["history", "reason"],
};
export const MAY_DECLARE: Readonly<Record<string, readonly string[]>> = {
  "alert.decide": ["comment_hash"],
  "incident.update": ["clock"],
};

const SCOPE: Readonly<Record<string, RegExp>> = {
  country: COUNTRY, holder: PARTICIPANT, permission: CODE, purpose: CODE, recipient: PARTICIPANT,
};
const DECISIONS = ["cleared", "confirmed", "escalated"];

/** Texts that are codes wherever a declaration has them. */
const CODES = ["freeze_id", "requirement_id", "assessment_id", "incident_id", "reason", "rule"];

/** The form of a declaration whose members are there. Throws Refuted. */
export function checkDeclaration(act: string, payload: JsonObject): void {
  for (const name of CODES) if (name in payload) getText(payload, name, 64, CODE);
  if ("text_hash" in payload) getBytes(payload, "text_hash", 32);
  FORMS[act]?.(payload);
}

function checkScope(value: JsonObject, name: string, without: readonly string[] = []): void {
  const scope = getObject(value, name);
  checkMembers(scope, [], Object.keys(SCOPE).filter((one) => !without.includes(one)));
  for (const member of Object.keys(scope)) getText(scope, member, 64, SCOPE[member]);
}

const rises = (numbers: readonly number[], strictly: boolean): boolean =>
  numbers.every((number, at) => at === 0 || (numbers[at - 1] as number) < number + (strictly ? 0 : 1));

function checkNamed(payload: JsonObject, name: string): number {
  const rows = getObjects(payload[name], name, 0, 100);
  const indexes = rows.map((row) => {
    checkMembers(row, ["index", "reason"]);
    getText(row, "reason", 64, CODE);
    return getInteger(row, "index");
  });
  if (!rises(indexes, true)) bad("the entries are not sorted, each once", name);
  return rows.length;
}

function checkLine(line: JsonObject): void {
  checkMembers(line, ["free", "tiers"], ["attended", "purpose", "resource", "rows_from", "rows_to"]);
  if ("attended" in line) getFlag(line, "attended");
  for (const name of ["purpose", "resource"]) if (name in line) getText(line, name, 64, CODE);
  const low = "rows_from" in line ? getInteger(line, "rows_from") : 0;
  if ("rows_to" in line) getInteger(line, "rows_to", low);
  getInteger(line, "free");
  const begins = getObjects(line["tiers"], "tiers", 1, 8).map((tier) => {
    checkMembers(tier, ["from", "price"]);
    getInteger(tier, "price", 0, 10 ** 12);
    return getInteger(tier, "from");
  });
  if (begins[0] !== 0 || !rises(begins, true)) bad("the tiers of a line begin at 0 and rise", "tiers");
}

function checkIncident(payload: JsonObject): void {
  checkScope(payload, "affected");
  getInteger(payload, "affected_consents");
  getText(payload, "class", 64, CODE);
  getInteger(payload, "detected_at", 0, getInteger(payload, "iat"));
  getInteger(payload, "severity", 1, 4);
  const clocks = getObjects(payload["clocks"], "clocks", 1, 6);
  for (const clock of clocks) checkMembers(clock, ["due", "name"]);
  const dues = clocks.map((clock) => getInteger(clock, "due"));
  const names = clocks.map((clock) => getText(clock, "name", 64, CODE));
  if (!rises(dues, false) || new Set(names).size !== names.length) bad("clocks are sorted by `due`, with different names", "clocks");
}

const signedAt = (payload: JsonObject): number => getInteger(payload, "iat");

const FORMS: Readonly<Record<string, (payload: JsonObject) => void>> = {
  "freeze.order": (payload) => {
    getFlag(payload, "drill");
    getInteger(payload, "from");
    checkScope(payload, "scope");
    getInteger(payload, "until", signedAt(payload) + 1, Math.min(signedAt(payload) + 7_776_000, Number.MAX_SAFE_INTEGER));
  },
  "assessment.require": (payload) => checkScope(payload, "scope", ["permission"]),
  "assessment.record": (payload) => {
    checkScope(payload, "scope", ["holder", "permission"]);
    getBytes(payload, "document_hash", 32);
    getText(payload, "method", 64, CODE);
    getInteger(payload, "next_due", signedAt(payload) + 1);
    checkChoice(payload, "outcome", ["acceptable", "acceptable-with-measures", "unacceptable"]);
  },
  "risk.block": (payload) => {
    checkChoice(payload, "about", ["consent", "recipient"]);
    getInteger(payload, "level", 0, 1_000);
    getInteger(payload, "seconds", 60, 2_592_000);
  },
  "alert.decide": (payload) => {
    getInteger(payload, "alert");
    if ("comment_hash" in payload) getBytes(payload, "comment_hash", 32);
    checkChoice(payload, "decision", DECISIONS);
    checkChoice(payload, "proposal", DECISIONS);
    getText(payload, "officer", 64, REFERENCE);
    getCodes(payload, "proposal_reasons", 0, 8, CODE);
  },
  "incident.open": checkIncident,
  "incident.update": (payload) => {
    if ("clock" in payload) getText(payload, "clock", 64, CODE);
    getInteger(payload, "told_customers");
    getInteger(payload, "told_participants");
  },
  "purpose.define": (payload) => {
    getText(payload, "code", 64, CODE);
    getCodes(payload, "permissions", 1, 64, CODE);
    for (const name of ["max_days", "max_history_days", "max_retention_days"]) getInteger(payload, name, 0, 36_500);
    getInteger(payload, "max_frequency_per_day", 0, 10_000);
  },
  "case.hand_over": (payload) => {
    getText(payload, "basis", 64, CODE);
    getInteger(payload, "disclosure");
    getText(payload, "handover_id", 64, CODE);
    getBytes(payload, "pack_hash", 32);
    checkScope(payload, "scope");
    getText(payload, "to", 63, PARTICIPANT);
  },
  "case.receive": (payload) => {
    getInteger(payload, "handover");
    getBytes(payload, "pack_hash", 32);
  },
  "attestation.give": (payload) => {
    getText(payload, "attestation", 64, CODE);
    getBytes(payload, "document_hash", 32);
    getText(payload, "issuer", 200);
    getText(payload, "kind", 64, CODE);
    getInteger(payload, "valid_until", signedAt(payload) + 1);
  },
  "attestation.withdraw": (payload) => void getText(payload, "attestation", 64, CODE),
  "map.publish": (payload) => {
    getInteger(payload, "fields");
    getText(payload, "map", 64, CODE);
    getBytes(payload, "map_hash", 32);
    getInteger(payload, "map_version", 1);
  },
  "tariff.offer": (payload) => {
    getText(payload, "currency", 3, /^[A-Z]{3}$/);
    getInteger(payload, "from");
    if (payload["recipient"] !== "") getText(payload, "recipient", 63, PARTICIPANT); // empty: for everybody
    getText(payload, "tariff", 64, CODE);
    getInteger(payload, "utc_offset", -840, 840);
    for (const line of getObjects(payload["lines"], "lines", 1, 16)) checkLine(line);
  },
  "tariff.accept": (payload) => void getInteger(payload, "offer"),
  "tariff.end": (payload) => {
    getInteger(payload, "from", signedAt(payload) + 1);
    getInteger(payload, "offer");
  },
  "usage.state": (payload) => {
    for (const amount of getObjects(payload["amounts"], "amounts", 1, 16)) {
      checkMembers(amount, ["amount", "count"]);
      getInteger(amount, "amount");
      getInteger(amount, "count");
    }
    for (const name of ["count", "from", "offer", "to", "to_index", "total"]) getInteger(payload, name);
    getText(payload, "recipient", 63, PARTICIPANT);
    getInteger(payload, "replaces", -1);
    getBytes(payload, "root", 32);
    checkNamed(payload, "left_out");
  },
  "usage.answer": (payload) => {
    getInteger(payload, "statement");
    checkChoice(payload, "answer", ["agreed", "disputed"]);
    if ((payload["answer"] === "agreed") !== (checkNamed(payload, "disputed") === 0)) {
      bad("entries are named exactly if the statement is disputed", "disputed");
    }
  },
  "history.attest": checkAttest,
  "history.withdraw": checkWithdraw,
};
