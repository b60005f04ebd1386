"""Cases: what a regulator is there for, and orders beyond it (ruleset-3.md, Remits)."""

from __future__ import annotations

from typing import Any

from tests.vectors.story import HELPER, HOLDER, RECIPIENT
from tests.vectors.story_3 import OFFICERS, REGULATOR, Story3
from tests.vectors.told_in_tables import Tell, both, honest, rows


def grant(to: str, *names: str, **changes: Any) -> Tell:
    """A regulator is there for these."""
    members = {"regulator": REGULATOR, "to": to, "names": sorted(names), **OFFICERS, **changes}

    def tell(log: Story3) -> None:
        log.operator("remit.granted", **members)

    return tell


def ended(log: Story3) -> None:
    """It is there for all again."""
    log.operator("remit.ended", regulator=REGULATOR, **OFFICERS)


rows(
    "active",
    "8.2",
    code="BAD_ENCODING",
    a_remit_of_nobody=("1–32 names.", grant("holder")),
    a_remit_of_a_name_twice=("Unique.", grant("holder", HOLDER, HOLDER)),
    a_remit_to_everybody=("`holder`, `party`, `recipient`.", grant("everybody", HOLDER)),
    a_remit_that_one_officer_approved=("Two codes.", grant("holder", HOLDER, approved_by=["officer-1"])),
)
rows(
    "active",
    "8.3",
    a_remit_ended_that_never_was=("The regulator has none.", ended),
    a_remit_that_one_officer_approved_twice=(
        "Two different codes.",
        grant("holder", HOLDER, approved_by=["officer-1", "officer-1"]),
    ),
)
rows(
    "active",
    "8.15",
    more=1,
    a_freeze_beyond_a_remit=(
        "Its scope names no holder.",
        both(grant("holder", HOLDER), lambda log: log.freeze()),
    ),
    a_freeze_of_everything_beyond_a_remit=(
        "Its scope names nobody.",
        both(grant("party", HOLDER), lambda log: log.freeze(scope={})),
    ),
    a_freeze_of_another_than_the_parties_of_a_remit=(
        "Neither side is one of them.",
        both(grant("party", HOLDER), lambda log: log.freeze(scope={"recipient": RECIPIENT, "country": "SG"})),
    ),
    a_requirement_beyond_a_remit=(
        "Another recipient.",
        both(grant("recipient", HELPER), lambda log: log.require()),
    ),
)
rows(
    "active",
    "8.15",
    more=2,
    a_freeze_beyond_one_of_the_sets_of_a_remit=(
        "Each set that is not empty must be met.",
        both(grant("recipient", RECIPIENT), grant("holder", HOLDER), lambda log: log.freeze()),
    ),
)
rows(
    "active",
    "8.15",
    more=3,
    a_freeze_beyond_a_remit_that_began_anew=(
        "After its end a remit begins with empty sets.",
        both(grant("recipient", RECIPIENT), ended, grant("recipient", HELPER), lambda log: log.freeze(freeze_id="f-2")),
    ),
)
honest(
    "a-freeze-within-a-remit",
    "The recipient was granted, in a second document.",
    "active",
    both(grant("recipient", HELPER), grant("recipient", RECIPIENT), lambda log: log.freeze()),
    "8.15",
)
honest(
    "a-freeze-of-a-party-of-a-remit",
    "One side is enough.",
    "active",
    both(grant("party", RECIPIENT), lambda log: log.freeze()),
    "8.15",
)
honest(
    "a-freeze-after-the-end-of-a-remit",
    "There is none.",
    "active",
    both(grant("holder", HOLDER), ended, lambda log: log.freeze(scope={})),
    "8.15",
)
honest(
    "a-freeze-that-was-lifted-beside-a-remit",
    "Who ordered may lift.",
    "frozen",
    both(grant("holder", HOLDER), lambda log: log.lift()),
    "8.15",
)
honest(
    "a-freeze-of-its-own-beside-a-remit",
    "It needs no regulator.",
    "active",
    both(
        grant("holder", HELPER, regulator=RECIPIENT),
        lambda log: log.freeze(RECIPIENT, scope={"recipient": RECIPIENT}),
    ),
    "8.15",
)
