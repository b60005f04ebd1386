// <data-sharing-overview src="https://sharing.bank.example"></data-sharing-overview>: who reads her data, on the bank's
// own page. It shows and links; whatever changes something is done on the pages it links to. No text becomes markup.

const WORDS = {
  en: { apps: "apps may read your data", reads: "reads in 7 days", needs: "need your answer", least: "at least ",
    open: "See and stop", signIn: "Sign in to see who reads your data", failed: "This cannot be shown now." },
  zh: {
    apps: "个应用可读取您的数据", reads: "次读取（近 7 天）", needs: "项等待您答复", least: "至少 ",
    open: "查看和停止", signIn: "登录后查看谁在读取您的数据", failed: "暂时无法显示。",
  },
};

const STYLE = ":host{display:block;font:inherit;color:inherit}dl{display:flex;gap:1.5em;margin:0 0 1em}dt{order:1}" +
  "dl div{display:flex;flex-direction:column}dd{margin:0;font-size:1.6em;font-weight:700}ul{list-style:none;margin:0;" +
  "padding:0}li{padding:.6em 0;border-top:1px solid}small{display:block}a{color:inherit}";

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function link(address, text) {
  const made = element("a", text);
  made.href = address;
  made.target = "_top";
  return made;
}

class DataSharingOverview extends HTMLElement {
  async connectedCallback() {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const language = (this.lang || document.documentElement.lang || "en").slice(0, 2);
    const words = WORDS[language] ?? WORDS.en;
    const base = new URL(this.getAttribute("src") || import.meta.url).origin;
    try {
      const answer = await fetch(`${base}/my/overview.json`, {
        credentials: "include", headers: { "accept-language": language },
      });
      const said = await answer.json();
      if (answer.status === 401) root.replaceChildren(link(said.sign_in, words.signIn));
      else if (!answer.ok) throw new Error(String(answer.status));
      else root.replaceChildren(...this.shown(said, words));
      this.dispatchEvent(new CustomEvent("shown", { detail: { status: answer.status } }));
    } catch {
      root.replaceChildren(element("p", words.failed));
    }
  }

  * shown(said, words) {
    const numbers = document.createElement("dl");
    const week = (said.reads_week_at_least ? words.least : "") + said.reads_week;
    for (const [number, name] of [[said.apps.length, "apps"], [week, "reads"], [said.needs, "needs"]]) {
      const pair = document.createElement("div");
      pair.append(element("dt", words[name]), element("dd", String(number)));
      numbers.append(pair);
    }
    yield numbers;
    const list = document.createElement("ul");
    for (const app of said.apps) {
      for (const one of app.connections) {
        const row = element("li");
        row.append(element("strong", app.name), element("small", `${one.purpose} · ${one.state}`),
          link(one.url, words.open));
        list.append(row);
      }
    }
    yield list;
  }
}

customElements.define("data-sharing-overview", DataSharingOverview);
