"""The rules of accessibility that a page is judged by, and the languages it is judged in."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from api.web.locale import CATALOGUES

LANGUAGES = {catalogue.locale.replace("_", "-"): tag for tag, catalogue in CATALOGUES.items()}
"""Every language that there is a folder for: what a browser asks for, and what it is answered in."""
LOOKS = [
    pytest.param(
        (locale, scheme),
        id=f"{locale}-{scheme}",
        marks=[pytest.mark.matrix] * (scheme == "dark" and "zh" not in locale),
    )
    for locale in sorted(LANGUAGES)
    for scheme in ("light", "dark")
]
"""Each language in light colours and one in dark ones; the others in dark ones with `-m matrix`."""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


MISSHAPEN = """() => {
  const wrong = [...document.querySelectorAll("table")].filter(one => getComputedStyle(one).display !== "table")
    .map(one => `a table that is laid out as something else: ${one.className}`);
  for (const one of document.querySelectorAll(".chip, .button, nav.main a")) {
    const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      if (texts.currentNode.parentElement.closest(".only-read")) continue;
      for (const word of texts.currentNode.data.matchAll(/\\p{Script=Latin}+/gu)) {
        const range = document.createRange();
        range.setStart(texts.currentNode, word.index);
        range.setEnd(texts.currentNode, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
        if (lines.size > 1) wrong.push(`a word in two lines: ${word[0]}`);
      }
    }
  }
  return wrong;
}"""
"""What a look at the page would see and no rule of axe does."""


def judged(page: Page, name: str) -> list[str]:
    """What is wrong with the page that is open."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}}).response["violations"]
    wrong = [f"{name}: {one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wrong.append(f"{name}: wider than the screen")
    return wrong + [f"{name}: {one}" for one in page.evaluate(MISSHAPEN)]
