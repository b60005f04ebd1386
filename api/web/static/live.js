// Live updates: new entries of one connection appear at the top of its list while the page is looked at.
// Without this script the page says that it can be loaded again. Text is only ever set as text.

const place = document.querySelector("[data-live]");
const list = document.querySelector("[data-live-list]");
const state = document.querySelector("[data-live-state]");

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text ?? "";
  return made;
}

function entry(told) {
  const item = element("li", `event new ${told.kind}`);
  item.append(element("p", "event-title", told.title), element("p", "event-time", told.time));
  if (told.detail) item.append(element("p", "quiet", told.detail));
  const link = element("a", "", place.dataset.receipt);
  link.href = told.link;
  const links = element("p", "links");
  links.append(link);
  item.append(links);
  return item;
}

if (place && "EventSource" in window) {
  const source = new EventSource(place.dataset.live);
  source.addEventListener("open", () => {
    place.classList.add("on");
    state.textContent = place.dataset.on;
  });
  source.addEventListener("entry", (event) => {
    list.prepend(entry(JSON.parse(event.data)));
    while (list.children.length > 20) list.lastElementChild.remove();
  });
  source.addEventListener("error", () => place.classList.remove("on"));
  window.addEventListener("pagehide", () => source.close());
}
