"""Bodies of old accesses lie outside the database, and whoever reads the log notices nothing; or is told that one is lost."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine, select, text, update
from sqlalchemy.exc import DBAPIError

from api.checking import Findings, examine
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.entries.leaf import consent_chain
from ledger.errors import BodiesAway, ImpossibleLeg
from ledger.publish.places import fetching_from, open_place
from ledger.storage.moving import MovedBodies, move_bodies, moved_bodies, return_bodies
from ledger.storage.tables import entries
from ledger.storage.volumes import (
    MARK_SIZE,
    REST_SECONDS,
    SealedBody,
    Volumes,
    mark_of,
    path_of,
    read_volume,
    volume_of,
    write_volume,
)
from tests.conformance import ROOT
from tests.ledger.legs import leg
from tests.world import FINTECH, Node, item, new_consent_id, running

ACCESSES = 12


@dataclass
class Tiered:
    """A log with accesses to two consents, one of which ended, and the folder that its old bodies go to."""

    node: Node
    folder: Path
    consent: str
    ended: str
    accesses: list[int]

    @property
    def where(self) -> str:
        return self.node.config.bodies_at

    def move(self) -> MovedBodies:
        ledger = self.node.ledger
        place = open_place(self.where)
        with place.alone():
            return move_bodies(ledger.store, ledger.keystore, place, fetching_from(self.where), ledger.tree.size())

    def marks(self) -> dict[int, bytes]:
        """Digests of volumes by the entries that point to one."""
        with self.node.ledger.store.read() as connection:
            rows = connection.execute(select(entries.c.idx, entries.c.sealed).where(entries.c.sealed.is_not(None)))
            return {row.idx: digest for row in rows if (digest := volume_of(bytes(row.sealed)))}

    def volumes(self) -> list[Path]:
        return sorted(path for path in (self.folder / "bodies").rglob("*") if path.is_file())

    def check(self) -> Findings:
        """As a command would, which has read nothing yet."""
        ledger = self.node.beside("check")
        try:
            return examine(ledger.store, ledger.keystore, ledger.vkey)
        finally:
            ledger.store.close()
            ledger.keystore.close()

    def bundle(self, name: str) -> Path:
        ledger = self.node.beside(name)
        bundle = self.folder.parent / name
        try:
            ledger.store.confirm()
            export_bundle(
                ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(bundle), disclose=Disclose.full(), created=1
            )
        finally:
            ledger.store.close()
            ledger.keystore.close()
        return bundle


@pytest.fixture
def tiered(engine_url: str, tmp_path: Path) -> Iterator[Tiered]:
    with grown(engine_url, tmp_path) as made:
        yield made


@pytest.fixture
def on_sqlite(sqlite_url: str, tmp_path: Path) -> Iterator[Tiered]:
    """For what no engine has a part in."""
    with grown(sqlite_url, tmp_path) as made:
        yield made


@contextmanager
def grown(url: str, tmp_path: Path) -> Iterator[Tiered]:
    folder = tmp_path / "cold"
    with running(url, tmp_path, bodies_at=str(folder)) as node:
        consent, ended = node.grant(), node.grant()
        node.ledger.submit_and_wait(node.batch(*(item(ended) for _ in range(ACCESSES))))
        node.revoke(ended)
        accesses = [node.access(consent).index for _ in range(ACCESSES)]
        node.restart()  # whoever stops leaves word of what is confirmed: the last access moves like the others
        yield Tiered(node, folder, consent, ended, accesses)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_moved_bodies_are_read_through_and_the_log_goes_on(tiered: Tiered) -> None:
    node, before = tiered.node, tiered.bundle("before")
    receipts = [node.ledger.records.receipt_for(FINTECH, index) for index in tiered.accesses]
    moved = tiered.move()
    assert moved.bodies == len(tiered.marks()) == 2 * ACCESSES
    assert files(tiered.bundle("after")) == files(before), "a bundle is made of the same bytes"
    assert [node.ledger.records.receipt_for(FINTECH, index) for index in tiered.accesses] == receipts
    found = tiered.check()
    assert (found.count, found.unchecked_count) == (0, 0), found.defects + found.unchecked
    node.access(tiered.consent)
    node.revoke(tiered.consent)
    assert tiered.check().count == 0
    assert tiered.move() == MovedBodies(1, 1), "only the new access"
    with node.ledger.store.read() as connection:
        assert moved_bodies(connection) == MovedBodies(moved.volumes + 1, moved.bodies + 1)


def test_no_decision_waits_for_the_place_of_old_bodies(tiered: Tiered) -> None:
    """With the place gone, everything is decided as before; a leg under an access whose body was moved is refused."""
    node = tiered.node
    old = node.ledger.records.receipt_for(FINTECH, tiered.accesses[0])
    tiered.move()
    tiered.folder.rename(tiered.folder.with_name("away"))
    node.restart()
    newest = node.access(tiered.consent)
    leg(node, "release", newest)
    with pytest.raises(ImpossibleLeg):
        leg(node, "release", old)
    node.revoke(tiered.consent)


def test_only_bodies_of_accesses_leave_and_what_a_stranger_tried_stays(on_sqlite: Tiered) -> None:
    """Before a consent of that name is decided on, its chain is read from the beginning: the body must be there."""
    denied = on_sqlite.node.access(new_consent_id())
    on_sqlite.move()
    opened = [on_sqlite.node.ledger.records.receipt_for(FINTECH, index) for index in on_sqlite.marks()]
    assert {one.act for one in opened} == {"access.request"}
    assert denied.index not in on_sqlite.marks()


def test_a_place_that_does_not_answer_is_told_and_is_no_defect(on_sqlite: Tiered) -> None:
    on_sqlite.move()
    on_sqlite.folder.rename(on_sqlite.folder.with_name("away"))
    on_sqlite.node.restart()
    with pytest.raises(BodiesAway, match="cannot be read"):
        on_sqlite.node.ledger.records.receipt_for(FINTECH, on_sqlite.accesses[0])
    with pytest.raises(BodiesAway):
        on_sqlite.bundle("bundle")
    found = on_sqlite.check()
    assert (found.count, found.unchecked_count > 1) == (0, True), found.defects
    assert f"{2 * ACCESSES - 1} bodies more" in " ".join(found.unchecked)


@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_a_lost_volume_is_a_finding_and_never_a_gap(on_sqlite: Tiered, harm: str) -> None:
    on_sqlite.move()
    [volume] = on_sqlite.volumes()
    content = volume.read_bytes()
    volume.unlink()
    if harm == "altered":
        volume.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (volume.parent / "another").write_bytes(b"")
    on_sqlite.node.restart()
    with pytest.raises(BodiesAway, match="bring it back from a copy"):
        on_sqlite.node.ledger.records.receipt_for(FINTECH, on_sqlite.accesses[0])
    with pytest.raises(BodiesAway):
        on_sqlite.bundle("bundle")
    found = on_sqlite.check()
    assert found.count == 2 * ACCESSES, found.defects
    assert all("bring it back from a copy" in defect for defect in found.defects)
    volume.write_bytes(content)
    assert on_sqlite.check().count == 0, "a copy of the volume repairs it"


def test_an_erasure_closes_what_lies_in_the_place_too(on_sqlite: Tiered) -> None:
    node = on_sqlite.node
    on_sqlite.move()
    node.ledger.erase([consent_chain(on_sqlite.ended)], "gdpr-17", ("one", "two"))
    found = on_sqlite.check()
    assert (found.count, found.unchecked_count) == (0, 0), found.defects
    assert found.erased >= ACCESSES
    [volume] = on_sqlite.volumes()
    inside = read_volume(volume.read_bytes())
    assert len(inside) == 2 * ACCESSES, "its bytes are there, and their key is nowhere"
    assert not node.ledger.keystore.existing([consent_chain(on_sqlite.ended)])


def test_all_bodies_come_back_as_they_were(tiered: Tiered) -> None:
    ledger = tiered.node.ledger
    with ledger.store.read() as connection:
        before = connection.execute(select(entries).order_by(entries.c.idx)).all()
    moved = tiered.move()
    assert return_bodies(ledger.store, Volumes(fetching_from(tiered.where))) == moved
    with ledger.store.read() as connection:
        assert connection.execute(select(entries).order_by(entries.c.idx)).all() == before
    assert tiered.check().count == 0


def test_a_volume_that_reads_back_otherwise_moves_nothing(on_sqlite: Tiered) -> None:
    ledger = on_sqlite.node.ledger
    place = open_place(on_sqlite.where)
    with pytest.raises(BodiesAway, match="nothing was moved"):
        move_bodies(ledger.store, ledger.keystore, place, lambda _: b"other bytes", ledger.tree.size())
    assert not on_sqlite.marks()


def test_the_database_takes_no_mark_of_a_volume_that_is_not_on_record(tiered: Tiered) -> None:
    """Its guards let bodies and marks take each other's place, and nothing else."""
    tiered.move()
    database = create_engine(tiered.node.config.database_url)
    [moved, *_] = tiered.marks()
    for at, change in (
        (0, {"sealed": mark_of(bytes(32))}),
        (tiered.accesses[0] - 1, {"sealed": mark_of(bytes(32))}),
        (moved, {"sealed": b"short"}),
        (moved, {"sealed": None}),
        (moved, {"sealed": bytes(100), "seq": 99}),
    ):
        with pytest.raises(DBAPIError, match="append-only"), database.begin() as connection:
            connection.execute(update(entries).where(entries.c.idx == at).values(**change))
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as connection:
        connection.execute(text("DELETE FROM body_volumes"))
    database.dispose()


def test_a_command_that_is_killed_at_any_step_loses_nothing(tiered: Tiered) -> None:
    node, before = tiered.node, files(tiered.bundle("before"))
    config = msgspec.json.encode({name: str(getattr(node.config, name)) for name in node.config.__slots__}).decode()
    for step in ("written", "settled", "swapped", "committed"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.ledger.dying_mover", step, config], cwd=ROOT, check=False, capture_output=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert files(tiered.bundle(step)) == before
        assert tiered.check().count == 0
        assert len(tiered.marks()) == (2 * ACCESSES if step == "committed" else 0)
        assert len(tiered.volumes()) == 1, "the same volume again"


def test_a_volume_of_another_form_is_refused() -> None:
    good = write_volume([SealedBody(3, b"three"), SealedBody(7, b"seven")])
    assert read_volume(good) == {3: b"three", 7: b"seven"}
    for bad in (b"", good[1:], good[:-1], good + b"\0", write_volume([SealedBody(7, b"a"), SealedBody(3, b"b")])):
        with pytest.raises(BodiesAway):
            read_volume(bad)


def test_a_body_is_never_taken_for_a_mark() -> None:
    digest = hashlib.sha256(b"volume").digest()
    assert len(mark_of(digest)) == MARK_SIZE < 12 + 16 + 32, "nonce, tag and opening are longer by themselves"
    assert volume_of(mark_of(digest)) == digest
    assert path_of(digest) == f"bodies/{digest.hex()[:2]}/{digest.hex()}"
    with pytest.raises(BodiesAway, match="CONSENT_LEDGER_BODIES_AT"):
        Volumes(None).body(5, mark_of(digest))


def test_a_place_that_gives_no_answer_is_not_asked_by_everybody_in_a_row() -> None:
    """Each question would hold a thread of the node until its patience ends."""
    content = write_volume([SealedBody(5, b"sealed")])
    digest = hashlib.sha256(content).digest()
    asked: list[str] = []
    seconds, answers = [100.0], [False]

    def fetch(path: str) -> bytes:
        asked.append(path)
        if not answers[0]:
            raise BodiesAway("no answer", lost=False)
        return content

    volumes = Volumes(fetch, now=lambda: seconds[0])
    for _ in range(3):
        with pytest.raises(BodiesAway, match=r"entry 5 was moved to .*: no answer"):
            volumes.body(5, mark_of(digest))
    assert len(asked) == 1
    seconds[0] += REST_SECONDS
    with pytest.raises(BodiesAway):
        volumes.body(5, mark_of(digest))
    assert len(asked) == 2
    answers[0] = True
    seconds[0] += REST_SECONDS
    assert volumes.body(5, mark_of(digest)) == b"sealed"
    assert volumes.body(5, mark_of(digest)) == b"sealed"
    assert len(asked) == 3, "a volume stays in memory"
