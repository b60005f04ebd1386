/** Attested history: what a holder brings from before the log (docs/spec/history.md, 1 to 3): the form of its three acts. */
import {
  type JsonObject, bad, canonical, checkChoice, checkMembers, getBytes, getFlag, getInteger, getObject, getObjects, getText,
  getTexts, isSorted,
} from "./json.js";
import { CODE, PARTICIPANT, REFERENCE } from "./words.js";

const SHEET_LIMIT = 8_192;
const LAST_SECOND = 9_999_999_999;
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  csv: ["files", "hash", "kind"],
  qldb: [
    "checked", "files", "first_block", "hash", "kind", "last_block", "mapping_hash", "redacted", "revisions", "strand", "tip",
  ],
};
const ALL = ["kind", "place", "time"];
const SAID = ["consent", "note", "permissions", "purpose", "recipient_id"];
const ROWS: Readonly<Record<string, readonly string[]>> = {
  access: [...SAID, "reason", "result"],
  consent: [...SAID, "until"],
  redacted: [],
  revocation: [...SAID, "reason"],
};

/** The form of a `history.attest` whose members are there. Throws Refuted. */
export function checkAttest(payload: JsonObject): void {
  const [first, last] = [getInteger(payload, "first"), getInteger(payload, "last")];
  if (first > last || last > getInteger(payload, "iat")) bad("a history ends before it is attested", "last");
  const [customers, sheets, rows] = [getInteger(payload, "customers", 1), getInteger(payload, "sheets"), getInteger(payload, "rows")];
  if (customers > sheets || sheets > rows) bad("there are as many sheets as customers or more, and as many rows", "sheets");
  getInteger(payload, "left_out");
  getText(payload, "history", 64, CODE);
  getText(payload, "title", 200);
  getBytes(payload, "root", 32);
  checkSource(getObject(payload, "source"));
}

function checkSource(source: JsonObject): void {
  checkChoice(source, "kind", Object.keys(SOURCES));
  checkMembers(source, SOURCES[source["kind"] as string] as readonly string[]);
  getInteger(source, "files", 1);
  getBytes(source, "hash", 32);
  if (source["kind"] === "csv") return;
  getFlag(source, "checked");
  getInteger(source, "last_block", getInteger(source, "first_block"));
  getInteger(source, "revisions", getInteger(source, "redacted"));
  for (const name of ["mapping_hash", "tip"]) getBytes(source, name, 32);
  getText(source, "strand", 64, CODE);
}

/** The form of a `history.withdraw`. Throws Refuted. */
export function checkWithdraw(payload: JsonObject): void {
  for (const name of ["history", "reason"]) getText(payload, name, 64, CODE);
}

/** The form of a `history.sheet`. Throws Refuted. */
export function checkSheet(payload: JsonObject): void {
  getInteger(payload, "history");
  for (const hash of getTexts(payload, "path", 0, 63)) getBytes({ hash }, "hash", 32);
  const sheet = getObject(payload, "sheet");
  checkMembers(sheet, ["part", "parts", "position", "rows", "salt", "subject"]);
  if (getInteger(sheet, "part") >= getInteger(sheet, "parts", 1)) bad("part is below parts", "part");
  getInteger(sheet, "position");
  getBytes(sheet, "salt", 32);
  getText(sheet, "subject", 64, REFERENCE);
  const times = getObjects(sheet["rows"], "rows", 1, 64).map(checkRow);
  if (times.some((time, at) => time < (times[at - 1] ?? 0))) bad("the time of the rows never falls", "rows");
  if (canonical(sheet).length > SHEET_LIMIT) bad(`a sheet has at most ${SHEET_LIMIT} bytes`, "sheet");
}

function checkRow(row: JsonObject): number {
  checkChoice(row, "kind", Object.keys(ROWS));
  const redacted = row["kind"] === "redacted";
  checkMembers(row, redacted ? ALL : [...ALL, "recipient"], ROWS[row["kind"] as string]);
  for (const name of ["consent", "note", "purpose", "reason", "recipient"]) if (name in row) getText(row, name, 200);
  if ("recipient_id" in row) getText(row, "recipient_id", 63, PARTICIPANT);
  if ("result" in row) checkChoice(row, "result", ["allowed", "refused"]);
  if ("permissions" in row) {
    const permissions = getTexts(row, "permissions", 1, 32);
    for (const permission of permissions) getText({ permission }, "permission", 200);
    if (!isSorted(permissions)) bad("the list is not sorted and unique", "permissions");
  }
  if ("until" in row) getInteger(row, "until", 1, LAST_SECOND);
  checkPlace(getObject(row, "place"), redacted);
  return getInteger(row, "time", 1, LAST_SECOND);
}

function checkPlace(place: JsonObject, redacted: boolean): void {
  if (!redacted && !("block" in place)) {
    checkMembers(place, ["file", "record"]);
    getInteger(place, "file");
    getInteger(place, "record", 1);
    return;
  }
  checkMembers(place, ["block", "document", "hash", "version"]); // only a journal has redacted rows
  for (const name of ["block", "version"]) getInteger(place, name);
  getText(place, "document", 64, CODE);
  getBytes(place, "hash", 32);
}
