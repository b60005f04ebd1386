"""The catalogues: complete, alike, and able to say everything that the ledger can."""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path
from string import Formatter

import jinja2
import pytest
from babel.messages.pofile import read_po, write_po
from jinja2 import nodes

from api.web.locale import CATALOGUES, DEFAULT, FOLDER, read
from api.web.words import CLUSTERS, HOME_ZONE, LANGUAGES, ZONES, Words, choose_language
from ledger.catalogue import LATEST
from ledger.consent.state import Status
from ledger.entries.acts import ACTS
from ledger.entries.asserted import ASSERTED
from ledger.policy.reasons import Reason
from ledger.policy.reconciliation import CODES

WEB = Path(__file__).resolve().parents[2] / "api" / "web"
LANGUAGE = pytest.mark.parametrize("language", sorted(CATALOGUES))
FILES = sorted(FOLDER.rglob("*.po"))
HOW = "see «A text of a page» in CONTRIBUTING.md"


def _places(texts: tuple[str, ...]) -> set[str]:
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}


def test_texts_stand_in_catalogues_and_nowhere_else() -> None:
    strange = {path.name for path in FOLDER.rglob("*.py")} - {"__init__.py"}
    assert strange == set(), f"texts stand in FOLDER/*.po, one folder for each language: {HOW}"
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} >= {"en", "zh_CN"}


def test_a_time_is_put_into_a_sentence_as_markup_and_not_as_its_letters() -> None:
    """`t` says plain text: the element of a time in it would be shown as `<time …>`."""
    wrong = []
    for path in sorted(WEB.rglob("*.html")):
        for call in jinja2.Environment(autoescape=True).parse(path.read_text()).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "t":
                asked = [one.node for value in call.kwargs for one in value.find_all(nodes.Call)]
                elements = {"ago", "date", "second", "when"}
                if any(isinstance(one, nodes.Getattr) and one.attr in elements for one in asked):
                    wrong.append(f"{path.name}:{call.lineno}: say it with h")
    assert wrong == []


@LANGUAGE
def test_every_language_has_the_same_texts_with_the_same_places(language: str) -> None:
    english, other = CATALOGUES[DEFAULT].forms, CATALOGUES[language].forms
    assert set(other) - set(english) == set(), f"English has no such keys: {HOW}"
    assert set(english) - set(other) == set(), f"{language} has no such keys: {HOW}"
    assert {key for key in english if _places(english[key]) != _places(other[key])} == set(), "places in {} differ"


@LANGUAGE
def test_a_text_has_the_plural_forms_of_its_language_where_english_counts(language: str) -> None:
    counted = {key for key, forms in CATALOGUES[DEFAULT].forms.items() if len(forms) == 2}
    catalogue = CATALOGUES[language]
    forms = {catalogue.form_of(count) for count in range(1000)}
    assert forms == set(range(len(forms)))
    assert len(counted) > 10
    for key, texts in catalogue.forms.items():
        assert len(texts) == (len(forms) if key in counted else 1), key
        assert key not in counted or "{count}" in texts[catalogue.form_of(7)], key
        assert all(texts), f"{key} is empty: {HOW}"


@LANGUAGE
def test_files_stand_under_the_same_names_in_every_language(language: str) -> None:
    def of(tag: str) -> dict[str, set[str]]:
        folder = FOLDER / tag.replace("-", "_")
        return {path.name: {key for key in _keys(path) if key} for path in folder.glob("*.po")}

    assert of(language) == of(DEFAULT), f"a key stands in the file of the same name: {HOW}"


def _keys(path: Path) -> set[str]:
    return set(re.findall(r'^msgid "(.*)"$', path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_file_is_exactly_what_gettext_tools_would_write(path: Path) -> None:
    """So nothing in it is lost when a translator's program writes it again, and nothing is read as something else."""
    text = path.read_text()
    with path.open("rb") as stream:
        found = read_po(stream, abort_invalid=True)
    again = io.BytesIO()
    write_po(again, found, width=0, omit_header=True)
    head, _, rest = text.partition("\n\n")
    assert rest == again.getvalue().decode().rstrip("\n") + "\n", (
        f'an empty line after each entry, \\ before " and \\, no comments: {HOW}'
    )
    assert head.startswith('msgid ""\nmsgstr ""\n"Language: ')


def test_a_folder_with_a_mistake_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    english = FOLDER / "en"
    for name, spoil, told in (
        ("twice", lambda text: text + '\nmsgid "language.name"\nmsgstr "E"\n', "'language.name' stands in twice twice"),
        ("nobodys", lambda text: text.replace("Language: en_GB", "Languages: en"), "must name a Language"),
        ("half", lambda text: text.replace("n != 1", "n > 1"), "one rule of plurals"),
        ("torn", lambda text: text + "\nno entry\n", "torn/pages.po: "),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "language.po").write_text((english / "language.po").read_text())
        (folder / "pages.po").write_text(spoil((english / "pages.po").read_text()))
        with pytest.raises(ValueError, match=told):
            read(folder)


def test_a_text_that_is_missing_says_where_it_belongs() -> None:
    with pytest.raises(KeyError, match=r"no text 'nothing\.here' in en_GB: every folder of api/web/locale"):
        Words("en", "UTC").t("nothing.here")


def test_a_new_folder_is_a_new_language_without_any_code(tmp_path: Path) -> None:
    """A copy of the program with one folder more: the language is offered, chosen, and used for words and numbers."""
    program = tmp_path / "program"
    for package in ("api", "ledger"):
        shutil.copytree(WEB.parents[1] / package, program / package, ignore=shutil.ignore_patterns("__pycache__"))
    folder = program / "api" / "web" / "locale" / "fr"
    shutil.copytree(FOLDER / "en", folder)
    for path in folder.glob("*.po"):
        text = path.read_text().replace("Language: en_GB", "Language: fr").replace("(n != 1)", "(n > 1)")
        text = text.replace('msgstr "English"', 'msgstr "français"').replace(
            'msgstr "Data sharing"', 'msgstr "Partage"'
        )
        path.write_text(text)
    ask = """
from api.web.words import HOME_ZONE, LANGUAGES, Words, choose_language
words = Words(choose_language(["fr-BE,en;q=0.5"]), "UTC")
print(LANGUAGES["fr"], words.language, words.t("app"), words.number(1234567), words.n("ago.days", 0), words.day(0), sep="|")
"""
    command = [sys.executable, "-c", ask]
    told = subprocess.run(
        command, cwd=program, check=True, capture_output=True, text=True, env={"PYTHONPATH": "."}
    ).stdout
    assert told.strip().split("|") == ["français", "fr", "Partage", "1\u202f234\u202f567", "0 day ago", "1 janv. 1970"]


@LANGUAGE
def test_a_language_names_itself_its_zone_and_how_it_writes_dates(language: str) -> None:
    assert LANGUAGES[language]
    assert HOME_ZONE[language] in ZONES
    words = Words(language, HOME_ZONE[language])
    assert "2027" in words.day(1_800_000_000_000)
    assert "15" in words.axis(dt.date(2027, 1, 15))
    assert ":00" in words.time(1_800_000_000_000)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (["en-US,zh;q=0.3"], "en"),
        (["fr-FR,fr;q=0.9,zh-TW;q=0.8,en;q=0.7"], "zh-CN"),
        ([None, "ZH-cn"], "zh-CN"),
        (["zh-CN", "en"], "zh-CN"),
        (["xx", "*"], DEFAULT),
        (["../../en", ""], DEFAULT),
    ],
)
def test_the_first_language_that_we_have_is_chosen(asked: list[str | None], chosen: str) -> None:
    assert choose_language(asked) == chosen


@LANGUAGE
def test_every_reason_state_act_and_permission_has_words(language: str) -> None:
    words = Words(language, "UTC")
    wanted = (
        [f"{family}.{reason}" for reason in [*Reason, *ASSERTED] for family in ("reason", "why", "fix")]
        + [f"cstatus.{status}" for status in Status]
        + [f"cact.{act}" for act in [*ACTS, "consent.expire"]]
        + [f"separate.{kind}" for kinds in LATEST.separate_consents.values() for kind in kinds]
        + [f"finding.{code}{fix}" for code in CODES for fix in ("", ".fix.holder", ".fix.recipient")]
        + [f"status.{status}" for status in Status]
        + [f"act.{act}" for act in [*ACTS, "consent.expire"]]
        + [f"permission.{permission}" for permission in LATEST.grades]
        + [f"cluster.{cluster}" for cluster in CLUSTERS]
    )
    assert [key for key in wanted if not words.has(key)] == []


def test_every_permission_is_in_exactly_one_cluster() -> None:
    listed = [code for codes in CLUSTERS.values() for code in codes]
    assert sorted(listed) == sorted(LATEST.grades)


def test_no_template_asks_for_a_sentence_that_is_not_there() -> None:
    asked = {
        key
        for path in [*WEB.rglob("*.html"), *WEB.rglob("*.py")]
        for key in re.findall(r"""\b(?:t|h)\(\s*["']([a-z][a-zA-Z_0-9.]*)["']\s*[,)]""", path.read_text())
    }
    assert len(asked) > 100
    assert asked - set(CATALOGUES[DEFAULT].forms) == set(), HOW


def test_chinese_sentences_are_chinese_and_english_ones_are_not() -> None:
    chinese = re.compile(r"[\u4e00-\u9fff]")
    places_only = {"list.comma", "agreement.line", "separate.kind"}
    places_only |= {f"language.{name}" for name in ("zone", "axis", "second")}
    places_only |= {f"filter.{op}" for op in ("eq", "ge", "gt", "le", "lt", "ne")}
    for tag, catalogue in CATALOGUES.items():
        said = {key for key, texts in catalogue.forms.items() if chinese.search("".join(texts))}
        if not tag.startswith("zh"):
            assert said == set(), tag
    without = set(CATALOGUES["zh-CN"].forms) - {
        key for key, texts in CATALOGUES["zh-CN"].forms.items() if all(map(chinese.search, texts))
    }
    assert without == places_only


@LANGUAGE
def test_times_name_their_zone(language: str) -> None:
    assert re.search(r"GMT|UTC|格林", Words(language, "Europe/London").time(1_800_000_000_000))
    assert Words(language, "Asia/Shanghai").time(1_800_000_000_000) != Words(language, "UTC").time(1_800_000_000_000)
