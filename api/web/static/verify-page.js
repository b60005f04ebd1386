// The page around verify.js: takes a file, shows each step.

import { checkReceipt } from "./verify.js";

const root = document.querySelector("[data-verify]");
const drop = root.querySelector("[data-drop]");
const steps = root.querySelector(".steps");
const content = root.querySelector("[data-content]");

function show(verdict, result) {
  for (const box of root.querySelectorAll("[data-verdict]")) box.hidden = box.dataset.verdict !== verdict;
  steps.hidden = !result || verdict === "nothing";
  content.hidden = !result?.content;
  if (!result) return;
  for (const { step, outcome, detail } of result.steps) {
    const item = steps.querySelector(`[data-step=${step}]`);
    item.className = outcome;
    item.querySelector("[data-word]").textContent = root.dataset[outcome];
    item.querySelector("[data-detail]").textContent = detail;
    for (const mark of item.querySelectorAll("[data-mark]")) mark.hidden = mark.dataset.mark !== outcome;
  }
  if (result.content) content.querySelector("pre").textContent = readable(result.content);
}

/** What the statements say, instead of how they are signed; invisible characters are made visible. */
function readable(evidence) {
  const says = evidence.statements.map((statement) => {
    const padded = statement.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  });
  const text = JSON.stringify({ act: evidence.act, outcome: evidence.outcome, says }, null, 2);
  return text.replace(/\p{Cf}/gu, "\ufffd");
}

async function check(text) {
  try {
    const result = await checkReceipt(text, root.dataset.vkey);
    show({ genuine: "good", altered: "bad", foreign: "foreign", nothing: "nothing" }[result.outcome], result);
  } catch {
    show("unable", null);
  }
}

async function checkFile(file) {
  if (file) await check(await file.text());
}

root.hidden = false;
document.querySelector("[data-needs]").hidden = true; // «scripts are needed» is said until one runs
root.querySelector("#file").addEventListener("change", (event) => checkFile(event.target.files[0]));
root.querySelector("#file").addEventListener("click", (event) => {
  event.target.value = ""; // choosing the same file again checks it again
});
for (const type of ["dragenter", "dragover"]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  checkFile(event.dataTransfer.files[0]);
});
root.querySelector("[data-receipt]")?.addEventListener("click", async (event) => {
  const answer = await fetch(event.target.closest("button").dataset.receipt, { headers: { accept: "*/*" } });
  if (answer.ok) await check(await answer.text());
  else show("unable", null);
});
