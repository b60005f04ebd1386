"""PS256 in plain Python: RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes (RFC 8017 section 8.1.2)."""

from __future__ import annotations

import hashlib

from verifier.errors import Code, Refuted, refuted

MIN_BITS, MAX_BITS = 2048, 3072
SALT = HASH = 32


def check_key(n: int, e: int) -> None:
    """An odd modulus of 2048 to 3072 bits and an odd exponent of 65537 up to 32 bits; else BAD_SIGNATURE."""
    if not MIN_BITS <= n.bit_length() <= MAX_BITS or n % 2 == 0:
        raise _refused(f"the RSA modulus is not an odd number of {MIN_BITS} to {MAX_BITS} bits", found=n.bit_length())
    if not 65537 <= e < 2**32 or e % 2 == 0:
        raise _refused("the RSA exponent is not an odd number of 65537 to 2^32-1", found=e)


def verify(n: int, e: int, message: bytes, signature: bytes) -> None:
    """Verify a PS256 signature, as long as the modulus. Raises Refuted(BAD_SIGNATURE)."""
    check_key(n, e)
    number = int.from_bytes(signature)
    if len(signature) != (n.bit_length() + 7) // 8 or number >= n:
        raise _refused("the RSA signature has a wrong length or is not reduced", found=f"{len(signature)} bytes")

    # EMSA-PSS-VERIFY (section 9.1.2); the numbers are the RFC's steps.
    bits = n.bit_length() - 1
    length = (bits + 7) // 8
    opened = pow(number, e, n)
    if opened >> (8 * length):
        raise _refused("the RSA signature does not verify")
    encoded = opened.to_bytes(length)
    masked, h, trailer = encoded[: length - HASH - 1], encoded[length - HASH - 1 : -1], encoded[-1]  # 5
    unused = 8 * length - bits
    if trailer != 0xBC or masked[0] >> (8 - unused):  # 4, 6
        raise _refused("the RSA signature does not verify")
    block = bytearray(a ^ b for a, b in zip(masked, _mask(h, len(masked)), strict=True))  # 7, 8
    block[0] &= 0xFF >> unused  # 9
    padding = length - SALT - HASH - 2
    if block[: padding + 1] != b"\0" * padding + b"\1":  # 10
        raise _refused("the RSA signature does not verify")
    salt = bytes(block[padding + 1 :])  # 11
    if hashlib.sha256(b"\0" * 8 + hashlib.sha256(message).digest() + salt).digest() != h:  # 12, 13, 14
        raise _refused("the RSA signature does not verify")


def _refused(sentence: str, found: object = "") -> Refuted:
    return refuted(Code.BAD_SIGNATURE, sentence, found=found)


def _mask(seed: bytes, length: int) -> bytes:
    """MGF1 (RFC 8017 appendix B.2.1)."""
    blocks = (hashlib.sha256(seed + counter.to_bytes(4)).digest() for counter in range(-(-length // HASH)))
    return b"".join(blocks)[:length]
