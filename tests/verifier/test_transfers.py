"""The register of transfers abroad, out of an audited bundle: what went where, on what ground, and what it cannot say."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.vectors.reading import bundle, policy
from tests.verifier.forge import write
from tests.verifier.running import run
from verifier.cli import main


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An honest log in which one access took data to SG, and one to US was refused."""
    write(bundle("ruleset-3"), tmp_path / "bundle")
    (tmp_path / "policy").write_bytes(policy(None))
    return tmp_path


def asked(place: Path, *more: str) -> list[str]:
    return ["transfers", f"{place}/bundle", "--policy", f"{place}/policy", "--jobs", "1", *more]


def test_the_register_has_each_allowed_access_abroad_with_its_ground_and_nothing_else(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, events = run(capsys, *asked(place, "--csv", f"{place}/register.csv"))
    assert (status, events[-1]["code"]) == (0, "VALID")
    [row] = csv.DictReader((place / "register.csv").read_text().splitlines())
    assert (row["country"], row["mechanism"], row["purpose"]) == ("SG", "standard-contract", "AIS")
    assert row["time"].endswith("Z")
    told = " ".join(str(event) for event in events)
    assert "SG: 1 accesses under 1 consents" in told
    assert "US:" not in told, "it was refused"
    status, events = run(capsys, *asked(place, "--holder", row["holder"]))
    assert "SG: 1" in str(events)
    status, events = run(capsys, *asked(place, "--holder", "nobody"))
    assert (status, "No access that can be read here" in str(events)) == (0, True)


def test_the_register_is_told_in_chinese(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(asked(place, "--lang", "zh")) == 0
    assert "SG：1 份授权下的 1 次访问" in capsys.readouterr().out


def test_the_register_says_how_much_cannot_be_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: data for name, data in bundle("ruleset-3").items() if not name.startswith("evidence/")}
    manifest = json.loads(files["manifest.json"]) | {"evidence": "none"}
    write(
        files | {"manifest.json": json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()},
        place / "closed",
    )
    status, events = run(capsys, "transfers", f"{place}/closed", "--policy", f"{place}/policy", "--jobs", "1")
    assert (status, events[-1]["unchecked"] > 0) == (0, True)
    assert "cannot be read here: what they may have taken abroad is not in the register" in str(events)
    for refused in ("--no-evidence", f"--since={place}/kept"):
        status, events = run(capsys, *asked(place, refused))
        assert status == 2, refused
        assert "register" in events[-1]["reason"]
