"""Where a defect is, told in the reader's language: on the terminal, on the page, and in English as it is quoted elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verifier import later_cases
from tests.verifier.forge import write
from verifier.cli import main
from verifier.errors import Place
from verifier.telling.messages import LANGUAGES, first_bad, located

PLACES = {
    Place(): "输入",
    Place(1495): "条目 1495",
    Place(file="checkpoint"): "checkpoint",
    Place(7, "evidence/000.jsonl.gz", 8, "jti"): "条目 7，evidence/000.jsonl.gz:8，字段 jti",
    Place(line=3): "第 3 行",
}


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_place_is_told_in_both_languages(place: Place) -> None:
    assert {language: located(place, language) for language in LANGUAGES} == {"en": str(place), "zh": PLACES[place]}


@pytest.mark.parametrize(
    ("index", "told"),
    [(None, "First bad entry: –"), (0, "First bad entry: 0"), (5, "First bad entry: 5; Last good entry: 4")],
)
def test_up_to_where_a_log_is_good(index: int | None, told: str) -> None:
    assert first_bad(index, "en") == told


@pytest.mark.parametrize(
    ("language", "told"), [("en", ("entry 2", "Last good entry: 1")), ("zh", ("条目 2", "最后一个完好的条目：1"))]
)
def test_terminal_and_page_tell_the_same_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, told: tuple[str, str]
) -> None:
    world = later_cases.honest_of_2()
    files = world.files()
    entries = next(path for path in files if "entries" in path)
    second = 2 + int.from_bytes(files[entries][:2])
    third = second + 2 + int.from_bytes(files[entries][second : second + 2])
    damaged = bytearray(files[entries])
    damaged[third + 40] ^= 1
    files[entries] = bytes(damaged)
    write(files, tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    report = tmp_path / "report.html"
    assert (
        main(
            [
                "bundle",
                "--lang",
                language,
                "--policy",
                str(tmp_path / "policy"),
                "--report",
                str(report),
                str(tmp_path / "bundle"),
            ]
        )
        == 1
    )
    shown = capsys.readouterr().out
    for text in told:
        assert text in shown
        assert text in report.read_text()
