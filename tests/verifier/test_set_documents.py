"""What a head log says of its shards, document by document, at the edges (docs/spec/sets.md, 1)."""

from __future__ import annotations

import pytest

from tests.verifier.forge import b64u, signing_key
from tests.verifier.making import refusal
from verifier.bytes.encoding import Json, Object
from verifier.errors import Code
from verifier.rules.log_keys import LogKeys
from verifier.rules.sets import ShardHead, Shards

OWN, ORIGIN = "ledger.example/head", "ledger.example/first"
ROOT, OTHER_ROOT = b"r" * 32, b"s" * 32


def known(origin: str = ORIGIN) -> Shards:
    shards = Shards(LogKeys())
    key = b64u(bytes(signing_key("a shard").verify_key))
    shards.fold({"type": "shard.added", "origin": origin, "key": key}, 5, OWN)
    return shards


def commit(shards: Shards, index: int, size: int, root: bytes = ROOT) -> None:
    heads: Json = [{"origin": ORIGIN, "size": size, "root": b64u(root)}]
    shards.fold({"type": "heads.committed", "heads": heads}, index, OWN)


def test_a_shard_may_stand_still_and_never_shrinks_or_changes_its_root() -> None:
    shards, seen = known(), list[tuple[int, int]]()
    shards.watch = lambda index, head: seen.append((index, head.size))
    commit(shards, 6, 1)
    commit(shards, 7, 9)
    commit(shards, 8, 9)
    for index, size, root in ((9, 8, ROOT), (10, 8, OTHER_ROOT)):
        with refusal(Code.CONSENT_INVALID):
            commit(shards, index, size, root)
    assert shards.heads[ORIGIN] == ShardHead(ORIGIN, 8, OTHER_ROOT), "it is held against the shard all the same"
    assert seen == [(6, 1), (7, 9), (8, 9), (9, 8), (10, 8)]


@pytest.mark.parametrize(("holder", "fine"), [("b" * 63, True), ("b" * 64, False), ("b" * 2, True)])
def test_a_placed_holder_has_a_participants_id(holder: str, fine: bool) -> None:
    document: Object = {"type": "holder.placed", "holder": holder, "origin": ORIGIN}
    if fine:
        known().fold(document, 6, OWN)
        return
    with refusal(Code.BAD_ENCODING):
        known().fold(document, 6, OWN)


def test_an_origin_has_255_characters_at_most() -> None:
    longest = "o" * 255
    assert known(longest).added.keys() == {longest}
    with refusal(Code.BAD_ENCODING):
        known("o" * 256)
