"""The rules of accessibility that a page is judged by, the languages it is judged in, and the colours and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from api.web.locale import CATALOGUES

Scheme = Literal["light", "dark", "forced"]
"""Colours of a page; `forced`: the reader's own few (Windows contrast themes)."""

LANGUAGES = {catalogue.locale.replace("_", "-"): tag for tag, catalogue in CATALOGUES.items()}
"""Every language that there is a folder for: what a browser asks for, and what it is answered in."""
SCHEMES: tuple[Scheme, ...] = ("light", "dark", "forced")
LOOKS = [
    *(pytest.param((locale, SCHEMES if "zh" in locale else SCHEMES[:1]), id=locale) for locale in sorted(LANGUAGES)),
    *(
        pytest.param((locale, SCHEMES[1:]), id=f"{locale}-others", marks=pytest.mark.matrix)
        for locale in sorted(LANGUAGES)
        if "zh" not in locale
    ),
]
"""Each language in light colours and one in all; the others in all with `-m matrix`."""
PHONE, SMALL = {"width": 390, "height": 844}, {"width": 320, "height": 640}
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}
VIOLATIONS = """async rules => (await axe.run(document, rules)).violations.flatMap(
    one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 160)}`))"""
CHOSEN = """() => [...document.querySelectorAll(".tabs a[aria-current], nav.main a[aria-current]")].filter(
    one => getComputedStyle(one).borderTopWidth === "0px").length"""
OVER = "document.documentElement.scrollWidth - innerWidth"
MISSHAPEN = """() => {
  const wrong = [...document.querySelectorAll("table")].filter(one => getComputedStyle(one).display !== "table")
    .map(one => `a table that is laid out as something else: ${one.className}`);
  for (const one of document.querySelectorAll(".tabs")) {
    if (one.scrollWidth > one.clientWidth + 1) wrong.push("tabs beyond the edge");
  }
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


@cache
def axe() -> str:
    """The program of axe-core."""
    return str(Axe().axe_script)


def judged(page: Page, name: str, schemes: Sequence[Scheme] = ()) -> list[str]:
    """What is wrong with the page that is open, in each of these colours (none: in those that it has now).

    What is chosen may not be told by a ground alone where colours are forced: none is left there.
    """
    if not schemes:
        return [f"{name}: {wrong}" for wrong in _violations(page)]
    found: list[str] = []
    for scheme in schemes:
        page.emulate_media(
            color_scheme="dark" if scheme == "dark" else "light",
            forced_colors="active" if scheme == "forced" else "none",
        )
        found += [f"{name} ({scheme}): {wrong}" for wrong in _violations(page)]
        if scheme == "forced" and page.evaluate(CHOSEN):
            found.append(f"{name}: nothing but colour says what is chosen")
    page.emulate_media(color_scheme="light", forced_colors="none")
    return found


def _violations(page: Page) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe())
    found: list[str] = page.evaluate(VIOLATIONS, RULES)
    wide = ["wider than the screen"] if page.evaluate(OVER) > 0 else []
    shapes: list[str] = page.evaluate(MISSHAPEN)
    return found + wide + shapes


def too_wide(page: Page, url: str, name: str) -> list[str]:
    """Open a page on a small phone, then on one with letters twice as large (WCAG 2.2, 1.4.10 and 1.4.4): where it is wider.

    It is left as a phone shows it.
    """
    page.set_viewport_size(SMALL)  # type: ignore[arg-type]
    page.goto(url)
    small = page.evaluate(OVER)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    twice = page.evaluate(OVER)
    page.evaluate("document.documentElement.style.fontSize = ''")
    return [f"{how}: {name}: {over} pixels too wide" for how, over in (("small", small), ("twice", twice)) if over > 0]
