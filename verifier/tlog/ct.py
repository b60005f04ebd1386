"""The differences of a Certificate Transparency log with static tiles (C2SP static-ct-api v1.1.0, RFC 6962).

Its checkpoints carry an RFC 6962 tree head signature (note type 0x05), its bundles lie at `tile/data/` and hold
TileLeaf structures, and its leaf hash is taken over a MerkleTreeLeaf built from the TileLeaf.
"""

from __future__ import annotations

import hashlib

from verifier.crypto import p256
from verifier.errors import Code, Refuted, refuted
from verifier.tlog.checkpoint import parse_checkpoint


def tree_head(text: bytes, name: str, stamp_ms: int) -> bytes:
    """The bytes a type 0x05 signature is over (RFC 6962 section 3.5). They hold size, root and time only, so the
    origin is compared here with the key's name, and extension lines, which nobody signed, are refused."""
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != name or checkpoint.extensions:
        raise refuted(
            Code.BAD_SIGNATURE,
            "the signature does not cover this origin or these extension lines",
            expected=name,
            found=checkpoint.origin,
        )
    head = b"\x00\x01" + stamp_ms.to_bytes(8) + checkpoint.size.to_bytes(8)
    return head + checkpoint.root


def raw_signature(blob: bytes) -> bytes:
    """r || s of a TLS DigitallySigned: SHA-256 (4), ECDSA (3), 2-byte length, DER."""
    if blob[:2] != b"\x04\x03" or int.from_bytes(blob[2:4]) != len(blob) - 4:
        raise refuted(Code.BAD_SIGNATURE, "not an ECDSA signature with SHA-256", found=blob)
    return p256.raw_from_der(blob[4:])


class _Reader:
    """Takes bytes from the front; BAD_ENCODING when there are too few."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise _bad("the structure ends too early")
        taken, self.at = self.data[self.at : end], end
        return taken

    def vector(self, width: int) -> bytes:
        """A length of `width` bytes and that many bytes, both."""
        length = self.take(width)
        return length + self.take(int.from_bytes(length))


def split_leaves(data: bytes, limit: int) -> list[bytes]:
    """The TileLeaf structures of a data tile; more than `limit` are refused. Raises Refuted(BAD_ENCODING)."""
    reader = _Reader(data)
    leaves: list[bytes] = []
    while reader.at < len(data):
        if len(leaves) == limit:
            raise _bad(f"more than {limit} entries in a data tile")
        start = reader.at
        _read(reader)
        leaves.append(data[start : reader.at])
    return leaves


def hash_tile_leaf(entry: bytes) -> bytes:
    """The RFC 6962 leaf hash of one TileLeaf. Raises Refuted(BAD_ENCODING)."""
    reader = _Reader(entry)
    signed = _read(reader)
    if reader.at != len(entry):
        raise _bad("bytes behind the entry")
    # MerkleTreeLeaf: version v1 (0), leaf type timestamped_entry (0), then the TimestampedEntry.
    return hashlib.sha256(b"\x00" + b"\x00\x00" + signed).digest()


def _read(reader: _Reader) -> bytes:
    """Read one TileLeaf; its TimestampedEntry."""
    head = reader.take(10)
    kind = int.from_bytes(head[8:])
    if kind == 0:  # x509_entry: the certificate
        body = reader.vector(3)
    elif kind == 1:  # precert_entry: issuer key hash and TBSCertificate
        body = reader.take(32) + reader.vector(3)
    else:
        raise _bad("an entry of an unknown type", kind)
    extensions = reader.vector(2)
    if kind == 1:
        reader.vector(3)  # the precertificate as submitted: kept for auditors, not hashed
    if (len(reader.vector(2)) - 2) % 32:
        raise _bad("the chain is not a list of 32-byte fingerprints")
    return head + body + extensions


def _bad(sentence: str, found: object = "") -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, found=found)
