"""Leaves in their one spelling (docs/spec/leaves.md): a fast reader for the common kinds, a strict one for the rest.

Hashes stay in their base64url spelling: it is canonical, so that two texts are equal exactly if the hashes are, and
most of them are only ever compared.
"""

from __future__ import annotations

import binascii
import re
import struct
from hashlib import sha256
from typing import NamedTuple

from verifier.bytes.encoding import (
    MAX_INTEGER,
    MAX_LEAF,
    Object,
    check_entry_version,
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
_SMALL = rb"(0|[1-9][0-9]{0,14})"  # larger numbers are left to the strict reader
_FRAMED = re.compile(
    rb'(..)(\{"chain":"%b","commitment":"%b","index":%b,"kind":"(consent|subject)","prev":"%b","prev_in_chain":"%b",'
    rb'"seq":%b,"time":%b,"v":1\})' % (_HASH, _HASH, _SMALL, _HASH, _HASH, _SMALL, _SMALL),
    re.DOTALL,
)
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_", b"+/")

EVIDENT = ("consent", "subject", "participant")
"""The kinds of leaves that commit to evidence."""
_COMMON = {"index", "kind", "prev", "time", "v"}
_CHAINED = _COMMON | {"chain", "prev_in_chain", "seq"}
KINDS: dict[str, frozenset[str]] = {
    "consent": frozenset(_CHAINED | {"commitment"}),
    "subject": frozenset(_CHAINED | {"commitment"}),
    "participant": frozenset(_CHAINED | {"commitment"}),
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


class Columns(NamedTuple):
    """The leaves of one entry bundle, all with commitments, member by member; `raws` are their hashes, `texts` these in
    base64url."""

    chains: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    kinds: list[str]
    prevs: tuple[bytes, ...]
    befores: tuple[bytes, ...]
    seqs: list[int]
    times: list[int]
    raws: list[bytes]
    texts: list[bytes]

    def leaves(self, first: int) -> list[Leaf]:
        """One by one; `first` is the index of the first."""
        return [
            Leaf(number, kind, time, prev, chain, commitment, before, seq)
            for number, kind, time, prev, chain, commitment, before, seq in zip(
                range(first, first + len(self.raws)),
                self.kinds,
                self.times,
                self.prevs,
                self.chains,
                self.commitments,
                self.befores,
                self.seqs,
                strict=True,
            )
        ]


def read_columns(data: bytes, first: int, width: int) -> Columns | None:
    """The `width` leaves of a bundle that holds consent and subject leaves alone, numbered from `first`, each in its
    one spelling and nothing between them; None for any other bundle, which must be read entry by entry."""
    rows = _FRAMED.findall(data)
    if len(rows) != width:
        return None
    frames, entries, chains, commitments, numbers, kinds, prevs, befores, seqs, times = zip(*rows, strict=True)
    lengths = list(map(len, entries))
    if sum(lengths) + 2 * width != len(data) or b"".join(frames) != struct.pack(f">{width}H", *lengths):
        return None
    if list(map(int, numbers)) != list(range(first, first + width)):
        return None
    raws = [sha256(b"\0" + entry).digest() for entry in entries]
    # 32 bytes and one zero byte give 44 characters, of which the first 43 are those of the 32 bytes alone.
    spelled = binascii.b2a_base64(b"\0".join([*raws, b""]), newline=False).translate(_URLSAFE)
    return Columns(
        chains,
        commitments,
        ["consent" if kind == b"consent" else "subject" for kind in kinds],
        prevs,
        befores,
        list(map(int, seqs)),
        list(map(int, times)),
        raws,
        [spelled[at : at + 43] for at in range(0, 44 * width, 44)],
    )


def text_of(raw: bytes) -> bytes:
    """32 bytes in base64url."""
    return binascii.b2a_base64(raw, newline=False)[:43].translate(_URLSAFE)


def raw_of(text: bytes) -> bytes:
    """The 32 bytes of a canonical base64url text."""
    return binascii.a2b_base64(text.translate(_STANDARD) + b"=")


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
    check_entry_version(members, "the leaf")
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
