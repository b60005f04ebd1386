// The browser's verifying script over the vectors, under Node: prints {file: {name: answer}} as JSON.
// Usage: node judge.mjs <path of verify.js> <folder of the vectors>

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [script, folder] = process.argv.slice(2);
const verify = await import(pathToFileURL(script).href);
const read = (name) => JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const utf8 = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Accepted or refused; anything but a refusal of the script's own is an error of this program. */
const accepts = async (work) => {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof verify.Refuted) return false;
    throw error;
  }
};
const over = async (rows, work) => {
  const answers = [];
  for (const row of rows) answers.push([row.name ?? "", await work(row)]);
  return answers;
};

const keyOf = (name) => /(?:^|")log (\S+?)(?=\\n|\s)/m.exec(readFileSync(`${folder}/policies/${name}`, "utf8"))[1];
const made = read("derivations");
const answers = {
  base64: await over(read("base64").cases, (row) =>
    accepts(() => (row.alphabet === "base64" ? verify.unb64 : verify.unb64u)(row.text))),
  "cl-json": await over(read("cl-json").cases, async (row) => {
    let text;
    try {
      text = strict.decode(unhex(row.hex));
    } catch {
      return false;
    }
    return accepts(() => verify.readCanonical(text));
  }),
  leaves: await over(made.leaves, async (row) => verify.b64u(await verify.leafHash(utf8.encode(row.leaf)))),
  commitments: await over(made.commitments, async (row) =>
    verify.b64u(await verify.commitment(utf8.encode(row.evidence), verify.unb64u(row.opening)))),
  inclusion: await over(read("merkle").proofs.filter((row) => row.kind === "inclusion"), (row) =>
    accepts(() => verify.verifyInclusion(
      BigInt(row.index), BigInt(row.size), unhex(row.leaf), row.path.map(unhex), unhex(row.root)))),
  notes: await over(read("notes").notes, (row) =>
    accepts(async () => {
      const { text } = await verify.openNote(row.note, [await verify.readVkey(row.vkey)]);
      verify.readCheckpoint(text);
    })),
  vkeys: await over(read("notes").vkeys, (row) => accepts(() => verify.readVkey(row.vkey))),
  receipts: await over(read("receipts").cases, async (row) =>
    (await verify.checkReceipt(row.receipt, keyOf(row.policy))).genuine),
};
const genuine = read("receipts").cases.find((row) => row.exit === 0 || row.exit === 3);
const padded = (size) => genuine.receipt + " ".repeat(size - utf8.encode(genuine.receipt).length);
const judged = async (text) => verify.checkReceipt(text, keyOf(genuine.policy));
answers.receipt_sizes = [
  ["fits", (await judged(padded(1_400_000))).genuine],
  ["too long", (await judged(padded(1_400_001))).genuine],
  ["too many bytes", (await judged(JSON.stringify({ ...JSON.parse(genuine.receipt), evidence: "\u4e2d".repeat(467_000) }))).outcome],
];
console.log(JSON.stringify(answers));
