// A page that shows how things are now is loaded again, while it is looked at and nobody is at one of its controls.

const every = Number(document.querySelector("[data-refresh]").dataset.refresh) * 1000;

function again() {
  const busy = document.hidden || document.activeElement?.closest("main form, main a, main summary");
  if (busy) setTimeout(again, 2000);
  else location.reload();
}

if (every > 0) setTimeout(again, every);
