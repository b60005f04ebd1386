"""ECDSA over P-256 with SHA-256 in plain Python (FIPS 186-5), slow and readable, and the DER spelling of signatures."""

from __future__ import annotations

import hashlib

from verifier.crypto.curve import Curve
from verifier.errors import Code, Refuted, refuted

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

CURVE = Curve(
    P,
    N,
    B,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
)


def check_point(x: int, y: int) -> None:
    """(x, y) is a point of the curve, its coordinates reduced; else BAD_SIGNATURE. (The cofactor is 1.)"""
    if not CURVE.holds(x, y):
        raise _refused("the public key is not a point of P-256")


def split(signature: bytes) -> tuple[int, int]:
    """r and s of a 64-byte signature, each within 1..n-1; else BAD_SIGNATURE."""
    if len(signature) != 64:
        raise _refused("an ES256 signature has 64 bytes", found=f"{len(signature)} bytes")
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if not (0 < r < N and 0 < s < N):
        raise _refused("r or s of the signature is out of range", found=signature)
    return r, s


def verify(x: int, y: int, message: bytes, signature: bytes) -> None:
    """Verify the 64-byte signature r || s under the key (x, y). Raises Refuted(BAD_SIGNATURE).

    (r, n-s) verifies as well as (r, s): never use a signature as an identity. Source: FIPS 186-5 section 6.4.2.
    """
    check_point(x, y)
    r, s = split(signature)
    e = int.from_bytes(hashlib.sha256(message).digest())
    w = pow(s, -1, N)
    point = CURVE.add(CURVE.multiply(e * w % N, CURVE.base), CURVE.multiply(r * w % N, (x, y)))
    if point is None or point[0] % N != r:
        raise _refused("the ES256 signature does not verify")


def raw_from_der(der: bytes) -> bytes:
    """The 64-byte r || s of `SEQUENCE { r INTEGER, s INTEGER }` in strict DER: minimal lengths and integers,
    positive, nothing behind. Anything else is BAD_SIGNATURE. Source: RFC 3279 section 2.2.3, X.690."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2:  # two integers: every length fits the one-byte form
        raise _refused("not a DER signature", found=der)
    raw, rest = b"", der[2:]
    for _ in range(2):
        if len(rest) < 3 or rest[0] != 0x02 or rest[1] > len(rest) - 2:
            raise _refused("not a DER integer", found=der)
        digits, rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        number = int.from_bytes(digits)
        if number >> 256 or len(digits) != number.bit_length() // 8 + 1:
            raise _refused("an integer of the signature is negative, too long or not minimal", found=der)
        raw += number.to_bytes(32)
    if rest:
        raise _refused("bytes behind the DER signature", found=der)
    return raw


def _refused(sentence: str, found: object = "") -> Refuted:
    return refuted(Code.BAD_SIGNATURE, sentence, found=found)
