"""Cosignatures of type 0x06: counted where a library verifies them, passed over elsewhere, and never a refused policy."""

from __future__ import annotations

import base64
import hashlib

import pytest

from ledger.errors import LedgerError
from ledger.notes import policy as theirs
from ledger.notes.note import open_note
from ledger.witnessing import open_cosignatures
from tests.verifier.making import BACKEND, TIME, entries_of
from tests.verifier.policies import LOG
from tests.verifier.trees import root_of
from verifier.bytes.merkle import hash_leaf
from verifier.crypto.backend import PURE
from verifier.errors import Code, Refuted
from verifier.tlog.checkpoint import Checkpoint
from verifier.tlog.policy import parse_policy

mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")


class MlDsaWitness:
    """A witness of the type that C2SP recommends for new ones."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.private = mldsa.MLDSA44PrivateKey.from_seed_bytes(hashlib.sha256(name.encode()).digest())
        data = b"\x06" + self.private.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        self.vkey = f"{name}+{self.key_id.hex()}+{base64.b64encode(data).decode()}"

    def line(self, text: bytes, time: int = TIME, name: str | None = None, context: bytes | None = None) -> bytes:
        """As C2SP tlog-cosignature has it. `name`: another one in the signed message."""
        origin, size, root = text.split(b"\n")[:3]
        signer = (name or self.name).encode()
        parts = (
            b"subtree/v1\n\0",
            bytes([len(signer)]),
            signer,
            time.to_bytes(8),
            bytes([len(origin)]),
            origin,
            bytes(8),
        )
        message = b"".join(parts) + int(size).to_bytes(8) + base64.b64decode(root)
        blob = self.key_id + time.to_bytes(8) + self.private.sign(message, context)
        return f"\u2014 {self.name} {base64.b64encode(blob).decode()}\n".encode()


def body(*extensions: str) -> bytes:
    return Checkpoint(LOG.name, 3, root_of([hash_leaf(entry) for entry in entries_of(3)]), extensions).body()


def both(text: bytes, *lines: bytes, policy: str) -> tuple[bool, bool]:
    """Whether verifier and ledger find the note witnessed; both must refuse it, or neither."""
    signed = text + b"\n" + LOG.line(text) + b"".join(lines)
    ours = theirs.parse_policy(policy.encode())
    try:
        found = parse_policy(policy.encode()).verify(signed, BACKEND).witnessed
    except Refuted:
        with pytest.raises(LedgerError):
            open_note(signed.decode(), [*ours.logs, *(one.vkey for one in ours.witnesses)])
        raise
    opened = open_note(signed.decode(), [*ours.logs, *(one.vkey for one in ours.witnesses)])
    return found, ours.is_witnessed([key for key, _ in opened.verified])


@pytest.mark.skipif(BACKEND.ml_dsa_44 is None, reason="this OpenSSL has no ML-DSA-44")
def test_an_ml_dsa_witness_counts_where_its_signature_can_be_verified() -> None:
    witness = MlDsaWitness("w4.example")
    policy = f"log {LOG.vkey}\nwitness four {witness.vkey}\nquorum four\n"
    assert parse_policy(policy.encode()).uncounted == ()
    for text in (body(), body("an extension")):
        assert both(text, witness.line(text), policy=policy) == (True, True)
        assert both(text, policy=policy) == (False, False)
        assert both(text, witness.line(text, time=0), policy=policy) == (True, True)
    text = body()
    line = witness.line(text)
    answer = open_cosignatures(
        (text + b"\n" + LOG.line(text)).decode(),
        line.decode(),
        [theirs.parse_policy(policy.encode()).witnesses[0].vkey],
    )
    assert answer == {"w4.example": (line.decode(), TIME)}
    other = body().replace(b"\n3\n", b"\n2\n")
    raw = base64.b64decode(line.split()[2])
    changed = f"\u2014 w4.example {base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()}\n".encode()
    short = f"\u2014 w4.example {base64.b64encode(raw[:-1]).decode()}\n".encode()
    for bad in (
        witness.line(other),
        witness.line(text, name="w5.example"),
        witness.line(text, context=b"another"),
        witness.line(text, time=2**63),
        changed,
        short,
    ):
        with pytest.raises(Refuted) as refusal:
            both(text, bad, policy=policy)
        assert refusal.value.defect.code is Code.BAD_SIGNATURE


@pytest.mark.skipif(BACKEND.ml_dsa_44 is None, reason="this OpenSSL has no ML-DSA-44")
def test_a_cosignature_that_cannot_be_verified_is_passed_over_and_refuses_nothing() -> None:
    witness = MlDsaWitness("w4.example")
    policy = parse_policy(f"log {LOG.vkey}\nwitness four {witness.vkey}\nquorum four\n".encode())
    text = body()
    found = policy.verify(text + b"\n" + LOG.line(text) + witness.line(text), PURE)
    assert (found.witnessed, found.witnesses) == (False, ())
