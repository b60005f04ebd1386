"""Leaves in their one spelling (docs/spec/leaves.md): a fast reader for the common kinds, a strict one for the rest.

Hashes stay in their base64url spelling: it is canonical, so that two texts are equal exactly if the hashes are, and
most of them are only ever compared.
"""

from __future__ import annotations

import binascii
import re
from typing import NamedTuple

from verifier.encoding import (
    MAX_INTEGER,
    MAX_LEAF,
    Object,
    check_members,
    decode_canonical,
    get_bytes,
    get_integer,
    get_object,
    get_text,
)
from verifier.errors import Code, refuted

ZERO = b"A" * 43
"""32 zero bytes."""

_HASH = rb"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"
_NUMBER = rb"(0|[1-9][0-9]{0,15})"
_COMMITMENT = re.compile(
    rb'\{"chain":"%b","commitment":"%b","index":%b,"kind":"(consent|subject)","prev":"%b","prev_in_chain":"%b",'
    rb'"seq":%b,"time":%b,"v":1\}' % (_HASH, _HASH, _NUMBER, _HASH, _HASH, _NUMBER, _NUMBER)
)
_URLSAFE = bytes.maketrans(b"+/", b"-_")

_COMMON = {"index", "kind", "prev", "time", "v"}
_CHAINED = _COMMON | {"chain", "prev_in_chain", "seq"}
KINDS: dict[str, frozenset[str]] = {
    "consent": frozenset(_CHAINED | {"commitment"}),
    "subject": frozenset(_CHAINED | {"commitment"}),
    "operator": frozenset(_CHAINED | {"document"}),
    "index-head": frozenset(_COMMON | {"map_root", "map_size"}),
}


class Leaf(NamedTuple):
    """A leaf's members, `number` being its index; hashes as base64url (ASCII bytes), empty where the
    kind has no such member.
    `document` of an operator leaf; `map_root`, `map_size` of an index-head."""

    number: int
    kind: str
    time: int
    prev: bytes
    chain: bytes = b""
    commitment: bytes = b""
    prev_in_chain: bytes = b""
    seq: int = 0
    document: Object | None = None
    map_root: bytes = b""
    map_size: int = 0


def text_of(raw: bytes) -> bytes:
    """32 bytes in base64url."""
    return binascii.b2a_base64(raw, newline=False)[:43].translate(_URLSAFE)


def raw_of(text: bytes) -> bytes:
    """The 32 bytes of a canonical base64url text."""
    return binascii.a2b_base64(text.replace(b"-", b"+").replace(b"_", b"/") + b"=")


def parse_leaf(entry: bytes) -> Leaf:
    """Read a leaf. Raises Refuted(BAD_ENCODING)."""
    match = _COMMITMENT.fullmatch(entry)
    if match is not None:
        chain, commitment, index, kind, prev, prev_in_chain, seq, time = match.groups()
        leaf = Leaf(
            int(index),
            "consent" if kind == b"consent" else "subject",
            int(time),
            prev,
            chain,
            commitment,
            prev_in_chain,
            int(seq),
        )
        if leaf.number <= MAX_INTEGER and leaf.time <= MAX_INTEGER and leaf.seq <= MAX_INTEGER:
            return leaf
    return parse_strictly(entry)


def parse_strictly(entry: bytes) -> Leaf:
    """As `parse_leaf`, by the general reader of CL-JSON."""
    members = decode_canonical(entry, MAX_LEAF)
    kind = get_text(members, "kind", 16)
    if kind not in KINDS:
        raise refuted(
            Code.BAD_ENCODING,
            "a leaf of an unknown kind",
            field="kind",
            found=kind,
            expected=", ".join(KINDS),
        )
    check_members(members, KINDS[kind])
    get_integer(members, "v", 1, 1)
    index, time = get_integer(members, "index"), get_integer(members, "time")
    prev = _hash(members, "prev")
    if kind == "index-head":
        return Leaf(
            index,
            kind,
            time,
            prev,
            map_root=_hash(members, "map_root"),
            map_size=get_integer(members, "map_size"),
        )
    return Leaf(
        index,
        kind,
        time,
        prev,
        _hash(members, "chain"),
        b"" if kind == "operator" else _hash(members, "commitment"),
        _hash(members, "prev_in_chain"),
        get_integer(members, "seq"),
        get_object(members, "document") if kind == "operator" else None,
    )


def _hash(members: Object, name: str) -> bytes:
    return text_of(get_bytes(members, name, 32))
