"""A register that is looked at every two minutes: whom it suspends is refused at once, whom it re-admits may go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from api.events.connecting import poll_public
from api.office.configuration import RegisterOptions
from api.registers.plan import SUSPENDED_BY_REGISTER, RegisterStatus
from api.registers.watching import INTERVAL_SECONDS, Polled, RegisterWatcher, WatchedRegister, standings_of
from ledger.documents import ParticipantReinstated, ParticipantSuspended, document_of
from ledger.errors import InvalidInput, Unavailable
from tests.api.service import serving
from tests.ports import loopback
from tests.standards.versions import official_file
from tests.world import World, running_world

PLUM, PEAR = "740c368f-ecf9-4d29-a2ea-0514a66b0cde", "840c368f-ecf9-4d29-a2ea-0514a66b0cde"


class CdrRegister:
    """A register that answers as the Consumer Data Right's does."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {PLUM: "ACTIVE"}
        self.body: bytes | None = None
        self.down = False
        self.asked: list[tuple[str, str, str]] = []
        self.sent = 0

    def answer(self, request: Request) -> Response:
        head = request.headers
        self.asked.append((head.get("x-v", ""), head.get("x-min-v", ""), head.get("if-none-match", "")))
        if self.down:
            return Response(status_code=503)
        listed = [{"softwareProductId": one, "status": told} for one, told in self.statuses.items()]
        body = self.body or json.dumps({"data": listed, "links": {"self": "x"}, "meta": {}}).encode()
        etag = f'"{hash(body)}"'
        if head.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        self.sent += 1
        return Response(body, headers={"etag": etag, "x-v": "3"}, media_type="application/json")


class Watched:
    """A log, a register, a clock in the test's hand."""

    def __init__(self, world: World, register: CdrRegister, url: str) -> None:
        self.world, self.register, self.at, self.forgotten = world, register, 0.0, list[str]()
        self.bank, self.app = world.holder(), world.recipient("plum")
        self.watcher = RegisterWatcher(
            world.ledger,
            (WatchedRegister(url, {PLUM: "plum", PEAR: "nobody-here"}),),
            lambda address, etag: Polled(*poll_public(address, etag, {"x-v": "3"}, development=True)),
            self.forgotten.append,
            lambda: self.at,
        )

    def looks(self, seconds: float = INTERVAL_SECONDS) -> int:
        self.at += seconds
        return self.watcher.turn()

    @property
    def standing(self) -> str:
        known = self.world.ledger.registry.participants["plum"]
        return "removed" if known.removed else str(known.reason) if known.suspended else "active"


@contextmanager
def watching(url_of_log: str, folder: Path) -> Iterator[Watched]:
    register, app, listening = CdrRegister(), FastAPI(), loopback()
    app.add_api_route("/statuses", register.answer)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/statuses"
    with serving(app, listening), running_world(url_of_log, folder) as world:
        yield Watched(world, register, url)


@pytest.fixture
def watched(sqlite_url: str, tmp_path: Path) -> Iterator[Watched]:
    with watching(sqlite_url, tmp_path) as running:
        yield running


@pytest.fixture
def watched_on_each_engine(engine_url: str, tmp_path: Path) -> Iterator[Watched]:
    with watching(engine_url, tmp_path) as running:
        yield running


def test_a_recipient_is_refused_while_its_register_suspends_it(watched: Watched) -> None:
    consent = watched.world.active_consent(watched.app, watched.bank)

    def read() -> Any:
        [recorded] = watched.world.record(watched.app.access(consent))
        return recorded.outcome

    assert watched.looks() == 0
    assert read().decision == "allow"
    watched.register.statuses[PLUM] = "INACTIVE"
    assert watched.looks() == 1
    assert watched.standing == SUSPENDED_BY_REGISTER
    assert read().reasons == ("PARTICIPANT_SUSPENDED",)
    watched.register.statuses[PLUM] = "ACTIVE"
    assert watched.looks() == 1
    assert read().decision == "allow"
    assert watched.looks() == 0, "nothing is recorded twice"


def test_a_removal_is_a_suspension_until_two_looks_in_turn_say_so(watched_on_each_engine: Watched) -> None:
    watched = watched_on_each_engine
    consent = watched.world.active_consent(watched.app, watched.bank)
    watched.register.statuses[PLUM] = "REMOVED"
    watched.looks()
    assert watched.standing == SUSPENDED_BY_REGISTER
    watched.register.statuses[PLUM] = "ACTIVE"  # a slip of the register's
    watched.looks()
    assert (watched.standing, watched.forgotten) == ("active", [])
    watched.register.statuses[PLUM] = "REMOVED"
    watched.looks()
    watched.looks()  # by entity tag: nothing new, which says it again
    assert (watched.standing, watched.forgotten) == ("removed", ["plum"])
    known = watched.world.ledger.records.consent(watched.bank.id, consent.consent_id)
    removed = watched.world.ledger.registry.removed
    assert known.status_at(watched.world.clock.now(), removed).value == "TERMINATED"
    watched.register.statuses[PLUM] = "ACTIVE"
    assert watched.looks() == 0, "and is for ever"


@pytest.mark.parametrize(
    "body", [b'{"data":[]}', b'{"data":[{"softwareProductId":"%s","status":"ODD"}]}' % PLUM.encode()]
)
def test_silence_and_unknown_words_of_a_register_change_nothing(watched: Watched, body: bytes) -> None:
    watched.register.statuses[PLUM] = "INACTIVE"
    watched.looks()
    watched.register.body = body
    assert [watched.looks() for _ in range(3)] == [0, 0, 0]
    assert watched.standing == SUSPENDED_BY_REGISTER


def test_a_register_that_is_away_changes_nothing_and_is_asked_after_longer_and_longer_waits(watched: Watched) -> None:
    watched.register.statuses[PLUM] = "INACTIVE"
    watched.looks()
    watched.register.down = True
    watched.looks()
    asked = len(watched.register.asked)
    waits = []
    for _ in range(400):
        watched.looks(1)
        if len(watched.register.asked) > asked:
            asked = len(watched.register.asked)
            waits.append(watched.at)
    gaps = [later - sooner for sooner, later in pairwise(waits)]
    assert gaps[:5] == [4, 8, 16, 32, 64]
    assert set(gaps[5:]) <= {INTERVAL_SECONDS}
    assert watched.standing == SUSPENDED_BY_REGISTER
    watched.register.down, watched.register.statuses[PLUM] = False, "ACTIVE"
    watched.watcher.refresh()
    watched.looks(0)
    assert watched.standing == "active", "a word of the register's makes it be looked at at once"


def test_an_unchanged_list_is_sent_once(watched: Watched) -> None:
    for _ in range(3):
        watched.looks()
    assert watched.register.sent == 1
    assert [one[2] != "" for one in watched.register.asked] == [False, True, True]
    assert watched.looks(INTERVAL_SECONDS - 1) == 0
    assert len(watched.register.asked) == 3, "not before the time has come"


def test_a_register_does_not_end_the_operators_suspension(watched: Watched) -> None:
    ledger = watched.world.ledger
    ledger.record_documents(document_of(ParticipantSuspended, participant="plum", reason="fraud"))
    assert watched.looks() == 0
    assert watched.standing == "fraud"
    ledger.record_documents(document_of(ParticipantReinstated, participant="plum", reason="cleared"))
    watched.register.statuses[PLUM] = "INACTIVE"
    watched.looks()
    ledger.record_documents(document_of(ParticipantReinstated, participant="plum", reason="by-hand"))
    assert watched.looks() == 1, "what the register says still holds"


def test_only_a_list_of_statuses_is_one() -> None:
    for wrong in (b"", b"[]", b'{"data":{}}', b'{"data":[{"status":"ACTIVE"}]}', b"[" * 5000):
        with pytest.raises(InvalidInput):
            standings_of(wrong)
    twice = b'{"data":[{"softwareProductId":"a","status":"REMOVED"},{"softwareProductId":"a","status":"ACTIVE"}]}'
    assert standings_of(twice) == {"a": RegisterStatus.REMOVED}


def test_an_address_within_the_network_is_never_asked() -> None:
    for wrong in ("http://127.0.0.1:1/", "https://10.0.0.1/", "file:///etc/passwd"):
        with pytest.raises(Unavailable):
            poll_public(wrong, "", {}, development=False)


def test_only_the_cdrs_register_lists_statuses() -> None:
    said: dict[str, Any] = {"issuer": "x", "jwks_uri": "https://a.example/", "statuses_uri": "https://a.example/s"}
    RegisterOptions(form="cdr", **said)
    with pytest.raises(ValueError, match="form cdr only"):
        RegisterOptions(form="uk", **said)


@pytest.mark.conformance
def test_the_statuses_are_those_of_the_official_file() -> None:
    schemas = official_file("**/au-cds/**/cds_register*.yaml")["components"]["schemas"]
    assert set(schemas["SoftwareProductStatus"]["properties"]["status"]["enum"]) == {"ACTIVE", "INACTIVE", "REMOVED"}
