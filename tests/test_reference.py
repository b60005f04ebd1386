"""The reference pages are those of the code, and the site is built from what is in docs/."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conformance import ROOT
from tests.reference import pages
from tests.reference_python import modules
from tests.site import TOKEN, write_source


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_reference_page_is_that_of_the_code(name: str) -> None:
    assert (ROOT / "docs" / "reference" / name).read_text() == pages()[name], "python -m tests.reference docs/reference"


def test_every_link_within_the_site_leads_to_a_page_of_it(tmp_path: Path) -> None:
    write_source(tmp_path / "site")
    folder = tmp_path / "site" / "docs"
    lost = [
        f"{page.relative_to(folder)}: {target}"
        for page in sorted(folder.rglob("*.md"))
        for _, _, target in TOKEN.findall(page.read_text())
        if target and "://" not in target and (path := target.partition("#")[0]) and not (page.parent / path).exists()
    ]
    assert lost == []


def test_every_page_has_a_place_in_the_navigation(tmp_path: Path) -> None:
    write_source(tmp_path / "site")
    navigation = yaml.safe_load((tmp_path / "site" / "mkdocs.yml").read_text())["nav"]
    named = {
        path
        for section in navigation
        for entries in section.values()
        for path in ([entries] if isinstance(entries, str) else entries)
    }
    folder = tmp_path / "site" / "docs"
    all_pages = {page.relative_to(folder).as_posix() for page in folder.rglob("*.md")}
    assert all_pages - named == {"adr/0000-template.md"}
    assert named - all_pages == set()


def test_every_public_name_of_the_client_says_what_it_is() -> None:
    page = pages()["python.md"]
    entries = page.split("\n### ")[1:]
    silent = [entry.splitlines()[0] for entry in entries if not "".join(entry.splitlines()[1:]).strip()]
    assert silent == []
    assert len(entries) == sum(map(len, modules().values()))
