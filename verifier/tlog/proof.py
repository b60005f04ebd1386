"""Offline proofs of logging: C2SP tlog-proof@v1 as of 2026-07-22 (`.tlog-proof`).

There is no size outside the checkpoint, and none is asked for: size and root are the verified checkpoint's. The
check takes the entry itself, never a leaf hash, so that no inner node can be passed off as an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from verifier.bytes.encoding import decode_base64, decode_decimal, encode_base64
from verifier.bytes.merkle import HASH, hash_leaf, verify_inclusion
from verifier.crypto.backend import Backend
from verifier.errors import Code, Refuted, refuted
from verifier.tlog.policy import Policy, PolicyHead

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF = 1_100_000
MAX_PATH = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed proof; nothing is verified yet. `extra` is opaque and stays unauthenticated for ever."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def text(self) -> bytes:
        """The one spelling of this proof."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append("extra " + encode_base64(self.extra))
        lines.append(f"index {self.index}")
        lines += map(encode_base64, self.path)
        return "\n".join([*lines, "", ""]).encode("ascii") + self.checkpoint


def parse_proof(data: bytes) -> Proof:
    """Read a proof file. Raises Refuted(BAD_ENCODING)."""
    if len(data) > MAX_PROOF:
        raise _bad("the proof is too long", f"{len(data)} bytes")
    top, border, checkpoint = data.partition(b"\n\n")
    if not border or not top.isascii():
        raise _bad("not a tlog-proof: no blank line before the checkpoint, or not ASCII", data)
    lines = top.decode("ascii").split("\n")
    if lines.pop(0) != HEADER:
        raise refuted(Code.BAD_ENCODING, "not a tlog-proof of this version", expected=HEADER, found=data[:40])
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise _bad("the proof has no index line", lines[:1])
    index = decode_decimal(lines.pop(0).removeprefix("index "))
    if len(lines) > MAX_PATH:
        raise _bad("the proof has too many hashes", len(lines))
    proof = Proof(index, tuple(decode_base64(line, HASH) for line in lines), checkpoint, extra)
    if proof.text() != data:
        raise _bad("not the one spelling of this proof", data)
    return proof


def verify_proof(
    proof: Proof,
    entry: bytes,
    policy: Policy,
    backend: Backend,
    leaf_hash: Callable[[bytes], bytes] = hash_leaf,
) -> PolicyHead:
    """`entry` is number `proof.index` of the log whose checkpoint the proof holds; the checkpoint as the policy sees
    it (look at its `level`). Raises Refuted: BAD_ENCODING, BAD_SIGNATURE, BAD_PROOF.
    `leaf_hash`: how this kind of log hashes an entry (ct.hash_tile_leaf for static CT logs)."""
    found = policy.verify(proof.checkpoint, backend)
    verify_inclusion(proof.index, found.head.size, leaf_hash(entry), proof.path, found.head.root)
    return found


def _bad(sentence: str, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, found=found)
