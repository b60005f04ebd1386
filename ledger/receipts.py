"""Receipts: one entry with its proof, in one file (docs/spec/receipts.md). The one place where receipt bytes are made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ledger.canonical import b64_of_hashes, b64u, unb64u
from ledger.entries.leaf import CommitmentLeaf, Leaf, open_commitment, parse_leaf
from ledger.errors import BadEncoding, BadSignature
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.proofs import verify_inclusion
from ledger.notes.checkpoint import Vkeys, open_checkpoint
from ledger.notes.proof_file import PROOF_HEADER, format_proof, parse_proof

if TYPE_CHECKING:  # a participant's client, which only reads receipts, loads no planning
    from ledger.planning.commands import Proved, Recorded, RecordedBatch

RECEIPT_LIMIT: Final = 1_400_000
"""Bytes, as docs/spec/receipts.md says: a note of a million with its cosignatures, evidence, and their spelling in JSON."""
MEDIA_TYPE: Final = "application/vnd.consent-ledger.receipt+json"


class Receipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The members of a receipt file."""

    v: Literal[1]
    leaf: str
    evidence: str | UnsetType = UNSET
    opening: str | UnsetType = UNSET
    proof: str


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Receipt)


def proof_text(recorded: Proved | Recorded) -> str:
    """The `.tlog-proof` of an entry."""
    return format_proof(recorded.index, recorded.proof, recorded.checkpoint)


def receipt(recorded: Proved | Recorded, *, disclose: bool = True) -> Receipt:
    """The receipt of an entry, with evidence and opening unless `disclose` is false."""
    disclosed = disclose and recorded.evidence is not None and recorded.opening is not None
    return Receipt(
        v=1,
        leaf=recorded.leaf.decode(),
        evidence=recorded.evidence.decode() if disclosed and recorded.evidence is not None else UNSET,
        opening=b64u(recorded.opening) if disclosed and recorded.opening is not None else UNSET,
        proof=proof_text(recorded),
    )


def receipt_bytes(recorded: Proved | Recorded, *, disclose: bool = True) -> bytes:
    """The receipt file of an entry."""
    return _encoder.encode(receipt(recorded, disclose=disclose))


def batch_receipts(batch: RecordedBatch) -> list[bytes]:
    """The receipt files of all entries of a batch: the same bytes as of each by itself, with what they share spelled once."""
    proofs = batch.proofs.texts(lambda nodes: [f"{text}\\n" for text in b64_of_hashes(nodes)])
    tail, note = _quoted(batch.tail.decode()), _quoted(f"\n{batch.checkpoint}")
    start = _quoted(PROOF_HEADER)
    return [
        b'{"v":1,"leaf":%b,"evidence":"%b%b","opening":"%b","proof":"%bindex %d\\n%b%b"}'
        % (
            _encoder.encode(entry.leaf.decode()),
            _quoted(entry.head.decode()),
            tail,
            b64u(entry.opening).encode(),
            start,
            index,
            path.encode(),
            note,
        )
        for index, (entry, path) in enumerate(zip(batch.entries, proofs, strict=True), batch.first)
    ]


def _quoted(text: str) -> bytes:
    """What stands between the quotation marks of a JSON string."""
    return _encoder.encode(text)[1:-1]


def check_receipt(data: bytes, vkeys: Vkeys) -> tuple[Receipt, Leaf]:
    """Check what a partner must know before it relies on a receipt: commitment, leaf, inclusion, signature of the log.

    Statements inside the evidence are not verified here; the independent verifier does that too. Raises BadEncoding,
    BadSignature, Corrupt, or what `verify_inclusion` raises.
    """
    if len(data) > RECEIPT_LIMIT:
        raise BadEncoding(f"a receipt has at most {RECEIPT_LIMIT} bytes")
    try:
        read = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadEncoding(f"not a receipt: {error}") from None
    if _encoder.encode(read) != data:
        _require_unique_names(data)
    proof = parse_proof(read.proof)
    if proof.extra is not None:
        raise BadEncoding("the proof of a receipt must have no extra line, since no signature covers it")
    checkpoint = open_checkpoint(proof.checkpoint, vkeys)
    leaf_bytes = read.leaf.encode()
    leaf = parse_leaf(leaf_bytes)
    if leaf.index != proof.index:
        raise BadSignature(f"the receipt's leaf has index {leaf.index}, its proof is about {proof.index}")
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(leaf_bytes), proof.hashes, checkpoint.root)
    if (read.evidence is UNSET) != (read.opening is UNSET):
        raise BadEncoding("a receipt discloses evidence and opening together, or neither")
    if read.evidence is not UNSET and read.opening is not UNSET:
        if not isinstance(leaf, CommitmentLeaf):
            raise BadEncoding("a leaf in clear has no evidence")
        open_commitment(leaf, read.evidence.encode(), unb64u(read.opening, size=32))
    return read, leaf


def _require_unique_names(data: bytes) -> None:
    """Two readers may take two different values of a name that stands twice; our decoder takes the last."""

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) != len(pairs):
            raise BadEncoding("the receipt has a name twice")
        return dict(pairs)

    json.loads(data, object_pairs_hook=members)
