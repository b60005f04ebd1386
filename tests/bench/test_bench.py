"""The benchmarks themselves: a minute's run is sound, and the load generator tells the truth about what it saw."""

from __future__ import annotations

import pytest

from tests.bench import counting
from tests.bench.__main__ import main
from tests.bench.shards import added_by


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(400)
def test_a_quick_run_of_every_part_ends_with_sound_logs(tmp_path) -> None:
    assert main(["--quick", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "benchmarks.md").read_text()
    for heading in (
        "References",
        "Goals",
        "Over HTTP",
        "Without HTTP",
        "Ceilings",
        "Peers",
        "Cost against",
        "Memory",
        "Storage",
        "Start",
    ):
        assert f"## {heading}" in text
    assert (tmp_path / "benchmarks.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("cold", [False, True])
def test_the_batches_whose_instructions_are_counted_are_recorded(cold: bool) -> None:
    assert counting.record(3, 2, cold=cold) == 12


def test_the_head_logs_part_is_what_it_takes_from_the_cores_that_record() -> None:
    """Two cores, four shards: the head log takes 20 ms of them each second, and each shard 5 ms for its question."""
    assert added_by(0.02, 0.005, 4, 2.0) == pytest.approx(0.04 / 1.96)
