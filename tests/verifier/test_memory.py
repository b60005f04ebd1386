"""What an audit remembers lies on disk beyond a bound: the same verdict, in memory that does not grow with the consents."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.verifier.auditing import audit_folder
from tests.verifier.cases import CASES, Case, honest
from tests.verifier.forge import DAY, RECIPIENT, World, write
from tests.verifier.reported import begun
from verifier.bytes.patricia import Map
from verifier.errors import Code
from verifier.rules.chain_store import Chain, Shelf

HOT = 8
"""As few as a consent, its customer's chain and what an act of theirs looks up besides."""


def crowded(consents: int) -> World:
    world = World(3).open()
    for number in range(consents):
        consent = world.request()
        world.authorise(consent)
        world.access(consent)
        if number % 200 == 0:
            world.index_head()
    return world


def test_memory_does_not_grow_with_consents(tmp_path: Path) -> None:
    """Of each further one: what waits in buffers of a fixed size, and nothing that stays."""
    peaks, sizes = [], (400, 1200)
    for consents in sizes:
        world = crowded(consents)
        root, policy = write(world.files(), tmp_path / str(consents)), world.policy()
        tracemalloc.start()
        try:
            assert audit_folder(root, policy, hot=100).verdict is Code.VALID
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / (sizes[1] - sizes[0]) < 1_500


def test_memory_of_a_recomputed_report_does_not_grow_with_consents_or_accesses(tmp_path: Path) -> None:
    """One pass, and what it remembers of each further consent goes to disk: a report is no reason to keep the log in memory."""
    peaks, sizes = [], (150, 450)
    for consents in sizes:
        world = begun()
        measures = ["consents_requested", "consents_authorised", "consents_active", "accesses_allowed", "acknowledged"]
        world.define_report(by=["recipient"], measures=measures)
        for _ in range(consents):
            consent = world.grant()
            world.access(consent)
            world.acknowledge(consent, world.revoke(consent))
        world.tick(2 * DAY)
        values = (consents, consents, 0, consents, consents)
        lines = "".join(f"{RECIPIENT},{name},{value}\n" for name, value in zip(measures, values, strict=True))
        world.issue(f"recipient,measure,value\n{lines}")
        root, policy = write(world.files(), tmp_path / str(consents)), world.policy()
        tracemalloc.start()
        try:
            assert audit_folder(root, policy, hot=100).verdict is Code.VALID
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / (sizes[1] - sizes[0]) < 1_500


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_values_spilled_to_disk_come_back_unchanged(case: Case, tmp_path: Path) -> None:
    files, world = case.make()
    root = write(files, tmp_path)
    inside, outside = (audit_folder(root, world.policy(), hot=hot) for hot in (1_000, HOT))
    assert (outside.verdict, outside.findings) == (inside.verdict, inside.findings)


def test_a_record_that_is_held_is_not_forgotten_when_others_are_asked_for() -> None:
    """An act changes its consent after it has looked at another one: the change must not be lost with the copy in memory."""
    shelf = Shelf(hot=4)
    for number in range(40):
        shelf.put(b"%d" % number, Chain(number, b"head"))
    held = shelf.get(b"39")
    for other in (b"1", b"2"):
        shelf.get(other)
    assert held is not None
    held.seq = 1_000
    for number in range(38):
        shelf.get(b"%d" % number)
    again = shelf.get(b"39")
    assert again is not None
    assert again.seq == 1_000
    shelf.close()


def test_the_map_is_the_same_on_disk_and_takes_no_memory_there() -> None:
    keys = [number.to_bytes(4) * 8 for number in range(0, 4_000_000, 1_009)]
    whole, small = Map(), Map(hot=50)
    tracemalloc.start()
    try:
        for key in keys:
            small.put(key, key)
        root = small.root()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for key in keys:
        whole.put(key, key)
    assert root == whole.root()
    assert taken < 50_000
    small.put(keys[7], b"another")
    whole.put(keys[7], b"another")
    assert small.root() == whole.root() != root
    small.close()


FULL = """
import resource, sys
from pathlib import Path
from tests.verifier.auditing import audit_folder
from verifier.errors import CannotCheck
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
try:
    print(audit_folder(Path(sys.argv[1]), sys.argv[2], hot=8).verdict)
except CannotCheck as error:
    print("cannot check:", error.sentence)
"""


def test_a_full_temporary_folder_is_not_a_defect_of_the_log(tmp_path: Path) -> None:
    files, world = honest()
    root = write(files, tmp_path)
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(root), world.policy()], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("cannot check: the temporary folder ")
    assert "TMPDIR" in said
