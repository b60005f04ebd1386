"""Leaves: what the tree holds of an entry (docs/spec/leaves.md). This is the one place where leaf bytes are made."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from ledger.canonical import b64u, b64u_of_hashes, decode, encode, unb64u
from ledger.entries.fields import Bytes32, Count
from ledger.errors import BadEncoding, Corrupt
from ledger.tags import CHAIN, COMMITMENT

LEAF_LIMIT: Final = 1_024
EVIDENCE_LIMIT: Final = 49_152
OPENING_SIZE: Final = 32
NO_HASH: Final = bytes(32)
"""Stands for «the leaf before the first»."""


class Kind(StrEnum):
    """The kinds of leaves."""

    CONSENT = "consent"
    SUBJECT = "subject"
    OPERATOR = "operator"
    PARTICIPANT = "participant"
    INDEX_HEAD = "index-head"


class CommitmentLeaf(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A leaf of a consent's, a subject's or a participant's own chain: it commits to evidence and shows nothing of it."""

    chain: Bytes32
    commitment: Bytes32
    index: Count
    kind: Literal["consent", "participant", "subject"]
    prev: Bytes32
    prev_in_chain: Bytes32
    seq: Count
    time: Count
    v: Literal[1]


class OperatorLeaf(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A leaf of an operator chain: a public document in clear."""

    chain: Bytes32
    document: dict[str, Any]
    index: Count
    kind: Literal["operator"]
    prev: Bytes32
    prev_in_chain: Bytes32
    seq: Count
    time: Count
    v: Literal[1]


class IndexHeadLeaf(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A leaf that commits the completeness map over all leaves before it."""

    index: Count
    kind: Literal["index-head"]
    map_root: Bytes32
    map_size: Annotated[int, Meta(ge=0)]
    prev: Bytes32
    time: Count
    v: Literal[1]


Leaf = CommitmentLeaf | OperatorLeaf | IndexHeadLeaf

_decoders: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "consent": msgspec.json.Decoder(CommitmentLeaf),
    "subject": msgspec.json.Decoder(CommitmentLeaf),
    "participant": msgspec.json.Decoder(CommitmentLeaf),
    "operator": msgspec.json.Decoder(OperatorLeaf),
    "index-head": msgspec.json.Decoder(IndexHeadLeaf),
}

_commitment_decoder: Final = msgspec.json.Decoder(CommitmentLeaf)


@lru_cache(maxsize=16_384)  # asked for several times in each access
def consent_chain(consent_id: str) -> bytes:
    """The chain (32 bytes) of a consent's events."""
    return _chain(consent_id)


def subject_chain(holder: str, subject: str) -> bytes:
    """The chain of a customer of one holder."""
    return _chain(f"subject:{holder}:{subject}")


def history_chain(holder: str, subject: str) -> bytes:
    """The chain of what a holder attests of a customer's past (docs/spec/history.md)."""
    return _chain(f"history:{holder}:{subject}")


def ledger_chain() -> bytes:
    """The operator chain of documents about the ledger as a whole."""
    return _chain("operator:ledger")


def participant_chain(participant: str) -> bytes:
    """The operator chain of documents about one participant."""
    return _chain(f"operator:participant:{participant}")


def declaration_chain(participant: str) -> bytes:
    """The chain of what a participant itself declares (docs/spec/ruleset-3.md, Declarations)."""
    return _chain(f"participant:{participant}")


def supervision_chain() -> bytes:
    """The operator chain of its freezes and holds."""
    return _chain("operator:supervision")


def risk_chain() -> bytes:
    """The operator chain of alerts and of what raises them."""
    return _chain("operator:risk")


def reports_chain() -> bytes:
    """The operator chain of reports for supervisors."""
    return _chain("operator:reports")


def set_chain() -> bytes:
    """The operator chain of a head log that says which shards there are, and who lives where."""
    return _chain("operator:set")


def heads_chain() -> bytes:
    """The operator chain of the shards' heads."""
    return _chain("operator:heads")


def _chain(name: str) -> bytes:
    return hashlib.sha256(CHAIN + name.encode()).digest()


def commitment(evidence: bytes, opening: bytes) -> bytes:
    """What a leaf shows of its evidence: HMAC-SHA256 keyed by the opening.

    The opening must have exactly 32 bytes: HMAC pads short keys and hashes long ones, so other lengths would open twice.
    """
    if len(opening) != OPENING_SIZE:
        raise Corrupt(f"an opening has {OPENING_SIZE} bytes, not {len(opening)}")
    return hmac.digest(opening, COMMITMENT + hashlib.sha256(evidence).digest(), "sha256")


def encode_commitment_leaf(
    kind: Kind, *, chain: bytes, committed: bytes, index: int, prev: bytes, prev_in_chain: bytes, seq: int, time: int
) -> bytes:
    """The bytes of a consent or subject leaf. Built as text: all values are hex-safe, and this is the hot path."""
    own, says, before, before_in_chain = b64u_of_hashes((chain, committed, prev, prev_in_chain))
    return (
        f'{{"chain":"{own}","commitment":"{says}","index":{index},"kind":"{kind}",'  # a StrEnum is its value
        f'"prev":"{before}","prev_in_chain":"{before_in_chain}","seq":{seq},"time":{time},"v":1}}'
    ).encode()


def encode_operator_leaf(
    document: Mapping[str, object], *, chain: bytes, index: int, prev: bytes, prev_in_chain: bytes, seq: int, time: int
) -> bytes:
    """The bytes of an operator leaf. Raises BadEncoding when the document does not fit into a leaf."""
    leaf = encode(
        {
            "chain": b64u(chain),
            "document": dict(document),
            "index": index,
            "kind": Kind.OPERATOR.value,
            "prev": b64u(prev),
            "prev_in_chain": b64u(prev_in_chain),
            "seq": seq,
            "time": time,
            "v": 1,
        }
    )
    if len(leaf) > LEAF_LIMIT:
        raise BadEncoding(f"the operator document makes a leaf of {len(leaf)} bytes; at most {LEAF_LIMIT} are accepted")
    return leaf


def encode_index_head(*, index: int, map_root: bytes, prev: bytes, time: int) -> bytes:
    """The bytes of an index-head leaf over all leaves before `index`."""
    return (
        f'{{"index":{index},"kind":"index-head","map_root":"{b64u(map_root)}","map_size":{index},'
        f'"prev":"{b64u(prev)}","time":{time},"v":1}}'
    ).encode()


def parse_leaf(data: bytes) -> Leaf:
    """Read leaf bytes strictly. Raises BadEncoding."""
    kind = decode(data, limit=LEAF_LIMIT).get("kind")
    decoder = _decoders.get(kind) if isinstance(kind, str) else None
    if decoder is None:
        raise BadEncoding(f"the leaf's kind {str(kind)[:32]!r} is not known", member="kind")
    try:
        leaf: Leaf = decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadEncoding(f"not a leaf: {error}") from None
    return leaf


def read_commitment_leaf(data: bytes) -> CommitmentLeaf:
    """The same for bytes whose hash is compared with one that the ledger has made: their spelling need not be looked at.

    Raises BadEncoding.
    """
    try:
        return _commitment_decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadEncoding(f"not a leaf: {error}") from None


def open_commitment(leaf: CommitmentLeaf, evidence: bytes, opening: bytes) -> None:
    """Check that evidence and opening are what the leaf commits to. Raises Corrupt."""
    if not hmac.compare_digest(commitment(evidence, opening), unb64u(leaf.commitment, size=32)):
        raise Corrupt(f"evidence and opening do not give the commitment of leaf {leaf.index}")
