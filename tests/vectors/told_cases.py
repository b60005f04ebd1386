"""Cases: what one authority hands to another, and what the other signs for (ruleset-3.md, 14)."""

from __future__ import annotations

from typing import Any

from tests.vectors.hashing import b64u, sha
from tests.vectors.signing import Ed25519
from tests.vectors.story import HOLDER
from tests.vectors.story_3 import MARKS, REGULATOR, Story3
from tests.vectors.told_in_tables import Tell, both, honest, rows

OTHER = "authority-2.example"
PACK = b64u(sha(b"the file of a case"))
OTHER_FILE = b64u(sha(b"another file"))
AT = MARKS["active"]
OPENED = AT + 2
"""The disclosure: the second authority is registered with a key before it."""
NEXT = OPENED + 1


def prepared(*tells: Tell) -> Tell:
    """What comes once a second authority is registered, and evidence was opened to the first."""

    def tell(log: Story3) -> None:
        log.register(OTHER, ["regulator"], Ed25519("authority-2"))
        log.operator("disclosure", participant=REGULATOR, case="case-7", from_index=1, to_index=5)
        both(*tells)(log)

    return tell


def hand(log: Story3, iss: str = REGULATOR, **changes: Any) -> int:
    members = {"basis": "gdpr-61", "disclosure": OPENED, "handover_id": "case-7-to-2", "pack_hash": PACK}
    return log.say(iss, "case.hand_over", **{**members, "scope": {"holder": HOLDER}, "to": OTHER, **changes})


def receive(log: Story3, iss: str = OTHER, **changes: Any) -> int:
    return log.say(iss, "case.receive", **{"handover": NEXT, "pack_hash": PACK, **changes})


honest(
    "a-case-that-is-handed-over-and-signed-for",
    "Evidence is opened, its file goes to another authority, which signs for the very file.",
    "active",
    prepared(hand, receive),
    "8.15",
)
rows(
    "active",
    "7.8",
    code="BAD_ENCODING",
    more=3,
    a_case_handed_over_without_a_scope=("`scope` is an object.", prepared(lambda log: hand(log, scope="all"))),
    a_case_handed_over_without_a_hash=("32 bytes.", prepared(lambda log: hand(log, pack_hash="no"))),
    a_case_handed_over_on_a_basis_of_words=("A code.", prepared(lambda log: hand(log, basis="the law"))),
    a_signature_for_a_case_before_the_log=("A count.", prepared(lambda log: receive(log, handover=-1))),
)
rows(
    "active",
    "8.7",
    more=3,
    a_case_handed_over_by_a_bank=("A regulator.", prepared(lambda log: hand(log, HOLDER))),
    a_case_signed_for_by_a_bank=("A regulator.", prepared(lambda log: receive(log, HOLDER))),
)
rows(
    "active",
    "8.15",
    more=3,
    a_case_that_nobody_opened=("A disclosure.", prepared(lambda log: hand(log, disclosure=OPENED - 1))),
    a_case_that_was_opened_to_another=("To this participant.", prepared(lambda log: hand(log, OTHER, to=REGULATOR))),
    a_case_handed_to_itself=("Another.", prepared(lambda log: hand(log, to=REGULATOR))),
    a_case_handed_to_a_bank=("A regulator.", prepared(lambda log: hand(log, to=HOLDER))),
    a_case_handed_to_a_stranger=("Registered.", prepared(lambda log: hand(log, to="nobody.example"))),
    a_signature_for_nothing=("A `case.hand_over`.", prepared(receive)),
)
rows(
    "active",
    "8.15",
    more=4,
    a_case_handed_over_twice_by_one_name=("Unique.", prepared(hand, hand)),
    a_signature_for_another_file=("The same hash.", prepared(hand, lambda log: receive(log, pack_hash=OTHER_FILE))),
    a_signature_by_who_handed_over=("To this participant.", prepared(hand, lambda log: receive(log, REGULATOR))),
)
rows(
    "active",
    "8.15",
    more=5,
    a_signature_that_comes_twice=("Once.", prepared(hand, receive, receive)),
    a_signature_for_what_was_illegal=(
        "A legal one.",
        prepared(hand, receive, lambda log: receive(log, REGULATOR, handover=OPENED)),
    ),
)
