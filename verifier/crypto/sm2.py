"""SM2 signatures with SM3 in plain Python (GB/T 32918.2-2016, curve of GB/T 32918.5-2017): no library that this program may
use checks them."""

from __future__ import annotations

from functools import lru_cache

from verifier.crypto import sm3
from verifier.crypto.curve import Curve
from verifier.errors import Code, Refuted, refuted

IDENTITY = b"1234567812345678"
CURVE = Curve(
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
    0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    (
        0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
        0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
    ),
)


def check_point(x: int, y: int) -> None:
    """(x, y) is a point of the curve, its coordinates reduced; else BAD_SIGNATURE. (The cofactor is 1.)"""
    if not CURVE.holds(x, y):
        raise _refused("the public key is not a point of the curve of SM2")


def verify(x: int, y: int, message: bytes, signature: bytes) -> None:
    """Verify the 64-byte signature r || s under the key (x, y). Raises Refuted(BAD_SIGNATURE).
    Source: GB/T 32918.2-2016, 7.1."""
    check_point(x, y)
    if len(signature) != 64:
        raise _refused("an SM2 signature has 64 bytes", found=f"{len(signature)} bytes")
    r, s, n = int.from_bytes(signature[:32]), int.from_bytes(signature[32:]), CURVE.n
    if not (0 < r < n and 0 < s < n):
        raise _refused("r or s of the signature is out of range", found=signature)
    e, t = int.from_bytes(sm3.digest(_identity_of(x, y) + message)), (r + s) % n
    point = CURVE.add(CURVE.multiply(s, CURVE.base), CURVE.multiply(t, (x, y))) if t else None
    if point is None or (e + point[0]) % n != r:
        raise _refused("the SM2 signature does not verify")


@lru_cache(maxsize=1024)
def _identity_of(x: int, y: int) -> bytes:
    """Z: what the standard hashes of a signer before the message (its 5.5)."""
    members = (CURVE.p - 3, CURVE.b, *CURVE.base, x, y)
    size = (8 * len(IDENTITY)).to_bytes(2)
    return sm3.digest(size + IDENTITY + b"".join(member.to_bytes(32) for member in members))


def _refused(sentence: str, found: object = "") -> Refuted:
    return refuted(Code.BAD_SIGNATURE, sentence, found=found)
