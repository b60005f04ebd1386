"""The container's image: whom it runs as, what it holds, how it is made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from runpy import run_path

import pytest
from babel import Locale

from api.web.locale import CATALOGUES

ROOT = Path(__file__).resolve().parent.parent


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def _stages() -> dict[str, list[tuple[str, str]]]:
    """Name → instructions, those of the stage that it begins with included; «» is what is built when none is named."""
    stages: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for word, rest in _instructions():
        if word == "FROM":
            begins, _, name = rest.partition(" AS ")
            stages[name] = list(stages.get(begins, []))
        elif stages:
            stages[name].append((word, rest))
    return stages


@pytest.mark.parametrize("stage", ["", "node"])
def test_the_image_runs_as_a_user_without_rights_and_says_how_it_is(stage: str) -> None:
    final = _stages()[stage]
    [user] = [rest for word, rest in final if word == "USER"]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    [health] = [rest for word, rest in final if word == "HEALTHCHECK"]
    command = json.loads(health[health.index("[") :])
    assert command[:3] == ["python", "-m", "api.cli.readiness"]
    assert [rest for word, rest in final if word == "VOLUME"] == ["/var/lib/consent-ledger"]


def test_the_image_holds_no_secret() -> None:
    for word, rest in _instructions():
        assert word != "ADD", "COPY takes from the checkout only; ADD also fetches"
        if word in {"ENV", "ARG"}:
            assert not re.search(r"(?i)secret|password|token|credential|private", rest), rest
        if word == "COPY":
            assert not re.search(r"\.(key|pem|env|sqlite)", rest), rest


def test_the_image_copies_what_exists_and_what_the_ignore_list_lets_through() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in _instructions():
        if word == "COPY" and "--from=" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(source == name or source.startswith(name + "/") for name in let_through), source


def test_the_image_is_made_by_the_script_that_everybody_runs() -> None:
    stages = _stages()
    runs = [rest for stage in ("build", "node", "") for word, rest in stages[stage] if word == "RUN"]
    assert "scripts/setup runtime" in runs
    assert not any(re.search(r"pip|apt|curl|wget", run) for run in runs)


def test_the_image_keeps_the_calendar_of_every_language_of_the_pages() -> None:
    slim = run_path(str(ROOT / "scripts" / "slim"))
    offered = {Locale.parse(catalogue.locale).language for catalogue in CATALOGUES.values()}
    assert slim["LANGUAGES"] == {"root"} | offered
