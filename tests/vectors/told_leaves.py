"""Cases: what the log's own key signed although it is no leaf, or not the next one (verdicts.md, steps 5.4 and 6)."""

from __future__ import annotations

import json
from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import Json, b64u, chain_of, encode
from tests.vectors.story import FIRST, HOLDER, Story

ZERO = b64u(bytes(32))


def bent(log: Story, **members: Any) -> None:
    """An access with members of its leaf set to something else, and an honest entry after it."""
    log.access(FIRST, log.allow(11), {"lie": members}, customer_present=True)
    log.tick().access(FIRST, log.allow(11), customer_present=True)


def entry(log: Story, content: bytes) -> None:
    """An entry of whatever bytes in the place of an access, and an operator document after it."""
    log.access(FIRST, log.allow(11), {"lie": content})
    log.chains[chain_of(FIRST)].pop()
    del log.bodies[13]
    log.operator("participant.suspended", participant=HOLDER, reason="case")


def honest(log: Story, **changes: Any) -> Json:
    """The leaf of an access at 13."""
    other = log.copy()
    other.access(FIRST, other.allow(11))
    return {**json.loads(other.entries[13]), **changes}


@case("5.4", told=(("BAD_ENCODING", 13),))
def _an_entry_that_is_an_empty_object(log: Story) -> None:
    """It is in the tree, and it is no leaf."""
    entry(log, b"{}")


@case("5.4", told=(("BAD_ENCODING", 13),))
def _an_entry_that_is_no_json(log: Story) -> None:
    """Bytes that are not even UTF-8."""
    entry(log, b"\xff\xfe")


@case("5.4", told=(("BAD_ENCODING", 13),))
def _a_leaf_with_white_space(log: Story) -> None:
    """A leaf has one spelling."""
    entry(log, encode(honest(log)).replace(b":", b": ", 1))


@case("5.4", told=(("BAD_ENCODING", 13),))
def _a_leaf_with_a_member_twice(log: Story) -> None:
    """Names are unique."""
    entry(log, encode(honest(log)).replace(b'"v":1', b'"v":1,"v":1'))


@case("5.4", told=(("BAD_ENCODING", 13),))
def _a_leaf_with_one_member_more(log: Story) -> None:
    """Exactly the members of its kind."""
    entry(log, encode(honest(log, more=1)))


@case("5.4", told=(("BAD_ENCODING", 13),))
def _a_leaf_of_another_kind(log: Story) -> None:
    """Four kinds exist."""
    entry(log, encode(honest(log, kind="witness")))


@case("5.4", told=(("BAD_ENCODING", 13),))
def _a_leaf_whose_time_is_a_fraction(log: Story) -> None:
    """Numbers are integers."""
    entry(log, encode(honest(log)).replace(b'"v":1', b'"v":1.0'))


@case("5.4", told=(("BAD_ENCODING", 13),))
def _a_leaf_whose_commitment_is_padded(log: Story) -> None:
    """base64url has no padding."""
    entry(log, encode(honest(log, commitment=ZERO + "=")))


@case("5.4", told=(("BAD_ENCODING", 13),))
def _a_leaf_whose_last_bits_are_not_zero(log: Story) -> None:
    """base64url is accepted in its canonical spelling only: decode, encode, compare."""
    entry(log, encode(honest(log, commitment="A" * 42 + "B")))


@case("5.4", told=(("BAD_ENCODING", 13),))
def _a_leaf_of_1025_bytes(log: Story) -> None:
    """The bound comes before the parser."""
    leaf = honest(log)
    entry(log, encode({**leaf, "kind": "c" * (1025 - len(encode({**leaf, "kind": ""})))}))


@case("5.4", "8.0", exit=2)
def _a_leaf_of_another_version(log: Story) -> None:
    """It may say anything, so nothing above it is judged."""
    log.access(FIRST, log.allow(11), {"lie": {"v": 2, "more": 1}})
    log.tick().access(FIRST, log.allow(99), customer_present=True)


@case("6.1", told=(("BAD_CHAIN", 13),))
def _a_leaf_of_another_index(log: Story) -> None:
    """`index` is the place."""
    bent(log, index=14)


@case("6.2", told=(("BAD_CHAIN", 13),))
def _a_leaf_that_names_another_before_it(log: Story) -> None:
    """`prev` is the hash of the leaf before."""
    bent(log, prev=ZERO)


@case("6.3", told=(("TIME_INVALID", 13),))
def _a_leaf_that_is_older_than_the_one_before_it(log: Story) -> None:
    """Time never runs back. One second before the entry before it."""
    log.tick(-3_000).access(FIRST, log.allow(11), customer_present=True)


@case("6.4", told=(("BAD_CHAIN", 13), ("BAD_CHAIN", 14)))
def _a_chain_with_a_gap(log: Story) -> None:
    """The next one is compared with what this one says."""
    bent(log, seq=3)


@case("6.4", told=(("BAD_CHAIN", 13),))
def _a_leaf_that_names_another_in_its_chain(log: Story) -> None:
    """`prev_in_chain` is the hash of the chain's last leaf."""
    bent(log, prev_in_chain=ZERO)


@case("6.5", told=(("INCOMPLETE", 13),))
def _a_map_that_covers_less(log: Story) -> None:
    """`map_size` is the head's own index."""
    log.head({"map_size": 12})


@case("6.6", told=(("BAD_PROOF", 13), ("BAD_PROOF", 15)))
def _two_map_roots_that_are_invented(log: Story) -> None:
    """Each is compared with the leaves, whatever was wrong with others."""
    log.head({"map_root": ZERO})
    log.operator("participant.suspended", participant=HOLDER, reason="case")
    log.head({"map_root": ZERO})


@case("6.6", told=(("BAD_PROOF", 13),))
def _a_map_root_without_one_chain(log: Story) -> None:
    """The map of all chains but the consent's."""
    from tests.vectors.hashing import map_root

    pairs = {chain: value for chain, value in log.map().items() if chain != chain_of(FIRST)}
    log.head({"map_root": b64u(map_root(pairs))})
