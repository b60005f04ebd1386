"""The spans of a log's keys, at the sizes where they begin and end (docs/spec/log.md, «The log's keys»)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.forge import b64u, signing_key
from tests.verifier.making import refusal
from verifier.errors import Code
from verifier.rules.log_keys import LogKeys
from verifier.rules.succeeding import Words

FIRST, SECOND, THIRD = (bytes(signing_key(f"log key {n}").verify_key) for n in range(3))


def said(keys: LogKeys, kind: str, index: int, key: bytes, **members: Any) -> None:
    keys.fold({"v": 2, "type": f"log.key_{kind}", "key": b64u(key), **members}, index)


def added(keys: LogKeys, index: int, key: bytes = SECOND, previous: bytes = FIRST) -> None:
    said(keys, "added", index, key, previous=b64u(previous))


def retired(keys: LogKeys, index: int, key: bytes = FIRST) -> None:
    said(keys, "retired", index, key, signature=b64u(bytes(64)))


def stolen(keys: LogKeys, index: int, from_size: int, key: bytes = FIRST, reason: str = "theft") -> None:
    said(keys, "compromised", index, key, from_size=from_size, reason=reason)


def changed() -> LogKeys:
    """The second key beside the first from entry 10 on, and alone above entry 20."""
    keys = LogKeys()
    added(keys, 10)
    retired(keys, 20)
    return keys


@pytest.mark.parametrize(
    ("size", "present"),
    [(0, [FIRST]), (10, [FIRST]), (11, [FIRST, SECOND]), (20, [FIRST, SECOND]), (21, [SECOND]), (None, [SECOND])],
)
def test_a_key_signs_trees_with_its_first_entry_and_without_its_last(size: int | None, present: list[bytes]) -> None:
    keys = changed()
    assert keys.in_force(size) == present
    [handover] = keys.handovers
    assert (handover.index, handover.key, keys.added) == (20, FIRST, [(10, SECOND, FIRST)])


def test_a_key_is_added_once_beside_the_only_one_in_force() -> None:
    keys = LogKeys()
    with refusal(Code.CONSENT_INVALID):
        added(keys, 5, FIRST, FIRST)
    added(keys, 10)
    for key, previous in ((THIRD, SECOND), (THIRD, FIRST)):  # there are two
        with refusal(Code.CONSENT_INVALID):
            added(keys, 11, key, previous)
    retired(keys, 20)
    for key, previous in ((FIRST, SECOND), (SECOND, FIRST), (THIRD, FIRST)):
        with refusal(Code.CONSENT_INVALID):
            added(keys, 21, key, previous)
    added(keys, 22, THIRD, SECOND)
    assert keys.in_force() == [SECOND, THIRD]


def test_a_key_ends_while_another_is_in_force() -> None:
    with refusal(Code.CONSENT_INVALID):
        retired(LogKeys(), 5)
    keys = changed()
    for key in (FIRST, SECOND, THIRD):
        with refusal(Code.CONSENT_INVALID):
            retired(keys, 25, key)
    assert keys.in_force() == [SECOND]


@pytest.mark.parametrize(("from_size", "legal"), [(0, True), (15, True), (16, False)])
def test_a_key_is_compromised_from_a_size_on_that_the_log_had_by_then(from_size: int, legal: bool) -> None:
    keys = LogKeys()
    added(keys, 10)
    if legal:
        stolen(keys, 15, from_size)
        assert (keys.spans[FIRST].compromised, keys.spans[FIRST].last) == (from_size, 15)
        return
    with refusal(Code.CONSENT_INVALID):
        stolen(keys, 15, from_size)
    assert keys.in_force() == [FIRST, SECOND]


def test_a_key_is_compromised_again_from_an_earlier_size_only() -> None:
    keys = changed()
    stolen(keys, 25, 12)
    assert keys.spans[FIRST].last == 20, "it ended before"
    for size in (12, 13):
        with refusal(Code.CONSENT_INVALID):
            stolen(keys, 26, size)
    stolen(keys, 27, 11)
    assert keys.spans[FIRST].compromised == 11
    with refusal(Code.CONSENT_INVALID):
        stolen(keys, 28, 5, THIRD)
    with refusal(Code.CONSENT_INVALID):
        stolen(keys, 29, 25, SECOND)  # the only one in force


@pytest.mark.parametrize(("reason", "fine"), [("r" * 64, True), ("r" * 65, False), ("", False), ("a b", False)])
def test_a_reason_is_a_code(reason: str, fine: bool) -> None:
    if fine:
        stolen(changed(), 25, 12, reason=reason)
        return
    with refusal(Code.BAD_ENCODING):
        stolen(changed(), 25, 12, reason=reason)


def test_a_reader_of_the_documents_alone_takes_the_same_reasons() -> None:
    words, document = Words(), {"v": 2, "type": "log.key_compromised", "key": b64u(FIRST), "from_size": 5}
    words.read({**document, "reason": "r" * 64}, 20)
    assert words.compromised == {FIRST: (5, 20)}
    with refusal(Code.BAD_ENCODING):
        words.read({**document, "reason": "r" * 65}, 20)


@pytest.mark.parametrize("size", [31, 33])
def test_keys_and_signatures_have_one_length(size: int) -> None:
    keys = changed()
    for kind, members in (
        ("added", {"key": b64u(bytes(size)), "previous": b64u(SECOND)}),
        ("added", {"key": b64u(THIRD), "previous": b64u(bytes(size))}),
        ("retired", {"key": b64u(SECOND), "signature": b64u(bytes(size + 32))}),
        ("retired", {"key": b64u(bytes(size)), "signature": b64u(bytes(64))}),
        ("compromised", {"key": b64u(bytes(size)), "from_size": 1, "reason": "theft"}),
    ):
        with refusal(Code.BAD_ENCODING):
            keys.fold({"v": 2, "type": f"log.key_{kind}", **members}, 30)
