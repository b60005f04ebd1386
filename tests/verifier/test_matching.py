"""What is compared once a whole log was read: identities, challenges, missing evidence, each fact alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.verifier.forge import b64u, sha
from tests.verifier.legs_read import CHAIN, DIGEST, OTHER_CHAIN, Read, told
from verifier.errors import Code
from verifier.rules.access_legs import RELEASE, UNREAD, Legs
from verifier.rules.findings import Findings
from verifier.rules.matching import Matching


@contextmanager
def matching() -> Iterator[tuple[Matching, Findings]]:
    made = Matching()
    with closing(made):
        yield made, Findings()


KEY, PAYLOAD = sha(b"jti")[:16], sha(b"payload")[:16]


@pytest.mark.parametrize(
    ("entries", "again"),
    [
        ([(PAYLOAD, -1, 5)], []),
        ([(PAYLOAD, -1, 5), (PAYLOAD, -1, 6)], [6]),
        ([(PAYLOAD, -1, 5), (PAYLOAD[:-1] + b"?", -1, 6)], [6]),
        ([(PAYLOAD, 0, 5), (PAYLOAD, 1, 6), (PAYLOAD, 2, 7)], []),
        ([(PAYLOAD, 1, 5), (PAYLOAD, 0, 6)], []),
        ([(PAYLOAD, 0, 5), (PAYLOAD, 1, 6), (PAYLOAD, 1, 7)], [7]),
        ([(PAYLOAD, 0, 5), (PAYLOAD[:-1] + b"?", 1, 6)], [6]),
        ([(PAYLOAD, 0, 5), (PAYLOAD, -1, 6)], [6]),
    ],
)
def test_an_identity_is_used_once_or_once_for_each_place_in_a_batch(
    entries: list[tuple[bytes, int, int]], again: list[int]
) -> None:
    with matching() as (made, findings):
        for payload, position, index in entries:
            made.put_identity(KEY, payload, position, index)
        made.put_identity(KEY[:-1] + b"?", PAYLOAD, 0, 8)
        made.put_identity(KEY[:-1] + b"?", PAYLOAD, 1, 9)
        made.finish(findings, {}, full=True, time=0)
    assert told(findings) == [(Code.BAD_CHAIN, index) for index in again]
    assert findings.checked["identities (iss, jti)"] == len(entries) + 2


def test_a_challenge_is_confirmed_once() -> None:
    with matching() as (made, findings):
        made.put_challenge(sha(b"challenge"), 5)
        made.put_challenge(sha(b"challenge")[:15] + b"?", 6)
        made.put_challenge(sha(b"challenge"), 7)
        made.finish(findings, {}, full=True, time=0)
    assert told(findings) == [(Code.CONSENT_INVALID, 7)]


def test_missing_evidence_is_erased_withheld_or_a_defect() -> None:
    for full, codes in ((True, [(Code.BODY_MISSING, 6)]), (False, [])):
        with matching() as (made, findings):
            made.put_missing(CHAIN, 5, "consent")
            made.put_missing(OTHER_CHAIN, 6, "subject")
            assert made.missing == {"consent": 1, "subject": 1}
            made.finish(findings, {CHAIN.decode(): 9}, full, time=0)
        assert told(findings) == codes
        erased = {"evidence erased, as an erasure document says": 1}
        assert findings.unchecked == (erased if full else {**erased, "evidence withheld": 1})


@pytest.mark.parametrize(
    ("missing", "lost", "excused"),
    [
        ([], [], False),
        ([("subject", 5)], [], False),
        ([("consent", 5)], [], True),
        ([], [5], True),
        ([("consent", 3)], [3], False),
        ([("consent", 7)], [7], False),
    ],
)
def test_only_what_may_have_been_its_access_excuses_a_leg_without_one(
    missing: list[tuple[str, int]], lost: list[int], excused: bool
) -> None:
    with matching() as (made, findings):
        for kind, index in missing:
            made.put_missing(CHAIN, index, kind)
        for index in lost:
            made.lose(index)
        assert made.lost == len(lost)
        made.legs.report(
            40,
            {
                "from_index": 4,
                "to_index": 6,
                "accesses": 0,
                "releases": 0,
                "receipts": 0,
                "findings": 0,
                "findings_hash": b64u(sha(b"consent-ledger/v1/findings\0")),
            },
        )
        content = {"interaction_id": "one", "rows": 3, "bytes": 900, "digest": DIGEST}
        made.legs.put(5, RELEASE, 6, CHAIN, content, 0, "bank.example", 0)
        made.finish(findings, {}, full=False, time=0)
    assert told(findings) == ([] if excused else [(Code.UNMATCHED, 6)])


def test_a_report_over_missing_evidence_of_a_consent_or_a_lost_entry_is_not_checked() -> None:
    for kind, unchecked in (("consent", 1), ("subject", 0), ("", 1)):
        with matching() as (made, findings):
            if kind:
                made.put_missing(CHAIN, 4, kind)
            else:
                made.lose(4)
            read = Read()
            read.legs.close()
            read.legs = made.legs
            read.report(40, 4, 6, (0, 0, 0), [])
            made.finish(findings, {}, full=False, time=0)
        assert findings.unchecked.get(UNREAD, 0) == unchecked


def full_legs() -> Legs:
    """So many that they go to disk."""
    made = Legs()
    for index in range(300):
        made.put(
            5, RELEASE, index, CHAIN, {"interaction_id": "one", "rows": 3, "bytes": 900, "digest": DIGEST}, 0, "", 0
        )
    return made


def full_matching() -> Matching:
    made = Matching()
    for index in range(900):
        made.put_missing(CHAIN, index, "subject")
    made.legs.close()
    made.legs = full_legs()
    return made


@pytest.mark.parametrize("kind", [full_legs, full_matching])
def test_temporary_files_are_given_back(kind: Callable[[], Legs | Matching]) -> None:
    def is_open() -> set[str]:
        return {place.name for place in Path("/dev/fd").iterdir()}

    before = is_open()
    made = kind()
    during = is_open()
    made.close()
    assert before < during
    assert is_open() == before
