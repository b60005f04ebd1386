"""Cases: a log that is the head log of a set, and what its documents say of the shards (sets.md, 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.cases import Told, case
from tests.vectors.hashing import Json, b64u, draw
from tests.vectors.log import ORIGIN
from tests.vectors.signing import Ed25519
from tests.vectors.story import Story
from tests.vectors.told_keys import NEW, OLD, added

EAST, WEST, NORTH = ("shard.example/east", "shard.example/west", "shard.example/north")
FIRST = 13
"""The entry at which the log becomes a head log; the lie of a case stands four entries after it."""
LIE = FIRST + 4
SMALL_ORDER = b64u(bytes(32))


def key(label: str) -> str:
    return b64u(Ed25519(label).public)


def add(log: Story, origin: str = NORTH, **changes: Any) -> int:
    members = {"origin": origin, "key": key(origin), **changes}
    return log.operator("shard.added", **{"v": 2, "chain": "operator:set", **members})


def place(log: Story, holder: str = "new.example", origin: str = EAST, **changes: Any) -> int:
    return log.operator(
        "holder.placed", **{"v": 2, "chain": "operator:set", "holder": holder, "origin": origin, **changes}
    )


def head(origin: str, size: int, **lies: Any) -> Json:
    return {"origin": origin, "root": b64u(draw(f"root {origin} {size}", 32)), "size": size, **lies}


def commit(log: Story, *heads: Any, **changes: Any) -> int:
    return log.operator("heads.committed", **{"v": 2, "chain": "operator:heads", "heads": [*heads], **changes})


def begun(log: Story) -> None:
    """Two shards, a holder in one, and a head of each."""
    add(log, EAST)
    add(log, WEST)
    place(log, "bank.example", EAST)
    commit(log, head(EAST, 5), head(WEST, 9))


def rows(code: str, step: str, **tells: tuple[str, Callable[[Story], Any]]) -> None:
    """Cases of one defect, or of none (code empty): name → why, and what is told between two honest commitments."""
    for name, (why, tell) in tells.items():

        def told(log: Story, tell: Callable[[Story], Any] = tell) -> None:
            begun(log)
            tell(log)
            commit(log, head(EAST, 700), head(WEST, 800))

        told.__name__, told.__doc__ = name, why
        defects: tuple[Told, ...] = ((code, LIE),) if code else ()
        case(step, told=defects, exit=1 if code else 0)(told)


rows(
    "",
    "8.3",
    a_head_log=("Shards, a holder and heads, each in its chain.", place),
    a_head_that_has_not_changed=("It is committed again.", lambda log: commit(log, head(EAST, 5), head(WEST, 10))),
    six_heads_in_one_document=(
        "As many as there may be.",
        lambda log: (
            [add(log, f"shard.example/{n}") for n in range(6)],
            commit(log, *(head(f"shard.example/{n}", 1) for n in range(6))),
        ),
    ),
)
rows(
    "CONSENT_INVALID",
    "8.3",
    a_shard_of_the_head_logs_own_name=("A log is no shard of itself.", lambda log: add(log, ORIGIN)),
    a_shard_added_twice=("An origin is added once.", lambda log: add(log, EAST, key=key("another"))),
    a_shard_with_the_key_of_another=("A key has one log.", lambda log: add(log, NORTH, key=key(WEST))),
    a_holder_placed_in_no_shard=("A holder's shard is added before.", lambda log: place(log, origin=NORTH)),
    a_holder_placed_twice=("A holder belongs to one shard for ever.", lambda log: place(log, "bank.example", WEST)),
    a_head_of_no_shard=("A head is that of a shard that was added.", lambda log: commit(log, head(NORTH, 3))),
    a_head_that_falls=("A shard only grows.", lambda log: commit(log, head(WEST, 8))),
    another_root_for_one_size=(
        "A shard has one root for one size.",
        lambda log: commit(log, head(EAST, 5, root=SMALL_ORDER)),
    ),
)
rows(
    "BAD_SIGNATURE",
    "8.2",
    a_shard_with_a_key_of_small_order=(
        "Nobody's signature would mean anything.",
        lambda log: add(log, key=SMALL_ORDER),
    ),
)
rows(
    "BAD_ENCODING",
    "8.2",
    a_shard_document_of_version_1=("The documents of a set are of version 2.", lambda log: add(log, v=1)),
    a_shard_whose_origin_has_a_plus=("No key can bear such a name.", lambda log: add(log, "shard.example+1")),
    a_shard_with_a_member_too_many=("The members are exact.", lambda log: add(log, name="north")),
    a_placing_of_nobody=("A holder is named by a participant's id.", lambda log: place(log, "Bank")),
    a_commitment_to_nothing=("One head at least.", commit),
    seven_heads_in_one_document=(
        "One more than there may be.",
        lambda log: commit(log, *(head(f"s/{n}", 1) for n in range(7))),
    ),
    heads_out_of_order=("They are sorted by origin.", lambda log: commit(log, head(WEST, 10), head(EAST, 6))),
    one_shard_twice_in_one_document=("Each shard once.", lambda log: commit(log, head(EAST, 6), head(EAST, 7))),
    a_head_of_an_empty_shard=("A size is 1 or more.", lambda log: commit(log, head(EAST, 0))),
    a_head_with_a_member_too_many=("The members are exact.", lambda log: commit(log, head(EAST, 6, time=1))),
    a_head_whose_root_is_short=("A root has 32 bytes.", lambda log: commit(log, head(EAST, 6, root="AAAA"))),
)
rows(
    "BAD_CHAIN",
    "8.4",
    a_shard_in_the_chain_of_heads=("Each document has its chain.", lambda log: add(log, chain="operator:heads")),
)


@case("8.3", told=(("CONSENT_INVALID", FIRST + 1), ("CONSENT_INVALID", FIRST + 2)))
def _a_shard_with_a_key_of_the_head_log(log: Story) -> None:
    """A `log.key_added` names two keys, and neither can be a shard's."""
    added(log)
    add(log, EAST, key=b64u(NEW.public))
    add(log, WEST, key=b64u(OLD.public))


@case("8.3", told=(("CONSENT_INVALID", FIRST + 1), ("CONSENT_INVALID", FIRST + 2)))
def _a_fall_beside_a_stranger(log: Story) -> None:
    """After the defect the heads of shards that were added are taken over: the next one is compared with them."""
    add(log, EAST)
    commit(log, head(EAST, 9), head(NORTH, 2))
    commit(log, head(EAST, 8))
