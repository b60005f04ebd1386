"""A log, three witnesses and a policy that asks for two of them, for the tests of notes and policies."""

from __future__ import annotations

import hashlib

from tests.verifier.making import Signer, checkpoint_note
from verifier.bytes import merkle
from verifier.bytes.encoding import encode_base64

LOG = Signer("ledger.example/test")
W1, W2, W3 = (Signer(f"w{n}.example", 4) for n in (1, 2, 3))
LEAVES = [merkle.hash_leaf(bytes([n])) for n in range(7)]
POLICY = "\n".join(
    [
        f"log {LOG.vkey} https://ledger.example",
        "# the witnesses",
        "",
        f"\twitness one {W1.vkey}",
        f"witness two {W2.vkey}",
        f"witness three {W3.vkey} https://w3.example",
        "group most 2 one two three",
        "quorum most",
        "",
    ]
)


def note(*witnesses: Signer) -> bytes:
    return checkpoint_note(LOG, LEAVES, *witnesses)


def rename(signer: Signer) -> str:
    """The vkey of this key under this name."""
    data = bytes([signer.kind]) + signer.private.public_key().public_bytes_raw()
    signer.key_id = hashlib.sha256(signer.name.encode() + b"\n" + data).digest()[:4]
    return f"{signer.name}+{signer.key_id.hex()}+{encode_base64(data)}"
