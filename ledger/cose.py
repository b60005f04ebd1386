"""A receipt as other software reads it: a COSE receipt within a transparent statement (docs/spec/cose.md; RFC 9942, RFC 9943).

The log's key signs a root here only after `check_receipt` has found its own line under a checkpoint with this root.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import cbor2
from msgspec import UNSET

from ledger.canonical import unb64u
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.keys import Signer
from ledger.notes.proof_file import parse_proof
from ledger.receipts import check_receipt

MEDIA_TYPE: Final = "application/vnd.consent-ledger.transparent+cose"
LEAF_TYPE: Final = "application/vnd.consent-ledger.leaf+json"
SIGN1: Final = 18
ALG, CONTENT_TYPE, KID, CLAIMS, RECEIPTS, VDS, VDP = 1, 3, 4, 15, 394, 395, 396
EDDSA: Final = -8
RFC9162_SHA256: Final = 1
INCLUSION: Final = -1

Headers: TypeAlias = "Mapping[int, object] | Mapping[int | str, object]"


def transparent_statement(receipt: bytes, signer: Signer) -> bytes:
    """The transparent statement of a receipt file of this log. Raises what `check_receipt` raises, BadSignature too if the
    checkpoint in it is not signed by this very key; Unavailable when the key's place does not sign."""
    read, leaf = check_receipt(receipt, [signer.vkey])
    proof = parse_proof(read.proof)
    checkpoint = open_checkpoint(proof.checkpoint, [signer.vkey])
    name, key_id, _ = signer.vkey.format().split("+", 2)
    common = {ALG: EDDSA, KID: f"{name}+{key_id}".encode(), CLAIMS: {1: name, 2: f"entry/{leaf.index}"}}
    inclusion = _encode([checkpoint.size, leaf.index, list(proof.hashes)])
    inner = _sign(
        signer, {**common, VDS: RFC9162_SHA256}, {VDP: {INCLUSION: [inclusion]}}, checkpoint.root, detached=True
    )
    unprotected: dict[int | str, object] = {RECEIPTS: [inner]}
    if read.evidence is not UNSET and read.opening is not UNSET:
        unprotected |= {"evidence": read.evidence.encode(), "opening": unb64u(read.opening, size=32)}
    return _sign(signer, {**common, CONTENT_TYPE: LEAF_TYPE}, unprotected, read.leaf.encode(), detached=False)


def _sign(signer: Signer, protected: Headers, unprotected: Headers, payload: bytes, *, detached: bool) -> bytes:
    """A tagged COSE_Sign1 (RFC 9052, section 4.4, without external data)."""
    header = _encode(protected)
    signature = signer.sign(_encode(["Signature1", header, b"", payload]))
    return _encode(cbor2.CBORTag(SIGN1, [header, unprotected, None if detached else payload, signature]))


def _encode(item: object) -> bytes:
    return cbor2.dumps(item, canonical=True)
