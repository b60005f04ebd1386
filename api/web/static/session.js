// Warns two minutes before a session ends, and lets her stay; hides what is possible for some seconds only.

const WARNING = 120;
const dialog = document.querySelector("dialog[data-ends]");
let timers = [];

function begin(seconds) {
  for (const timer of timers) clearTimeout(timer);
  timers = [
    setTimeout(() => dialog.showModal(), Math.max(0, seconds - WARNING) * 1000),
    setTimeout(over, seconds * 1000),
  ];
}

function over() {
  dialog.querySelector("[data-ending-open]").hidden = true;
  dialog.querySelector("[data-ending-over]").hidden = false;
  dialog.querySelector("form").hidden = true;
  if (!dialog.open) dialog.showModal();
}

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const answer = await fetch("/stay", { method: "POST", body: new URLSearchParams(new FormData(event.target)) });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    begin((await answer.json()).seconds);
    dialog.close();
  } catch {
    over();
  }
});
begin(Number(dialog.dataset.ends));

for (const brief of document.querySelectorAll("[data-for-seconds]")) {
  setTimeout(() => {
    brief.hidden = true;
  }, Number(brief.dataset.forSeconds) * 1000);
}
