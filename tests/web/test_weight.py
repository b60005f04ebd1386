"""What a page weighs: its own text, and all that a first visit of it loads, without pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from gzip import compress

import httpx2
import pytest

from tests.web.accessibility import LANGUAGES
from tests.web.console_pages import pages_of
from tests.web.consoles import Consoles
from tests.web.scenes import Scene, scene_of
from tests.web.site import Site

MOST = 60_000
"""Bytes of a page without pictures (docs/people.md, «Cost»)."""


@pytest.fixture(scope="module")
def scene(shared_site: Site) -> Scene:
    return scene_of(shared_site)


def loaded(page: str) -> set[str]:
    """The styles and scripts that a page names, and those that they import."""
    return {
        *re.findall(r'<link rel="stylesheet" href="([^"]+)"', page),
        *re.findall(r'<script[^>]* src="([^"]+)"', page),
    }


def too_heavy(client: httpx2.Client, path: str, known: dict[str, bytes]) -> Iterator[str]:
    page = client.get(path)
    assert "html" in page.headers["content-type"], path
    if len(page.content) > MOST:
        yield f"{path}: {len(page.content)} bytes of text"
    files = loaded(page.text)
    assert any(name.split("?")[0].endswith(".css") for name in files), f"{path} has no style: is it a page?"
    for name in files - known.keys():
        known[name] = client.get(name).content
    whole = len(compress(page.content)) + sum(len(compress(known[name])) for name in files)
    if whole > MOST:
        yield f"{path}: {whole} bytes with styles and scripts, compressed"


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_no_page_of_the_consoles_is_heavier_than_it_may_be(consoles: Consoles, language: str) -> None:
    known: dict[str, bytes] = {}
    wrong: list[str] = []
    for who, paths in pages_of(consoles).items():
        with consoles.client(who, language=language) as client:
            for path in paths:
                wrong += too_heavy(client, path, known)
    assert wrong == []


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_no_page_of_a_customer_is_heavier_than_it_may_be(scene: Scene, language: str) -> None:
    known: dict[str, bytes] = {}
    wrong: list[str] = []
    with scene.site.client(language=language) as client:
        for path in (*scene.open.values(), *scene.signed_in.values()):
            wrong += too_heavy(client, path, known)
    assert wrong == []
