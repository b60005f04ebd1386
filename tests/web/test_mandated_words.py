"""A customer reads the words that the standard of a consent demands, in its language, and reads of all her data."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

import msgspec
import pytest

from api.standards.words import words as words_of_standard
from api.web.mandated import DataCluster, data_of, mandated
from api.web.words import CATALOGUES, CLUSTERS, Words
from ledger.entries.terms import Terms
from tests.conformance import files
from tests.standards.versions import TITLES, is_titled
from tests.web.site import Site

UNWORDED = {"brazil-of": {"ReadResources"}, "uk-ob": {"ReadPartyPSU"}}
"""What a standard's table does not call by a name, as far as we have seen it."""
EVERY = tuple(code for codes in CLUSTERS.values() for code in codes)
ROW = re.compile(r"^\|\s*\*\*(.+?)\*\*[^|]*\|(.+?)\|`([a-z_.:]+)`\|", re.MULTILINE)
"""Of Australia's table: title, lines, scope."""
PAGES = {"au-cds": "cdr", "brazil-of": "brazil", "uk-ob": "uk"}


def shown(site: Site, standard: str, permissions: Iterable[str], language: str) -> list[DataCluster]:
    made = site.world.terms(site.app, site.bank, standard=standard, permissions=sorted(permissions))
    return data_of(Words(language, "UTC"), msgspec.convert(made, Terms))


@pytest.mark.parametrize("standard", PAGES)
def test_the_whole_of_a_standards_data_is_told_in_its_own_words(shared_site: Site, standard: str) -> None:
    table, asked = mandated()[standard], words_of_standard(PAGES[standard]).permissions
    every = {code for codes in asked.values() for code in codes} - UNWORDED.get(standard, set())
    found = shown(shared_site, standard, every, table.language)
    assert {(one.title, line) for one in found for line in one.says} <= {
        (row.title, line) for row in table.rows for line in row.says
    }
    assert set(CLUSTERS) >= {row.name for row in table.rows}
    assert len({one.title for one in found}) == len(found)


@pytest.mark.parametrize("standard", PAGES)
@pytest.mark.parametrize("language", CATALOGUES)
def test_no_permission_is_passed_over_in_any_words(shared_site: Site, standard: str, language: str) -> None:
    ours = Words(language, "UTC")
    rows = mandated()[standard].rows if mandated()[standard].language == language else ()
    for code in EVERY:
        [only] = shown(shared_site, standard, [code], language)
        by_itself = [row for row in rows if row.needs == {code}]
        says = by_itself[0].says if by_itself else (ours.t(f"permission.{code}"),)
        assert only.says == says, code


def test_a_consent_of_no_such_standard_has_our_words(shared_site: Site) -> None:
    ours = Words("en", "UTC")
    [only] = shown(shared_site, "native", ["ReadBalances"], "en")
    assert only.says == (ours.t("permission.ReadBalances"),)


@pytest.mark.conformance
def test_australias_words_are_those_of_the_official_table(shared_site: Site) -> None:
    """By scope: the cluster and its lines, with the fuller one where both scopes are held."""
    told: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for path in files("standards/au-cds/**/data_language.md"):
        for title, lines, scope in re.findall(
            r"^\|\s*\*\*(.+?)\*\*[^|]*\|(.+?)\|`([a-z_.:]+)`\|", path.read_text(), re.MULTILINE
        ):
            said = [
                re.sub(r"\*\(.*?\)\*|&dagger;|<[^>]+>", "", one).strip(" ;") for one in re.split(r"<br ?/?>", lines)
            ]
            told.setdefault(scope, []).append((html.unescape(title), tuple(one for one in said if one)))
    scopes = words_of_standard("cdr").permissions
    asked = [scope for scope in scopes if scope.startswith("bank:")]
    assert asked
    for scope in asked:
        [first, *fuller] = told[scope]
        assert [(one.title, one.says) for one in shown(shared_site, "au-cds", scopes[scope], "en")] == [first]
        if fuller:
            both = {*scopes[scope], *scopes[scope.replace("detail", "basic")]}
            assert [(one.title, one.says) for one in shown(shared_site, "au-cds", both, "en")] == fuller[:1]


@pytest.mark.conformance
def test_brazils_words_are_the_groupings_of_the_official_table() -> None:
    official = next(iter(files("standards/**/*.y*ml", shape=lambda path: is_titled(path, TITLES["consents-"]))))
    cells = {cell.strip() for line in official.read_text().splitlines() for cell in line.split("|")}
    table = mandated()["brazil-of"]
    assert {row.title for row in table.rows} | {line for row in table.rows for line in row.says} <= cells


def test_the_page_and_the_agreement_say_them(shared_site: Site) -> None:
    permissions = ["ReadAccountsBasic", "ReadBalances"]
    asked = shared_site.ask(standard="au-cds", standard_version="1.36.0", permissions=permissions)
    with shared_site.client() as mei:
        page = mei.get(f"/my/approve?consent={asked.consent_id}").text
    assert "Account name, type and balance" in page
    assert "Name of account" in page
    assert Words("en", "UTC").t("permission.ReadBalances") not in page
    with shared_site.client() as mei:
        mei.get("/language", params={"to": "zh-CN"})
        chinese = mei.get(f"/my/approve?consent={asked.consent_id}").text
    assert Words("zh-CN", "UTC").t("permission.ReadBalances") in chinese
