// The fields of a data map, by grade. The file is read here and goes nowhere; its hash is held against the log's.

const root = document.querySelector("[data-map]");

if (root) {
  const known = JSON.parse(root.dataset.map);
  root.querySelector("[data-needs]").hidden = true; // «scripts are needed» is said until one runs
  root.querySelector("[data-chooser]").hidden = false;
  const file = root.querySelector("#file");
  file.addEventListener("change", () => file.files[0] && show(file.files[0], known));
  file.addEventListener("click", () => { file.value = ""; }); // choosing the same file again reads it again
}

async function show(file, known) {
  const bytes = await file.arrayBuffer();
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  const name = btoa(String.fromCharCode(...new Uint8Array(hash)));
  const version = known[name.replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "")];
  const place = root.querySelector("[data-fields]");
  place.replaceChildren();
  root.querySelector("[data-unknown]").hidden = Boolean(version);
  const told = root.querySelector("[data-known]");
  told.hidden = !version;
  if (!version) return;
  told.textContent = filled(root.dataset.version, { map: version.map, version: version.version });
  const { fields } = JSON.parse(new TextDecoder().decode(bytes));
  const grades = [...new Set(fields.map((each) => each.grade))].sort().reverse();
  for (const grade of grades) place.append(...ofGrade(grade, fields, version.days));
}

/** A heading, and a list of the fields of this grade. */
function ofGrade(grade, fields, days) {
  const list = made("ul", "", "rows");
  for (const each of fields.filter((one) => one.grade === grade)) list.append(row(each, days));
  return [made("h3", filled(root.dataset.grade, { grade })), list];
}

function row(each, days) {
  const head = made("p", "", "row-head");
  const chip = each.permission ?? (each.grade === 1 ? root.dataset.public : root.dataset.never);
  head.append(made("code", visible(each.field) || "/"), made("span", chip, "chip still"));
  if (each.mask) head.append(made("span", filled(root.dataset.mask, { mask: each.mask }), "chip wait"));
  const item = made("li", "");
  const since = filled(root.dataset.since, { version: each.since, day: days[each.since - 1] });
  item.append(head, made("p", `${each.at} · ${since}`, "quiet"));
  return item;
}

function made(name, text, style = "") {
  const element = document.createElement(name);
  element.textContent = text;
  element.className = style;
  return element;
}

/** Invisible characters are made visible. */
function visible(text) {
  return text.replace(/\p{Cf}/gu, "\ufffd");
}

function filled(text, values) {
  return text.replace(/\[(\w+)\]/g, (_, name) => values[name]);
}
