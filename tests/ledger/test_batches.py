"""Batches: what their entries share is kept, packed, sent and spelled once, to the bytes that each has by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from api.http.submission import SubmissionReply, entry_reply, recorded_reply
from ledger.canonical import b64, b64_of_hashes, b64u, b64u_of_hashes
from ledger.entries.evidence import (
    AccessOutcome,
    BatchPlace,
    Evidence,
    Obligations,
    batch_evidence,
    batch_tail,
    decode_evidence,
    encode_evidence,
    encode_outcome,
    encode_place,
)
from ledger.errors import BadEncoding, Corrupt
from ledger.merkle.edge import Edge
from ledger.merkle.proofs import verify_inclusion
from ledger.planning.commands import RecordedBatch, SubmitStatement
from ledger.receipts import batch_receipts, check_receipt, receipt_bytes
from ledger.sequencer.wire import Unframer, decode_answer, decode_command, encode_answer, encode_command
from ledger.storage import packing
from ledger.storage.packing import pack, unpack
from tests.world import World, running_world

HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=40)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
STATEMENT = ".".join((b64u(b'{"alg":"EdDSA"}'), b64u(b'{"act":"access.batch"}'), b64u(bytes(64))))


@given(HASHES)
def test_hashes_are_spelled_together_as_each_by_itself(hashes: list[bytes]) -> None:
    if hashes:
        assert b64u_of_hashes(hashes) == [b64u(one) for one in hashes]
        assert b64_of_hashes(hashes) == [b64(one) for one in hashes]


@given(st.integers(0, 700), st.integers(1, 300), st.data())
def test_shared_proofs_are_the_proofs_of_each_leaf(before: int, fresh: int, data: st.DataObject) -> None:
    leaves = [number.to_bytes(32) for number in range(before + fresh)]
    old = Edge()
    old.extend(leaves[:before])
    growth = old.grow(leaves[before:])
    first = data.draw(st.integers(before, before + fresh - 1))
    count = data.draw(st.integers(1, before + fresh - first))

    shared = growth.shared_proofs(first, count)

    assert shared.paths() == [tuple(proof) for proof in growth.proofs()[first - before :][:count]]
    for index, path in enumerate(shared.paths(), first):
        verify_inclusion(index, growth.size, leaves[index], path, growth.root)
    spelled = shared.texts(lambda nodes: [f"{node.hex()} " for node in nodes])
    assert spelled == ["".join(f"{node.hex()} " for node in path) for path in shared.paths()]


@given(TEXTS, HASHES, st.integers(0, 999), st.booleans())
def test_evidence_is_put_together_to_the_bytes_of_its_encoding(
    body: str, path: list[bytes], position: int, allowed: bool
) -> None:
    outcome = AccessOutcome(
        asserted=UNSET if allowed else ("REFUSED_BY_HOLDER",),
        basis=7,
        consent_version=1,
        decision="allow" if allowed else "deny",
        obligations=Obligations(to=0, from_=3, masks=("pan",)),
        reasons=(),
        ruleset=3,
        used_today=0,
    )
    place = BatchPlace(body=body, path=tuple(map(b64u, path)), position=position)
    whole = encode_evidence(Evidence(act="access.request", item=place, outcome=outcome, statements=(STATEMENT,)))

    placed = encode_place(body, "".join(f'"{b64u(one)}",' for one in path), position)
    made = batch_evidence(placed, encode_outcome(outcome), batch_tail(STATEMENT))

    assert made == whole
    assert decode_evidence(made).item == place
    assert unpack(pack(made)) == made


def test_evidence_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadEncoding):
        batch_evidence(encode_place("x" * 60_000, '"",', 0), b"{}", batch_tail(STATEMENT))


@pytest.fixture
def world(engine_url: str, tmp_path: Path) -> Iterator[World]:
    with running_world(engine_url, tmp_path) as world:
        yield world


def recorded_batch(world: World, count: int) -> tuple[SubmitStatement, RecordedBatch]:
    """A batch of some allowed and some denied accesses, recorded."""
    app, bank = world.recipient(), world.holder()
    consents = [world.active_consent(app, bank) for _ in range(2)]
    items = [
        app.item(consents[number % 2], **({"permissions": ["ReadPAN"]} if number % 3 == 2 else {}))
        for number in range(count)
    ]
    said = app.batch(items)
    command = world.ledger.prepare(said.statement, items=said.items)
    answer = world.ledger.submit_soon(command).result(60)
    assert isinstance(answer, RecordedBatch)
    return command, answer


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_each_receipt_of_a_batch_is_the_one_it_has_by_itself_and_holds(world: World, count: int) -> None:
    _, batch = recorded_batch(world, count)
    first, last = batch.first, batch.first + count - 1

    alone = [receipt_bytes(entry) for entry in batch.recorded()]
    stored = [receipt_bytes(entry) for entry in world.ledger.records.recorded(range(first, last + 1), repeated=True)]

    assert batch_receipts(batch) == alone == stored
    for receipt in alone:
        check_receipt(receipt, world.ledger.vkeys)
    one_by_one = SubmissionReply([entry_reply(entry) for entry in batch.recorded()])
    assert recorded_reply(batch).body == msgspec.json.encode(one_by_one)


def test_the_entries_of_a_batch_are_packed_as_anything_else_is(world: World) -> None:
    _, batch = recorded_batch(world, 7)
    for entry in batch.recorded():
        assert entry.evidence is not None
        assert pack(entry.evidence) == packing._packed(entry.evidence)
        assert unpack(pack(entry.evidence)) == entry.evidence


def test_an_access_of_its_own_is_packed_as_anything_else_is(world: World) -> None:
    app, bank = world.recipient(), world.holder()
    consents = [world.active_consent(app, bank) for _ in range(2)]
    for consent in consents * 2:
        for members in ({}, {"permissions": ["ReadPAN"]}, {"customer_present": False}):
            [entry] = world.ledger.record(app.access(consent, **members).statement)
            assert entry.evidence is not None
            assert pack(entry.evidence) == packing._packed(entry.evidence)
            assert unpack(pack(entry.evidence)) == entry.evidence


def frames(data: bytes) -> list[bytes]:
    return list(Unframer().feed(data))


def test_a_batch_and_its_answer_cross_the_line_unchanged(world: World) -> None:
    command, batch = recorded_batch(world, 7)

    [asked] = frames(encode_command(3, command))
    number, heard = decode_command(asked)
    [told] = frames(encode_answer(3, batch))

    assert isinstance(heard, SubmitStatement)
    assert (number, heard.statement) == (3, command.statement)
    assert [item.place for item in heard.items] == [item.place for item in command.items]
    members = (
        "accounts",
        "consent_id",
        "customer_present",
        "from_",
        "interaction_id",
        "permissions",
        "purpose",
        "region",
        "to",
    )
    for here, there in zip(command.items, heard.items, strict=True):
        assert [getattr(here.says, name) for name in members] == [getattr(there.says, name) for name in members]
    assert decode_answer(told) == (3, batch)


def test_a_batch_without_all_its_items_is_no_command(world: World) -> None:
    command, _ = recorded_batch(world, 3)
    for items in (command.items[:2], ()):
        [asked] = frames(encode_command(3, SubmitStatement(command.statement, items)))
        with pytest.raises(Corrupt):
            decode_command(asked)


def test_openings_are_never_the_same(world: World) -> None:
    _, batch = recorded_batch(world, 100)
    assert len({entry.opening for entry in batch.entries}) == 100
    assert all(len(entry.opening) == 32 for entry in batch.entries)
