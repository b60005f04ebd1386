"""The completeness map: a binary Patricia tree from chain to its count and last leaf (docs/spec/log.md).

    empty = SHA-256("")
    leaf  = SHA-256(00 ‖ uv(len key) ‖ key ‖ uv(len value) ‖ value)
    inner = SHA-256(01 ‖ uv(bit) ‖ left ‖ right)

`bit` is the index, most significant first, of the first bit in which the keys below differ; keys with a 0 there
are on the left. `uv` is minimal unsigned LEB128. Keys may have 0 to 32 bytes and are compared as if followed by
00 FF FF …, so that no key is another's prefix; the ledger's are all 32 bytes, where that never shows.

    present proof = *(uv(bit) ‖ sibling)                                        from the leaf up: bits fall strictly
    absent proof  = uv(len k') ‖ k' ‖ uv(len v') ‖ v' ‖ *(uv(bit) ‖ sibling)    empty for the empty map

Absence: descending by the bits of the key ends at exactly one leaf. If that is (k', v') with k' ≠ key, the key
is nowhere. The proof must therefore show that the key takes the same side as k' at *every* branching; a
verifier that leaves this out can be shown any other leaf and believes it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ledger.merkle.hashing import Hash

BITS: Final = 8 * 33
"""Two different keys of up to 32 bytes differ within 33."""


def hash_inner(bit: int, left: Hash, right: Hash) -> Hash:
    """The hash of a branching at `bit`, 0 … 263."""
    return sha256(_BRANCHES[bit] + left + right).digest()


def uv(number: int) -> bytes:
    """Unsigned LEB128, minimal."""
    if number < 0x80:
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + uv(number >> 7)


_BRANCHES: Final = tuple(b"\x01" + uv(bit) for bit in range(BITS))
