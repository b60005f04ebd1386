"""Notes, checkpoints, policies, trust files and proofs: who signed is decided by name, id and key, and nothing else."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.verifier.making import BACKEND, TIME, Signer, checkpoint_note, refusal
from tests.verifier.policies import LEAVES, LOG, POLICY, W1, W2, note, rename
from tests.verifier.trees import inclusion_path, root_of
from verifier.bytes import merkle
from verifier.bytes.encoding import encode_base64
from verifier.errors import Code
from verifier.tlog.checkpoint import Checkpoint, parse_checkpoint
from verifier.tlog.head import open_head
from verifier.tlog.note import MAX_LINES, parse_note, parse_vkey, verify_note
from verifier.tlog.policy import parse_policy
from verifier.tlog.proof import Proof, parse_proof, verify_proof


def test_m05_a_checkpoint_of_an_unknown_log_is_refused() -> None:
    with refusal(Code.BAD_SIGNATURE):
        open_head(note(), [Signer("other.example").key], BACKEND)
    with refusal(Code.BAD_SIGNATURE):  # a name is not a key
        open_head(note(), [impostor()], BACKEND)
    with refusal(Code.BAD_SIGNATURE):  # a witness is not the log
        open_head(note(W1), [], BACKEND, witnesses=[W1.key])


def impostor() -> Any:
    other = Signer("ledger.example/test-2")
    other.name = LOG.name
    return parse_vkey(rename(other))


def test_m06_m11_one_bad_line_of_a_known_key_refuses_the_whole_note() -> None:
    other_root = Checkpoint(LOG.name, 7, merkle.hash_leaf(b"")).body()
    text = parse_note(note()).text
    for bad in (
        W1.line(other_root),
        W1.line(text)[:-3] + b"A=\n",
        LOG.line(other_root),
        LOG.line(text + b"x\n"),
    ):
        for data in (note(W2) + bad, note(W2).replace(LOG.line(text), bad + LOG.line(text))):
            with refusal(Code.BAD_SIGNATURE, Code.BAD_ENCODING):
                open_head(data, [LOG.key], BACKEND, witnesses=[W1.key, W2.key])
    stranger = Signer("stranger.example", 4)
    assert open_head(note() + stranger.line(other_root), [LOG.key], BACKEND, witnesses=[W1.key]).cosignatures == ()


def test_a_log_key_is_not_a_witness_and_the_origin_is_the_keys_name() -> None:
    as_witness = Signer(LOG.name, 4)
    head = open_head(note(as_witness), [LOG.key], BACKEND, witnesses=[as_witness.key])
    assert [s.key for s in head.log] == [LOG.key]
    with refusal(Code.BAD_SIGNATURE):
        open_head(note(as_witness), [as_witness.key], BACKEND)
    assert open_head(note(as_witness), [LOG.key, as_witness.key], BACKEND).cosignatures == ()
    second = Signer("second.example")
    head = open_head(note(second), [LOG.key], BACKEND, witnesses=[second.key])
    assert ([s.key for s in head.log], head.cosignatures) == ([LOG.key], ())
    with refusal(Code.BAD_SIGNATURE):  # nor does a key count as the log's because it is of that kind
        open_head(note(second), [Signer("third.example").key], BACKEND, witnesses=[second.key], origin=LOG.name)
    foreign = checkpoint_note(LOG, LEAVES, origin="another log")
    with refusal(Code.BAD_SIGNATURE):
        open_head(foreign, [LOG.key], BACKEND)
    assert open_head(foreign, [LOG.key], BACKEND, origin="another log").size == 7


def test_a_line_repeated_counts_once_and_lines_are_bounded() -> None:
    line = W1.line(parse_note(note()).text)
    signed = verify_note(parse_note(note() + line * 3), [W1.key], BACKEND)
    assert [s.time_ms for s in signed] == [TIME * 1000]
    parse_note(note() + line * (MAX_LINES - 1))
    with refusal(Code.BAD_ENCODING):
        parse_note(note() + line * MAX_LINES)
    with refusal(Code.BAD_ENCODING):
        parse_note(note() + line * 10_000)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.replace("+", "", 1),
        lambda v: v + "A",
        lambda v: v.upper(),
        lambda v: " " + v,
        lambda v: v + "\n",
        lambda v: v.replace("ledger", "lédger "),
        lambda v: v[: v.rindex("+") + 1] + encode_base64(b"\x03" + b"k" * 32),
        lambda v: v.replace("ledger", "ledger2"),
        lambda v: v.split("+")[0],
        lambda v: v[:0],
    ],
)
def test_a_verifier_key_has_one_spelling(change: Any) -> None:
    with refusal(Code.BAD_ENCODING):
        parse_vkey(change(LOG.vkey))


def test_a_weak_verifier_key_is_refused() -> None:
    for raw in (bytes(32), (1).to_bytes(32, "little"), b"\xff" * 32, b"k" * 31):
        with refusal(Code.BAD_SIGNATURE):
            parse_vkey(f"x+00000000+{encode_base64(bytes([1]) + raw)}")


def test_m13_the_empty_log_has_the_empty_root() -> None:
    empty = Checkpoint("x", 0, merkle.EMPTY_ROOT)
    assert parse_checkpoint(empty.body()) == empty
    with refusal(Code.BAD_PROOF):
        parse_checkpoint(Checkpoint("x", 0, bytes(32)).body())


def test_an_rfc_6962_signature_covers_neither_another_origin_nor_extension_lines() -> None:
    private = ec.derive_private_key(77, ec.SECP256R1())
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name, stamp = "ct.example/2026", (1_767_225_600_000).to_bytes(8)
    identity = name.encode() + b"\n\x05" + hashlib.sha256(spki).digest()
    key_id = hashlib.sha256(identity).digest()[:4]
    key = parse_vkey(f"{name}+{key_id.hex()}+{encode_base64(bytes([5]) + spki)}")
    root = root_of(LEAVES)
    der = private.sign(b"\0\1" + stamp + (7).to_bytes(8) + root, ec.ECDSA(hashes.SHA256()))
    blob = encode_base64(key_id + stamp + b"\4\3" + len(der).to_bytes(2) + der)

    def data(checkpoint: Checkpoint) -> bytes:
        return checkpoint.body() + f"\n— {name} {blob}\n".encode()

    assert open_head(data(Checkpoint(name, 7, root)), [key], BACKEND).size == 7
    for other in (
        Checkpoint(name, 7, root, ("more",)),
        Checkpoint("ct.example/2027", 7, root),
        Checkpoint(name, 8, root),
    ):
        with refusal(Code.BAD_SIGNATURE):
            open_head(data(other), [key], BACKEND, origin=other.origin)


def proof(index: int = 3, **change: Any) -> Proof:
    members = {"index": index, "path": tuple(inclusion_path(3, LEAVES)), "checkpoint": note(W1, W2)}
    return Proof(**{**members, **change})


def test_m01_m02_m03_m12_a_proof_is_for_one_entry_at_one_index() -> None:
    policy = parse_policy(POLICY.encode())
    good = proof()
    assert parse_proof(good.text()) == good
    assert parse_proof(proof(extra=b"salt").text()).extra == b"salt"
    assert verify_proof(good, b"\x03", policy, BACKEND).level is Code.VALID
    path = good.path
    bad = [
        proof(2),
        proof(4),
        proof(7),
        proof(2**62),
        proof(path=path[1:]),
        proof(path=(*path, path[0])),
        proof(path=path[::-1]),
        proof(path=()),
        proof(path=(path[1], path[0], *path[2:])),
        *(proof(path=(*path[:n], bytes([path[n][0] ^ 1]) + path[n][1:], *path[n + 1 :])) for n in range(3)),
    ]
    for other in bad:
        with refusal(Code.BAD_PROOF):
            verify_proof(parse_proof(other.text()), b"\x03", policy, BACKEND)
    inner = merkle.hash_node(LEAVES[2], LEAVES[3])
    with refusal(Code.BAD_PROOF):  # an inner node's preimage offered as an entry
        verify_proof(proof(1, path=path[1:]), b"\x01" + LEAVES[2] + LEAVES[3], policy, BACKEND)
    assert inner != merkle.hash_leaf(LEAVES[2] + LEAVES[3])
