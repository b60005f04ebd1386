"""How a rule fires: unless it is quiet about the same thing, or nobody can know (docs/spec/risk.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from verifier.records.leaf import Leaf
from verifier.rules.chain_store import Chain
from verifier.rules.orders import RULES
from verifier.rules.remembered import QUIET, Fires, Habits

NUMBERS = {rule: number for number, rule in enumerate(RULES, 1)}


class Fired(NamedTuple):
    """An alert that a rule gives, at the entry `at_index` of `time` (ms). `model`: its name, of rule 12."""

    at_index: int
    number: int
    kind: str
    about: str
    time: int
    score: int
    features: tuple[int, ...]
    model: str = ""


def fire(
    own: Fires,
    rule: str,
    name: str,
    index: int,
    time: int,
    passed: bool,
    holds: bool,
    score: int,
    features: tuple[int, ...],
    model: str = "",
    kind: str = "recipient",
) -> Iterator[Fired]:
    """The alert about a participant, unless the rule is quiet, or nobody can know."""
    if own.doubts and not own.is_sure(rule, index, time, passed, holds):
        return
    if holds and time - own.fired.get(rule, -QUIET[rule]) >= QUIET[rule]:
        own.fired[rule] = time
        yield Fired(index, NUMBERS[rule], kind, name, time, min(1_000, score), features, model)


def fire_about(
    chain: Chain, habits: Habits, rule: str, index: int, leaf: Leaf, holds: bool, score: int, features: tuple[int, ...]
) -> Iterator[Fired]:
    """The alert about a consent, unless the rule is quiet, or nobody can know."""
    if holds and chain.known and leaf.time - habits.fired.get(rule, -QUIET[rule]) >= QUIET[rule]:
        habits.fired[rule] = leaf.time
        yield Fired(index, NUMBERS[rule], "consent", leaf.chain.decode(), leaf.time, min(1_000, score), features)
