"""Keys that registers publish: kept, asked for again, believed for a day (docs/standards/registration.md)."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from api.events.connecting import fetch_public
from api.registers.key_sets import FIRST_WAIT, KEEP_SECONDS, LONGEST_WAIT, STALE_SECONDS, KeySets
from ledger.errors import Unavailable
from tests.keys import KeyPair
from tests.standards.applicants import applying
from tests.standards.registers import open_register, published


class Publisher:
    """A publisher of keys that can fail, and its clock."""

    def __init__(self) -> None:
        self.keys = [KeyPair.generate("ES256", "first")]
        self.down = False
        self.asked = 0
        self.now = 1_000.0

    def fetch(self, address: str) -> bytes:
        del address
        self.asked += 1
        if self.down:
            raise Unavailable("there is no answer")
        return json.dumps({"keys": [published(key) for key in self.keys]}).encode()


def test_keys_are_asked_for_when_they_are_needed_and_kept() -> None:
    publisher = Publisher()
    sets = KeySets(publisher.fetch, lambda: publisher.now)
    for _ in range(5):
        assert sets.keys("a").keys() == {"first"}
    assert publisher.asked == 1
    publisher.keys = [KeyPair.generate("ES256", "second")]
    assert sets.keys("a", "second").keys() == {"first"}, "an unknown one makes us look again, and not at once"
    publisher.now += 61
    assert sets.keys("a", "second").keys() == {"second"}
    publisher.keys = []
    publisher.now += KEEP_SECONDS + 1
    assert sets.keys("a") == {}, "a key that was withdrawn is gone within a quarter of an hour"


def test_a_publisher_that_does_not_answer_is_asked_less_and_less_and_believed_for_a_day() -> None:
    publisher = Publisher()
    sets = KeySets(publisher.fetch, lambda: publisher.now)
    sets.keys("a")
    publisher.down, start = True, publisher.now
    publisher.now += KEEP_SECONDS + 1
    tries = []
    while publisher.now < start + STALE_SECONDS:
        before = publisher.asked
        assert sets.keys("a").keys() == {"first"}
        if publisher.asked > before:
            tries.append(publisher.now)
        publisher.now += 1
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert waits[0] == FIRST_WAIT
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    publisher.now += 1
    with pytest.raises(Unavailable):
        sets.keys("a")
    publisher.down = False
    sets.forget("a")
    assert sets.keys("a").keys() == {"first"}, "somebody said that there is something new"


def test_no_keys_and_no_answer_is_no_registration_but_503(tmp_path: Path) -> None:
    with open_register("cdr") as register, applying(tmp_path / "l", register) as applicant:
        register.down = True
        answer = applicant.ask()
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        register.down = False
        asked = register.asked
        applicant.ask()
        assert register.asked == asked, "not before the wait is over"


def test_an_address_within_the_network_is_never_asked() -> None:
    """The software's own addresses are chosen by a participant; `https` and the public internet only."""
    for url in ("http://127.0.0.1:1/keys", "https://10.0.0.1/keys", "https://169.254.169.254/", "http://app.example/"):
        with pytest.raises(Unavailable, match="public internet"):
            fetch_public(url, development=False)
