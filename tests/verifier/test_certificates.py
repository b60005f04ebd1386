"""An audit tells until when each conformance certificate holds (docs/spec/partners.md, 2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verifier.billed import billed
from tests.verifier.forge import DAY, RECIPIENT, write
from tests.verifier.running import run

YEAR = 365 * DAY


@pytest.mark.parametrize(("later", "expired"), [(YEAR - 1, False), (YEAR, True)])
def test_the_last_certificate_of_a_suite_is_told_with_its_end(
    later: int, expired: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = billed()
    world.certify(passed=12)
    index = world.certify(suite_version="2.0")
    certified = world.time
    world.time = certified + later
    world.attest(valid_until=world.time // 1000 + 600)
    last = world.time
    write(world.files(), tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    status, events = run(capsys, "bundle", tmp_path / "bundle", "--policy", tmp_path / "policy", "--jobs", "1")
    assert status == 0
    [party] = [one for one in events if one["event"] == "participant" and one["id"] == RECIPIENT]
    assert party["certificates"] == [
        {
            "suite": "partner",
            "suite_version": "2.0",
            "passed": 38,
            "total": 40,
            "index": index,
            "valid_until": certified + YEAR,
        }
    ]
    [told] = [
        str(one["value"]) for one in events if one["event"] == "fact" and "partner 2.0, 38/40" in str(one["value"])
    ]
    assert ("expired" in told) is (certified + YEAR <= last) is expired
