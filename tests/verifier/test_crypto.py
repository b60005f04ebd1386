"""Keys and signatures at their edges: ranges, spellings and each step of PSS; all backends agree."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa as library
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256

from tests.verifier.backends import public, verdict
from tests.verifier.making import refusal
from verifier.crypto import ed25519, p256, rsa
from verifier.crypto.keys import (
    P256Key,
    RsaKey,
    ed25519_key,
)
from verifier.errors import Code, Refuted

# --- Ed25519 --------------------------------------------------------------------------------------------------


def spelled(y: int) -> list[bytes]:
    return [(y | sign << 255).to_bytes(32, "little") for sign in (0, 1)]


def test_coordinates_are_below_p_and_s_below_l() -> None:
    for y in range(ed25519.P, 2**255):
        for encoded in spelled(y):
            with pytest.raises(Refuted, match=r"not reduced|small order"):
                ed25519.check_encoding(encoded)
    for y in (ed25519.P - 2, ed25519.P - 3, 2, 3, 2**254, 2**255 - 2**248):
        for encoded in spelled(y):
            ed25519.check_encoding(encoded)
    key = spelled(3)[0]
    for s in (0, ed25519.L - 1, 2**252 - 1, 2**252):
        ed25519.check_gate(key, key + s.to_bytes(32, "little"))
    for s in (ed25519.L, ed25519.L + 1, 2**253 - 1, 2**253, 2**256 - 1):
        with pytest.raises(Refuted, match="S of the signature"):
            ed25519.check_gate(key, key + s.to_bytes(32, "little"))


def test_a_point_off_the_curve_is_reported_as_one() -> None:
    off = 0
    for y in range(2, 40):
        try:
            ed25519_key(y.to_bytes(32, "little"))
        except Refuted as refusal_:
            off += "not a point of the curve" in str(refusal_)
    assert 10 < off < 30  # half of all y


def test_a_key_that_is_registered_is_not_a_point_of_small_order_in_any_spelling() -> None:
    """The neutral point passes the test of its order, and so may an unreduced spelling."""
    prime = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")  # RFC 8032, 7.1
    ed25519.check_registered_key(prime)
    for y in (0, 1, ed25519.P - 1, *range(ed25519.P, 2**255)):
        for sign in (0, 1):
            with refusal(Code.BAD_SIGNATURE):
                ed25519.check_registered_key((y | sign << 255).to_bytes(32, "little"))
    for key in (prime[:31], prime + b"\0", b""):
        with refusal(Code.BAD_SIGNATURE):
            ed25519.check_registered_key(key)


# --- P-256 ----------------------------------------------------------------------------------------------------

Y0 = pow(p256.B, (p256.P + 1) // 4, p256.P)


def test_coordinates_of_p_256_are_reduced() -> None:
    p256.check_point(0, Y0)
    p256.check_point(0, p256.P - Y0)
    x, y = public(ec.derive_private_key(7, ec.SECP256R1()))
    for other in (
        (p256.P, Y0),
        (0, Y0 + p256.P),
        (-p256.P, Y0),
        (0, Y0 - p256.P),
        (x, y + p256.P),
        (x - p256.P, y),
        (x, y + 1),
    ):
        with refusal(Code.BAD_SIGNATURE):
            p256.check_point(*other)


def test_r_and_s_are_within_1_and_n_minus_1() -> None:
    assert p256.split((1).to_bytes(32) + (p256.N - 1).to_bytes(32)) == (1, p256.N - 1)
    assert p256.split((p256.N - 1).to_bytes(32) + (1).to_bytes(32)) == (p256.N - 1, 1)
    for r, s in ((0, 1), (1, 0), (p256.N, 1), (1, p256.N)):
        with refusal(Code.BAD_SIGNATURE):
            p256.split(r.to_bytes(32) + s.to_bytes(32))
    for length in (31, 33):  # the same numbers, spelled shorter and longer
        with refusal(Code.BAD_SIGNATURE):
            p256.split((1).to_bytes(32) + (1).to_bytes(length))


def test_a_signature_that_leads_to_infinity_is_refused() -> None:
    """r = -e/d: the two summands cancel, and there is no x to compare r with."""
    secret = 4711
    key = P256Key(*public(ec.derive_private_key(secret, ec.SECP256R1())))
    e = int.from_bytes(hashlib.sha256(b"m").digest())
    r = -e * pow(secret, -1, p256.N) % p256.N
    assert not verdict(key, b"m", r.to_bytes(32) + (1).to_bytes(32))


def test_a_signature_whose_two_summands_are_one_point_is_doubled() -> None:
    """r is the x of 2 u1 G, and u1 G = u2 Q: the addition law has a case of its own for that."""
    e = int.from_bytes(hashlib.sha256(b"m").digest())
    point = p256.CURVE.multiply(2, p256.CURVE.base)
    assert point is not None
    r = point[0] % p256.N
    secret = e * pow(r, -1, p256.N) % p256.N
    key = P256Key(*public(ec.derive_private_key(secret, ec.SECP256R1())))
    assert verdict(key, b"m", r.to_bytes(32) + e.to_bytes(32))
    assert not verdict(key, b"m", r.to_bytes(32) + (e - 1).to_bytes(32))


def test_a_signature_whose_summands_have_opposite_y_but_are_not_opposite_points_verifies() -> None:
    """A line through y meets the curve in up to three points: u1 G and u2 Q may have y and -y, and another x each."""
    message, k = b"m", 0
    e, x, y, other = int.from_bytes(hashlib.sha256(message).digest()), 0, 0, 0
    while not other:  # x, other and -x-other are the roots of X^3 - 3X + B = y^2, if they are in the field
        k += 1
        point = p256.CURVE.multiply(k, p256.CURVE.base)
        assert point is not None
        (x, y), square = point, (12 - 3 * point[0] ** 2) % p256.P
        root = pow(square, (p256.P + 1) // 4, p256.P)
        other = (root - x) * pow(2, -1, p256.P) % p256.P if root * root % p256.P == square else 0
    second = (other, p256.P - y)
    p256.check_point(*second)
    slope = (second[1] - y) * pow(other - x, -1, p256.P)
    r = (slope * slope - x - other) % p256.P % p256.N
    w = k * pow(e, -1, p256.N) % p256.N
    q = p256.CURVE.multiply(pow(r * w, -1, p256.N), second)
    assert q is not None
    assert verdict(P256Key(*q), message, r.to_bytes(32) + pow(w, -1, p256.N).to_bytes(32))


def der(*numbers: bytes, more: bytes = b"", tag: int = 0x30) -> bytes:
    inner = b"".join(b"\x02" + bytes([len(number)]) + number for number in numbers) + more
    return bytes([tag, len(inner)]) + inner


def test_der_is_read_from_8_to_72_bytes() -> None:
    assert p256.raw_from_der(der(b"\1", b"\x7f")) == (1).to_bytes(32) + (0x7F).to_bytes(32)
    longest = der(b"\0" + b"\xff" * 32, b"\0\x80" + bytes(31))
    assert (len(longest), p256.raw_from_der(longest)) == (72, b"\xff" * 32 + b"\x80" + bytes(31))
    assert p256.raw_from_der(der(b"\0\x80", b"\0")) == (0x80).to_bytes(32) + bytes(32)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\0",
        der(b"\1"),
        der(b"\1", b"\1", tag=0x31),
        der(b"\1", b"\1") + b"\0",
        der(b"\1", b"\1", more=b"\0"),
        der(b"\1", b"\1", b"\1"),
        der(b"", b"\1"),
        der(b"\1", b""),
        der(b"\x80", b"\1"),
        der(b"\1", b"\xff"),
        der(b"\0\1", b"\1"),
        der(b"\0\0", b"\1"),
        der(b"\1" + bytes(32), b"\1"),
        der(b"\0\x80" + bytes(32), b"\1"),
        der(b"\1" + bytes(33), b"\1"),
        der(b"\1" + bytes(60), b"\1"),
        bytes.fromhex("3006020101020201"),  # the second says two bytes and has one
        bytes.fromhex("3006020401020101"),
        bytes.fromhex("3006030101020101"),
        bytes.fromhex("3006020101030101"),
        bytes.fromhex("30050201010201"),
        bytes.fromhex("300402010102"),
        bytes.fromhex("3005020101020101"),  # two right integers, and a length that is not theirs
        bytes.fromhex("3007020101020101"),
    ],
)
def test_any_other_der_is_a_bad_signature(data: bytes) -> None:
    with refusal(Code.BAD_SIGNATURE):
        p256.raw_from_der(data)


# --- RSA ------------------------------------------------------------------------------------------------------


def test_rsa_keys_are_odd_and_within_their_bounds() -> None:
    for n in (2**2047 + 1, 2**3072 - 1):
        rsa.check_key(n, 65_537)
    for e in (65_539, 2**32 - 1):
        rsa.check_key(2**2047 + 1, e)
    for n, e in (
        (2**2047 - 1, 65_537),
        (2**3072 + 1, 65_537),
        (2**2047, 65_537),
        (2**2047 + 1, 65_535),
        (2**2047 + 1, 65_536),
        (2**2047 + 1, 65_538),
        (2**2047 + 1, 2**32 + 1),
    ):
        with refusal(Code.BAD_SIGNATURE):
            rsa.check_key(n, e)


@cache
def rsa_key(bits: int) -> tuple[int, int]:
    """Modulus and private exponent: of exactly so many bits, which libraries round to an even number."""
    [p, q] = [
        library.generate_private_key(65537, even).private_numbers().p for even in (bits + bits % 2, bits - bits % 2)
    ]
    assert (p * q).bit_length() == bits
    return p * q, pow(65537, -1, (p - 1) * (q - 1))


def signed(
    bits: int,
    *,
    top: int = 0,
    first: int = 0,
    padding: int = 0,
    separator: int = 1,
    trailer: int = 0xBC,
    zeros: int = 8,
) -> tuple[RsaKey, bytes]:
    """A signature in which these parts of EMSA-PSS are as given; by default all is right."""
    (n, d), length = rsa_key(bits), (bits + 6) // 8
    for number in range(256):
        salt = hashlib.sha256(bytes([number])).digest()
        h = hashlib.sha256(bytes(zeros) + hashlib.sha256(b"m").digest() + salt).digest()
        block = bytearray(length - 66) + bytes([separator]) + salt
        block[0] ^= first
        block[length - 67] ^= padding
        mask = b"".join(hashlib.sha256(h + counter.to_bytes(4)).digest() for counter in range(16))
        masked = bytearray(a ^ b for a, b in zip(block, mask, strict=False))
        masked[0] = masked[0] & (0xFF >> (8 * length - bits + 1)) | top
        opened = int.from_bytes(bytes(masked) + h + bytes([trailer]))
        if opened < n:
            return RsaKey(n, 65_537), pow(opened, d, n).to_bytes((bits + 7) // 8)
    raise AssertionError("no encoding below the modulus")


def pss(bits: int, **changes: int) -> bool:
    """The one verdict on such a signature."""
    key, signature = signed(bits, **changes)
    return verdict(key, b"m", signature)


@pytest.mark.parametrize("bits", [2048, 2049, 2050, 2055])
def test_each_step_of_pss_is_checked(bits: int) -> None:
    assert pss(bits)
    assert not pss(bits, first=1)
    assert not pss(bits, padding=1)
    assert not pss(bits, separator=2)
    assert not pss(bits, separator=0)
    assert not pss(bits, trailer=0xCC)
    assert not pss(bits, zeros=7)
    if bits % 8 != 1:
        assert not pss(bits, top=0x80 >> (8 * ((bits + 6) // 8) - bits))


@pytest.mark.parametrize("bits", [2049, 2055])
def test_a_signature_plus_the_modulus_is_not_a_second_signature(bits: int) -> None:
    """It opens to the same, and has the same length where the modulus does not fill its bytes."""
    key, signature = signed(bits)
    assert verdict(key, b"m", signature)
    assert not verdict(key, b"m", (int.from_bytes(signature) + key.n).to_bytes(len(signature)))


@pytest.mark.parametrize(("exponent", "bits"), [(65_537, 1024), (65_537, 2046), (3, 2048)])
def test_a_good_signature_of_a_key_that_may_not_be_registered_is_refused_by_all(exponent: int, bits: int) -> None:
    private = library.generate_private_key(exponent, bits)
    numbers = private.public_key().public_numbers()
    good = private.sign(b"m", PSS(MGF1(SHA256()), 32), SHA256())
    private.public_key().verify(good, b"m", PSS(MGF1(SHA256()), 32), SHA256())
    assert not verdict(RsaKey(numbers.n, numbers.e), b"m", good)


def test_a_signature_that_opens_to_more_than_the_encoding_is_refused() -> None:
    """n - 1 opens to itself: for a modulus of 8 k + 1 bits that is longer than any encoding."""
    n, _ = rsa_key(2049)
    assert not verdict(RsaKey(n, 65_537), b"m", (n - 1).to_bytes(257))
    assert not verdict(RsaKey(n, 65_537), b"m", n.to_bytes(257))
    assert not verdict(RsaKey(n, 65_537), b"m", bytes(257))
