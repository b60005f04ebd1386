// Identifiers can be copied with one press. Without scripts, or without a clipboard, they can still be selected.

const words = document.querySelector("#copy-words")?.dataset;

function button(code) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button small copy";
  made.textContent = words.copy;
  made.setAttribute("aria-label", `${words.copy} ${code.textContent}`);
  made.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    made.textContent = words.copied;
    setTimeout(() => { made.textContent = words.copy; }, 2000);
  });
  return made;
}

if (words && navigator.clipboard) {
  for (const code of document.querySelectorAll("code[data-copy]")) (code.closest("a") ?? code).after(button(code));
}
