/**
 * JSON that has one meaning: `JSON.parse` keeps the last of two members of one name and reads `1.0` as `1`, so that two
 * readers of the same bytes could see two different things (docs/spec/encoding.md).
 */
import { type Bytes, compareBytes, equal, textOf, unb64u, utf8 } from "./bytes.js";
import { CannotCheck, refuse } from "./errors.js";

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

export const MAX_DEPTH = 8;
const DEEPEST = 100;
const NAME = /^[a-z_][a-z0-9_]*$/;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

export const bad = (message: string, field?: string): never => refuse("BAD_ENCODING", message, field);

class Parser {
  private at = 0;
  constructor(private readonly text: string) {}

  whole(): Json {
    const value = this.value(1);
    this.space();
    return this.at === this.text.length ? value : bad("something stands behind the JSON value");
  }

  private space(): void {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at += 1;
  }

  private value(depth: number): Json {
    this.space();
    if (depth > DEEPEST) bad("nested too deeply");
    const first = this.text[this.at];
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array(depth);
    if (first === '"') return this.string();
    for (const [word, value] of [["true", true], ["false", false], ["null", null]] as const) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  private number(): number {
    const [token] = /^-?[0-9][0-9.eE+-]*/.exec(this.text.slice(this.at, this.at + 40)) ?? bad("not JSON");
    if (!/^-?(0|[1-9][0-9]*)$/.test(token)) bad("a number is not an integer in its one spelling");
    const number = Number(token);
    if (!Number.isSafeInteger(number)) bad("an integer is too large");
    this.at += token.length;
    return number === 0 ? 0 : number;
  }

  private string(): string {
    const pattern = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    pattern.lastIndex = this.at;
    const [token] = pattern.exec(this.text) ?? bad("not a JSON string");
    this.at += token.length;
    const value = JSON.parse(token) as string;
    return LONE.test(value) ? bad("a string holds a lone surrogate") : value;
  }

  private array(depth: number): Json[] {
    const items: Json[] = [];
    this.at += 1;
    this.space();
    if (this.take("]")) return items;
    do items.push(this.value(depth + 1));
    while (this.more("]"));
    return items;
  }

  private object(depth: number): JsonObject {
    const members = Object.create(null) as JsonObject;
    this.at += 1;
    this.space();
    if (this.take("}")) return members;
    do {
      this.space();
      if (this.text[this.at] !== '"') bad("a member has no name");
      const name = this.string();
      if (name in members) bad("a member name occurs twice", name);
      this.space();
      if (!this.take(":")) bad("a member has no value", name);
      members[name] = this.value(depth + 1);
    } while (this.more("}"));
    return members;
  }

  private more(end: string): boolean {
    this.space();
    if (this.take(",")) return true;
    return this.take(end) ? false : bad("not JSON");
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }
}

/** One JSON object in any spelling, of at most `limit` bytes. Throws Refuted. */
export function readJson(bytes: Uint8Array, limit: number): JsonObject {
  if (bytes.length > limit) bad(`more than ${limit} bytes`);
  const value = new Parser(textOf(bytes)).whole();
  return isObject(value) ? value : bad("not a JSON object");
}

/** CL-JSON of at most `limit` bytes: accepted only if encoding the value gives the same bytes. Throws Refuted. */
export function readCanonical(bytes: Uint8Array, limit: number): JsonObject {
  const value = readJson(bytes, limit);
  return equal(canonical(value), bytes) ? value : bad("the bytes are not the canonical spelling");
}

/** The CL-JSON bytes of an object. Throws Refuted when it has none: a fraction, a control character, a ninth level. */
export function canonical(value: JsonObject): Bytes {
  return isObject(value) ? utf8(spell(value, 1)) : bad("CL-JSON encodes an object");
}

function spell(value: Json, depth: number): string {
  if (typeof value === "string") {
    if (CONTROL.test(value)) bad("a string holds a control character");
    return LONE.test(value) ? bad("a string holds a lone surrogate") : JSON.stringify(value);
  }
  if (typeof value === "number") {
    return Number.isSafeInteger(value) ? String(value === 0 ? 0 : value) : bad("a number is not a safe integer");
  }
  if (value === null || typeof value === "boolean") return String(value);
  if (depth > MAX_DEPTH) bad(`nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return `[${value.map((item) => spell(item, depth + 1)).join(",")}]`;
  if (!isObject(value)) bad("a value has no CL-JSON form");
  const members = Object.keys(value).sort().map((name) => {
    if (!NAME.test(name)) bad("a member name has a form that is not allowed", name);
    return `"${name}":${spell(value[name] as Json, depth + 1)}`;
  });
  return `{${members.join(",")}}`;
}

export const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === "object" && !Array.isArray(value);

// -- members ----------------------------------------------------------------------------------------------------------

/** Exactly the `required` members, and none but those and the `optional` ones. Throws Refuted. */
export function checkMembers(value: JsonObject, required: readonly string[], optional: readonly string[] = []): void {
  for (const name of required) if (!(name in value)) bad("a member is missing", name);
  for (const name of Object.keys(value)) {
    if (!required.includes(name) && !optional.includes(name)) bad("an unknown member", name);
  }
}

/** A text of 1 to `limit` characters that matches `pattern`. Throws Refuted. */
export function getText(value: JsonObject, name: string, limit: number, pattern?: RegExp): string {
  const text = value[name];
  if (typeof text !== "string" || text === "" || [...text].length > limit || (pattern && !pattern.test(text))) {
    return bad("not a text of the expected form", name);
  }
  return text;
}

export function getInteger(value: JsonObject, name: string, low = 0, high = Number.MAX_SAFE_INTEGER): number {
  const number = value[name];
  return typeof number === "number" && number >= low && number <= high
    ? number
    : bad(`not an integer from ${low} to ${high}`, name);
}

export function getFlag(value: JsonObject, name: string): boolean {
  const flag = value[name];
  return typeof flag === "boolean" ? flag : bad("not true or false", name);
}

export function getObject(value: JsonObject, name: string): JsonObject {
  const inner = value[name];
  return isObject(inner) ? inner : bad("not an object", name);
}

export function getTexts(value: JsonObject, name: string, low: number, high: number): string[] {
  const items = value[name];
  if (!Array.isArray(items) || items.length < low || items.length > high) bad(`not a list of ${low} to ${high} texts`, name);
  return (items as Json[]).map((item) => (typeof item === "string" ? item : bad("an item is not a text", name)));
}

/** A text member that is one of a few. Throws Refuted. */
export function checkChoice(value: JsonObject, name: string, choices: readonly string[]): void {
  if (!choices.includes(getText(value, name, 64))) bad("not one of the words that are allowed here", name);
}

/** A list member of `low` to `high` objects. Throws Refuted. */
export function getObjects(rows: Json | undefined, name: string, low: number, high: number): JsonObject[] {
  if (!Array.isArray(rows) || rows.length < low || rows.length > high || !rows.every(isObject)) {
    return bad(`not a list of ${low} to ${high} objects`, name);
  }
  return rows;
}

/** `v` of a format, to be asked before anything else in it. Throws CannotCheck for a version that is not known. */
export function checkVersion(value: JsonObject, what: string): void {
  const number = getInteger(value, "v", 1);
  if (number !== 1) throw new CannotCheck(`${what} is of version ${number}, and version 1 is known here`);
}

/** A base64url member of `low` (to `high`) bytes. Throws Refuted. */
export function getBytes(value: JsonObject, name: string, low: number, high = low): Bytes {
  const text = value[name];
  const bytes = typeof text === "string" ? unb64u(text) : bad("not a base64url text", name);
  return bytes.length < low || bytes.length > high ? bad("a wrong number of bytes", name) : bytes;
}

/** Whether texts are sorted by code points, each once. */
export const isSorted = (texts: readonly string[]): boolean =>
  texts.every((text, at) => at === 0 || compareBytes(utf8(texts[at - 1] as string), utf8(text)) < 0);

/** A list member of `low` to `high` texts of one form, sorted, each once. Throws Refuted. */
export function getCodes(value: JsonObject, name: string, low: number, high: number, pattern: RegExp): void {
  const texts = getTexts(value, name, low, high);
  if (!isSorted(texts)) bad("the list is not sorted and unique", name);
  if (!texts.every((text) => pattern.test(text))) bad("not of the expected form", name);
}
