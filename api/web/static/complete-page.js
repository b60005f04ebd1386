// The page around complete.js: fetches each proof, checks it here, and says what came of it beside what the page shows.

const roots = document.querySelectorAll("[data-complete]");

async function check(root) {
  const { checkComplete } = await import(root.dataset.script);
  const answer = await fetch(root.dataset.complete, { headers: { accept: "*/*" } });
  if (!answer.ok) return { outcome: "unable" };
  const found = await checkComplete(await answer.text(), root.dataset.vkey, root.dataset.name);
  // The page was made earlier: it may know of entries above the index-head, never of fewer than are proved.
  return found.outcome === "complete" && found.count > Number(root.dataset.known) ? { outcome: "differs" } : found;
}

function show(root, found) {
  for (const box of root.querySelectorAll("[data-verdict]")) box.hidden = box.dataset.verdict !== found.outcome;
  const detail = root.querySelector("[data-detail]");
  detail.textContent = found.detail ?? "";
  for (const [name, value] of Object.entries(found)) {
    for (const place of root.querySelectorAll(`[data-value=${name}]`)) place.textContent = value;
  }
  for (const place of root.querySelectorAll("[data-partly]")) place.hidden = found.shown === found.count;
}

for (const root of roots) {
  const button = root.querySelector("button");
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      show(root, await check(root));
    } catch {
      show(root, { outcome: "unable" });
    }
    button.disabled = false;
  });
}
