"""Ed25519 verification in plain Python (RFC 8032), slow and readable, and the gate before every backend.

The gate (docs/spec/statements.md) refuses what libraries disagree about: small-order points, unreduced
coordinates, S >= L. With it all backends give the same verdict on every known edge case.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TypeAlias

from verifier.errors import Code, Refuted, refuted

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
LOW_255 = 2**255 - 1
_P_TOP, _L_TOP = P >> 248, L >> 248  # mostly the highest byte alone says that a number is below
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)

Point: TypeAlias = tuple[int, int, int, int]
"""Extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, xy = T/Z."""

IDENTITY: Point = (0, 1, 1, 0)

# The y of the eight small-order points (0, 1, -1, and the two of order 8), and the unreduced spellings of 0 and 1.
# With either sign bit these are the 14 encodings that decode to a point of small order.
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER = frozenset(
    (y | sign << 255).to_bytes(32, "little") for y in (0, 1, P - 1, P, P + 1, _ORDER_8, P - _ORDER_8) for sign in (0, 1)
)


def check_gate(key: bytes, signature: bytes) -> None:
    """The form that key and signature must have before any arithmetic; else BAD_SIGNATURE."""
    if len(signature) != 64:
        raise _refused("an Ed25519 signature has 64 bytes", found=f"{len(signature)} bytes")
    check_encoding(key)
    check_encoding(signature[:32], "R of the signature")
    if signature[63] >= _L_TOP and int.from_bytes(signature[32:], "little") >= L:
        raise _refused("S of the signature is not reduced", found=signature[32:])


def check_encoding(encoded: bytes, what: str = "the public key") -> None:
    """32 bytes, y < p, not of small order; else BAD_SIGNATURE."""
    if len(encoded) != 32:
        raise _refused(f"{what} must have 32 bytes", found=f"{len(encoded)} bytes")
    if encoded in SMALL_ORDER:
        raise _refused(f"{what} is a point of small order", found=encoded)
    if encoded[31] & 0x7F == _P_TOP and int.from_bytes(encoded, "little") & LOW_255 >= P:
        raise _refused(f"{what} is not reduced", found=encoded)


@lru_cache(maxsize=1024)
def check_registered_key(key: bytes) -> None:
    """A key fit to be registered: through the gate, on the curve, of prime order; else BAD_SIGNATURE."""
    check_encoding(key)
    if not _is_identity(_multiply(L, _decode(key, "the public key"))):
        raise _refused("the public key is not of prime order", found=key)


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """Verify without the cofactor, as libsodium and OpenSSL do: R must be the encoding of [S]B - [h]A.

    key 32 bytes, signature 64 bytes R || S. Raises Refuted(BAD_SIGNATURE). Source: RFC 8032 section 5.1.7.
    """
    check_gate(key, signature)
    x, y, z, t = _decode(key, "the public key")
    minus_a = (-x % P, y, z, -t % P)
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    s = int.from_bytes(signature[32:], "little")
    if _encode(_add(_multiply(s, BASE), _multiply(h, minus_a))) != signature[:32]:
        raise _refused("the Ed25519 signature does not verify")


def _refused(sentence: str, found: object = "") -> Refuted:
    return refuted(Code.BAD_SIGNATURE, sentence, found=found)


def _add(a: Point, b: Point) -> Point:
    """The complete addition law of twisted Edwards curves with a = -1 (RFC 8032 section 5.1.4)."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    low, high, minus, plus = f - e, f + e, h - g, h + g
    return low * minus % P, plus * high % P, minus * plus % P, low * high % P


def _multiply(scalar: int, point: Point) -> Point:
    """Double and add. Not constant time: everything here is public."""
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _is_identity(point: Point) -> bool:
    x, y, z, _ = point
    return x == 0 and y == z


@lru_cache(maxsize=1024)
def _decode(encoded: bytes, what: str) -> Point:
    """The point with this y and this sign of x (RFC 8032 section 5.1.3)."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x_squared, (P + 3) // 8, P)
    if (x * x - x_squared) % P:
        x = x * SQRT_MINUS_1 % P
    if (x * x - x_squared) % P:
        raise _refused(f"{what} is not a point of the curve", found=encoded)
    if x & 1 != sign:
        x = -x % P
    return x, y, 1, x * y % P


def _encode(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return ((y * inverse % P) | (x * inverse % P & 1) << 255).to_bytes(32, "little")


BASE = _decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"), "the base point")
