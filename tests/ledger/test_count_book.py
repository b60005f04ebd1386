"""The count book says of a period what the entries say, however it was read, and is never believed about another log."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.documents import activation
from ledger.entries.leaf import consent_chain, subject_chain
from ledger.errors import Unavailable
from ledger.queries.counting import Counting
from ledger.queries.reports import PreparedReport, prepare_report, report_from_book
from ledger.storage.counted import CountBook, open_book
from tests.ledger.supervised import Place, supervised
from tests.verifier.report_story import DEFINITIONS, ReportStory, history
from tests.world import reference

DAY = 86_400
CODES = [f"{code}-{suppress}" for code in DEFINITIONS for suppress in (0, 5)]


def counting(place: Place, path: Path, *, page: int = 1_000) -> Counting:
    ledger = place.node.ledger
    return Counting(ledger.store, ledger.keystore, CountBook(path), page=page)


def erase(place: Place, *chains: bytes) -> None:
    """Doing it again is safe, and needed while a reader holds the key store's file."""
    for _ in range(20):
        with contextlib.suppress(Unavailable):
            place.node.ledger.erase(chains, "gdpr-17", ("one", "two"))
            return
    raise AssertionError("a reader never let go of the key store")


def told(report: PreparedReport) -> tuple[bytes, int]:
    return report.csv.content, report.unread


@pytest.mark.parametrize("seed", [3, 4])
def test_a_report_from_the_book_is_the_report_from_the_entries(seed: int, engine_url: str, tmp_path: Path) -> None:
    with history(tmp_path, engine_url, seed) as (place, day, _):
        ledger = place.node.ledger
        in_parts, at_once = counting(place, tmp_path / "parts", page=7), counting(place, tmp_path / "once")
        for code in CODES:
            from_entries = prepare_report(ledger.store, ledger.keystore, code, day)
            for way in (in_parts, at_once):
                from_book = report_from_book(way, code, day)
                assert told(from_book) == told(from_entries), code
                assert from_book.csv_hash == from_entries.csv_hash
        consent = random.Random(seed).choice([c for _, c in ledger.records.consents("bank-a", limit=500)]).consent_id
        erase(place, consent_chain(consent), subject_chain("bank-a", reference("alice")))
        afresh = counting(place, tmp_path / "afresh", page=11)
        for code in CODES:
            from_entries = prepare_report(ledger.store, ledger.keystore, code, day)
            assert from_entries.unread > 0
            for way in (in_parts, afresh):
                assert told(report_from_book(way, code, day)) == told(from_entries), code


@pytest.mark.parametrize("ruleset", [2, 3])
def test_one_off_consents_amendments_and_removals_count_as_the_entries_say(
    ruleset: int, sqlite_url: str, tmp_path: Path
) -> None:
    with supervised(sqlite_url, tmp_path, ruleset) as place:
        node = place.node
        book = counting(place, tmp_path / "book", page=3)
        once = node.grant(once=True)
        node.access(once, customer_present=True)
        kept = node.grant(once=True, expires_at=0)
        node.grant()
        book.catch_up()
        node.access(kept, customer_present=False)
        node.access(kept, customer_present=False)
        if ruleset == 2:
            node.ledger.record_documents(activation(3))
        members = ["consents_authorised", "consents_ended", "consents_active", "accesses_allowed", "accesses_refused"]
        place.document(
            "report.defined", report="r", period="day", utc_offset=0, by=["recipient"], measures=members, suppress=0
        )
        today = datetime.fromtimestamp(place.now, UTC).date()
        node.clock.advance(seconds=2 * DAY)
        assert told(report_from_book(book, "r", today)) == told(
            prepare_report(node.ledger.store, node.ledger.keystore, "r", today)
        )
        place.document("participant.removed", participant="fintech-b", reason="over")
        tomorrow = datetime.fromtimestamp(place.now, UTC).date()
        node.clock.advance(seconds=2 * DAY)
        after = report_from_book(book, "r", tomorrow)
        assert told(after) == told(prepare_report(node.ledger.store, node.ledger.keystore, "r", tomorrow))


def test_a_book_of_another_log_or_of_one_that_was_put_back_is_made_again(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path / "a") as place:
        story = ReportStory(place, random.Random(1))
        story.grant()
        mine = counting(place, tmp_path / "mine")
        size = mine.catch_up().size
        other_url = f"sqlite:///{tmp_path / 'other.sqlite'}"
        with supervised(other_url, tmp_path / "b") as other:
            ReportStory(other, random.Random(2)).grant()
            wrong = counting(other, tmp_path / "mine")
            with wrong.book.view():
                assert wrong.book.place()[0] == size
            assert wrong.catch_up().is_whole
            right = counting(other, tmp_path / "right")
            right.catch_up()
            with wrong.book.view(), right.book.view():
                assert wrong.book.counted(0, 2**60) == right.book.counted(0, 2**60)


def test_nothing_of_an_erased_consent_stays_in_the_book(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path) as place:
        gone = place.node.grant()
        book = counting(place, tmp_path / "book")
        book.catch_up()
        erase(place, consent_chain(gone))
        book.catch_up()
        file = sqlite3.connect(tmp_path / "book")
        assert file.execute("SELECT count(*) FROM facts WHERE dims > 0").fetchone() == (0,)
        assert file.execute("SELECT count(*) FROM states").fetchone() == (0,)
        assert file.execute("SELECT count(*) FROM chains WHERE state IS NOT NULL").fetchone() == (0,)
        file.close()


def test_the_book_is_its_owners_alone_and_a_damaged_one_is_no_empty_one(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path) as place:
        place.node.grant()
        book = counting(place, tmp_path / "book")
        book.catch_up()
        book.book.close()
        assert (tmp_path / "book").stat().st_mode & 0o077 == 0
        (tmp_path / "book").chmod(0o644)
        counting(place, tmp_path / "book").close()
        assert (tmp_path / "book").stat().st_mode & 0o077 == 0
        for extra in ("-wal", "-shm"):
            Path(f"{tmp_path / 'book'}{extra}").unlink(missing_ok=True)
        shutil.copy(tmp_path / "book", tmp_path / "damaged")
        (tmp_path / "damaged").write_bytes(b"not a database, not at all" * 400)
        with pytest.raises(Unavailable, match="delete it"):
            counting(place, tmp_path / "damaged")


def test_a_book_of_somebody_else_that_is_open_to_others_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "theirs"
    path.touch()
    path.chmod(0o644)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)  # the system's answer to whoever is not the owner
    with pytest.raises(Unavailable, match="chmod 600"):
        open_book(path)
