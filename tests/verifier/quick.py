"""The quick reader of accesses beside the strict one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tests.verifier.forge import ORIGIN, RECIPIENT, World
from verifier.crypto.backend import select
from verifier.crypto.keys import PublicKey, parse_jwk
from verifier.records.disclosure import Reader
from verifier.records.facts import Found
from verifier.records.leaf import parse_leaf
from verifier.records.usual_access import QuickReader

Row = tuple[str, bytes, bytes, int, bytes]


@lru_cache(maxsize=1)
def world() -> World:
    """One log for all examples: consents are added, and accesses of them."""
    made = World(7).open()
    made.grant()
    return made


@lru_cache(maxsize=1)
def keys() -> dict[str, PublicKey]:
    signer = world().signers[RECIPIENT]
    return {signer.kid: parse_jwk(signer.jwk)}


def row_of_entry(made: World, index: int) -> Row:
    leaf = parse_leaf(made.entries[index])
    return leaf.kind, leaf.chain, leaf.commitment, leaf.time, made.line(index)[:-1]


def quick(row: Row, origin: str = ORIGIN) -> Any:
    reader = Reader(origin, select(None), keys())
    return QuickReader(origin, reader.backend, True, reader._signer).read(*row)


def strict(row: Row) -> Found:
    reader = Reader(ORIGIN, select(None), keys())
    reader._quick.read = lambda *_: None  # type: ignore[method-assign]
    return reader.read(*row)


def compare(row: Row) -> bool:
    """Whether the quick reader took it; whatever it takes, the strict one takes, with the same facts."""
    facts = quick(row)
    if facts is None:
        return False
    assert strict(row) == Found(facts, [])
    return True
