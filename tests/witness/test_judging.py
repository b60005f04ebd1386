"""What a witness answers, as a pure function: the published session, and every refusal with its status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.witness.server import WitnessService
from api.witness.store import WitnessStore
from ledger.errors import BadEncoding, BadSignature, InvalidInput
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.proofs import prove_consistency
from ledger.merkle.tiles import TileReader
from ledger.notes.checkpoint import sign_checkpoint
from ledger.notes.keys import COSIGNATURE, Cosigner, Ed25519NoteSigner, format_secret_key, parse_cosigner, parse_vkey
from ledger.notes.note import open_note
from ledger.notes.policy import parse_policy
from ledger.witnessing import (
    AddCheckpoint,
    WitnessedTree,
    cosign,
    judge,
    open_cosignatures,
    parse_request,
    with_cosignatures,
)
from tests.clocks import HandClock
from tests.conformance import files
from tests.world import ORIGIN

LOG = Ed25519NoteSigner(ORIGIN, bytes(range(32)))
LIAR = Ed25519NoteSigner(ORIGIN, bytes(32))
COSIGNER = Cosigner("w1.example", bytes(range(32, 64)))
LOGS = {ORIGIN: (LOG.vkey,)}


class GrowingLog:
    """Trees of one log, and proofs between them."""

    def __init__(self, salt: bytes = b"") -> None:
        self._leaves = [leaf_hash(salt + b"%d" % number) for number in range(40)]

    def root(self, size: int) -> bytes:
        return Edge().grow(self._leaves[:size]).root if size else Edge().root()

    def note(self, size: int, signer: Ed25519NoteSigner = LOG) -> str:
        return sign_checkpoint(ORIGIN, size, self.root(size), signer)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        edge = Edge().grow(self._leaves[:new]).edge()

        def tile(level: int, number: int, width: int) -> bytes:
            return (edge.tile(level, number) or b"")[: 32 * width]

        return tuple(prove_consistency(old, new, TileReader(new, tile).read_hashes))

    def seen(self, size: int) -> WitnessedTree:
        return WitnessedTree(size, self.root(size))


TREES = GrowingLog()
OTHER = GrowingLog(b"another history ")


def answer(known: WitnessedTree | None, body: bytes) -> int:
    verdict = judge(LOGS, lambda _: known, body)
    assert (verdict.checkpoint is not None) == (verdict.status == 200)
    return verdict.status


@pytest.mark.conformance
def test_a_witness_answers_a_published_session_as_it_says(tmp_path: Path) -> None:
    for path in files("vectors/witness/*.json", shape=lambda one: "requests" in one.read_text()):
        session = json.loads(path.read_text())
        logs = {session["origin"]: (parse_vkey(session["log_vkey"]),)}
        store = WitnessStore(tmp_path / f"{path.stem}.sqlite")
        witness = WitnessService(Cosigner("example.com/witness", bytes(32)), logs, store, HandClock())
        for request in session["requests"]:
            reply = witness.add_checkpoint(request["request_body"].encode())
            also = request.get("also_acceptable_status", [])
            assert reply.status in (request["status"], *also), request["name"]
            if reply.status in (200, 409):
                assert (request.get("response_contains") or "") in reply.body.decode(), request["name"]
        store.close()


def test_growth_from_nothing_and_from_before_is_cosigned() -> None:
    assert answer(None, AddCheckpoint(0, (), TREES.note(7)).format()) == 200
    for old, new in ((1, 2), (3, 7), (4, 8), (7, 40)):
        assert answer(TREES.seen(old), AddCheckpoint(old, TREES.proof(old, new), TREES.note(new)).format()) == 200
    assert answer(TREES.seen(7), AddCheckpoint(7, (), TREES.note(7)).format()) == 200  # a fresh date


def test_another_history_is_never_cosigned() -> None:
    for old, new in ((3, 7), (4, 8), (8, 8)):
        proof = OTHER.proof(old, new) if old < new else ()
        assert answer(TREES.seen(old), AddCheckpoint(old, proof, OTHER.note(new)).format()) == 422
        assert (
            answer(
                TREES.seen(old),
                AddCheckpoint(old, TREES.proof(old, new) if old < new else (), OTHER.note(new)).format(),
            )
            == 422
        )


def test_a_smaller_tree_is_told_the_size_that_is_known() -> None:
    for body in (AddCheckpoint(0, (), TREES.note(3)).format(), AddCheckpoint(3, (), TREES.note(3)).format()):
        verdict = judge(LOGS, lambda _: TREES.seen(7), body)
        assert (verdict.status, verdict.body, verdict.media_type) == (409, "7\n", "text/x.tlog.size")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old 0\n", 400),
        (b"old 00\n\n" + TREES.note(3).encode(), 400),
        (b"\xff", 400),
        (b"old 0\n" + b"AAAA\n\n" + TREES.note(3).encode(), 400),
        (b"old 0\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + TREES.note(3).encode(), 400),
        (b"old 9\n\n" + TREES.note(3).encode(), 400),
        (b"old 0\n\nnot a note", 400),
        (AddCheckpoint(0, (), TREES.note(3, LIAR)).format(), 403),
        (AddCheckpoint(0, (), TREES.note(3).replace(ORIGIN, "ledger.example/2")).format(), 404),
        (AddCheckpoint(0, (bytes(32),), TREES.note(3)).format(), 422),
    ],
    ids=[
        "empty",
        "cut",
        "leading-zero",
        "no-utf-8",
        "short-hash",
        "long-proof",
        "old-above",
        "no-note",
        "liar",
        "stranger",
        "proof-from-nothing",
    ],
)
def test_a_wrong_request_is_refused_with_its_status(body: bytes, status: int) -> None:
    assert answer(None, body) == status


def test_strangers_signature_lines_below_a_checkpoint_are_not_passed_on() -> None:
    forged = TREES.note(3) + "— somebody.example " + "A" * 96 + "\n"
    verdict = judge(LOGS, lambda _: None, AddCheckpoint(0, (), forged).format())
    assert verdict.status == 200
    assert verdict.note == TREES.note(3)


def test_requests_come_back_as_they_were_written() -> None:
    request = AddCheckpoint(3, TREES.proof(3, 7), TREES.note(7))
    assert parse_request(request.format()) == request


def test_only_lines_of_known_witnesses_that_hold_are_taken() -> None:
    note = TREES.note(5)
    line = cosign(note, COSIGNER, 1_795_392_000)
    stranger = cosign(note, Cosigner("w2.example", bytes(32)), 1_795_392_000)
    assert open_cosignatures(note, line + stranger, [COSIGNER.vkey]) == {"w1.example": (line, 1_795_392_000)}
    assert {key.name for key, _ in open_note(with_cosignatures(note, [line]), [LOG.vkey, COSIGNER.vkey]).verified} == {
        ORIGIN,
        "w1.example",
    }
    with pytest.raises(BadSignature):
        open_cosignatures(TREES.note(6), line, [COSIGNER.vkey])
    for answered in ("", "hello\n", line * 20):
        with pytest.raises(BadEncoding):
            open_cosignatures(note, answered, [COSIGNER.vkey])


def test_a_witness_key_comes_back_from_its_file_and_no_log_key_passes_for_one() -> None:
    text = format_secret_key("w1.example", bytes(range(32, 64)), key_type=COSIGNATURE)
    assert parse_cosigner(text).vkey == COSIGNER.vkey
    for wrong in (format_secret_key(ORIGIN, bytes(32)), text[:-1], text + "\n"):
        with pytest.raises(BadEncoding):
            parse_cosigner(wrong)
    with pytest.raises(InvalidInput):
        format_secret_key("w1.example", b"short", key_type=COSIGNATURE)


@pytest.mark.conformance
def test_every_published_policy_has_its_verdict() -> None:
    seen = 0
    for path in files("vectors/tlog-policy/*.json"):
        for case in json.loads(path.read_text()):
            seen += 1
            if not case["valid"]:
                with pytest.raises(BadEncoding):
                    parse_policy(case["policy"].encode())
                continue
            policy = parse_policy(case["policy"].encode())
            keys = {witness.name: witness.vkey for witness in policy.witnesses}
            if policy.quorum == "none":
                assert not policy.is_witnessed(keys.values())
                continue
            assert policy.is_witnessed([keys[name] for name in case["satisfied_by"]])
            if case["not_satisfied_by"] is not None:
                assert not policy.is_witnessed([keys[name] for name in case["not_satisfied_by"]])
    assert seen
