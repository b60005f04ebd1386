"""Every backend gives the same verdict, on good signatures and on all the edges where libraries disagree."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier.backends import b64u, public, verdict
from tests.verifier.making import accepts, refusal
from verifier.bytes.encoding import encode_base64url
from verifier.crypto import ed25519, p256
from verifier.crypto.backend import CHOICES, VARIABLE, Backend, select
from verifier.crypto.keys import (
    Ed25519Key,
    P256Key,
    RsaKey,
    ed25519_key,
    parse_cose_key,
    parse_jwk,
    parse_spki,
)
from verifier.errors import CannotCheck, Code

L = ed25519.L


def test_the_small_order_list_is_exactly_the_encodings_that_decode_to_small_order() -> None:
    assert len(ed25519.SMALL_ORDER) == 14
    expected = set()
    # All points of small order: multiples of L of random points; then every spelling that decodes to one of them.
    points = set()
    for seed in range(64):
        y = int.from_bytes(hashlib.sha256(bytes([seed])).digest(), "little") & (2**255 - 1)
        try:
            point = ed25519._decode(y.to_bytes(32, "little"), "a point")
        except Exception:  # noqa: BLE001, S112 - half of all y are not on the curve
            continue
        points.add(ed25519._encode(ed25519._multiply(L, point)))
    assert len(points) == 8
    ys = {int.from_bytes(point, "little") & (2**255 - 1) for point in points}
    for y in ys | {y + ed25519.P for y in ys if y + ed25519.P < 2**255}:
        expected |= {(y | sign << 255).to_bytes(32, "little") for sign in (0, 1)}
    assert expected == ed25519.SMALL_ORDER


def test_no_small_order_or_unreduced_point_is_accepted_as_key_or_as_r() -> None:
    unreduced = [(y | sign << 255).to_bytes(32, "little") for y in range(ed25519.P, 2**255) for sign in (0, 1)]
    honest = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    key, signature = honest.public_key().public_bytes_raw(), honest.sign(b"m")
    for point in {*ed25519.SMALL_ORDER, *unreduced}:
        for s in (0, 1, int.from_bytes(signature[32:], "little")):
            forged = point + s.to_bytes(32, "little")
            assert not verdict(Ed25519Key(point), b"m", forged)
            assert not verdict(Ed25519Key(point), b"m", signature)
            assert not verdict(Ed25519Key(key), b"m", forged)


def test_a_signer_cannot_use_the_identity_as_r() -> None:
    """S = h a verifies the equation with R = identity: OpenSSL alone would accept it, libsodium would not."""
    seed = hashlib.sha512(b"k" * 32).digest()
    scalar = int.from_bytes(seed[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key().public_bytes_raw()
    r = (1).to_bytes(32, "little")
    h = int.from_bytes(hashlib.sha512(r + key + b"m").digest(), "little") % L
    signature = r + (h * scalar % L).to_bytes(32, "little")
    Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key().verify(signature, b"m")
    assert not verdict(Ed25519Key(key), b"m", signature)


def test_ed25519_signatures_are_not_malleable_and_lengths_are_exact() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    key, signature = Ed25519Key(private.public_key().public_bytes_raw()), private.sign(b"m")
    assert verdict(key, b"m", signature)
    s = int.from_bytes(signature[32:], "little")
    for multiple in range(1, 15):
        if s + multiple * L < 2**256:
            assert not verdict(key, b"m", signature[:32] + (s + multiple * L).to_bytes(32, "little"))
    for wrong in (b"", signature[:-1], signature + b"\0", signature[:32]):
        assert not verdict(key, b"m", wrong)
    for short in (b"", key.raw[:-1], key.raw + b"\0"):
        assert not verdict(Ed25519Key(short), b"m", signature)


def test_the_gate_refuses_the_first_unreduced_s() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    key, r = private.public_key().public_bytes_raw(), private.sign(b"m")[:32]
    ed25519.check_gate(key, r + (L - 1).to_bytes(32, "little"))
    with refusal(Code.BAD_SIGNATURE):
        ed25519.check_gate(key, r + L.to_bytes(32, "little"))


def test_a_key_of_mixed_order_verifies_but_cannot_be_registered() -> None:
    honest = ed25519._decode(Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key().public_bytes_raw(), "")
    ed25519_key(ed25519._encode(honest))
    for point in ed25519.SMALL_ORDER:
        if accepts(lambda p=point: ed25519._decode(p, "")):
            mixed = ed25519._encode(ed25519._add(honest, ed25519._decode(point, "")))
            if mixed != ed25519._encode(honest):
                with refusal(Code.BAD_SIGNATURE):
                    ed25519_key(mixed)


@settings(max_examples=40)
@given(st.binary(max_size=200), st.integers(0, 511), st.booleans())
def test_one_flipped_bit_of_an_ed25519_signature_is_refused_by_all(message: bytes, bit: int, flip: bool) -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
    signature = bytearray(private.sign(message))
    if flip:
        signature[bit // 8] ^= 1 << bit % 8
    assert verdict(Ed25519Key(private.public_key().public_bytes_raw()), message, bytes(signature)) is not flip


def test_es256_edges_have_one_verdict() -> None:
    private = ec.derive_private_key(12345, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    key = P256Key(numbers.x, numbers.y)
    raw = p256.raw_from_der(private.sign(b"m", ec.ECDSA(hashes.SHA256())))
    r, s = raw[:32], raw[32:]
    assert verdict(key, b"m", raw)
    assert verdict(key, b"m", r + (p256.N - int.from_bytes(s)).to_bytes(32))  # malleable: never an identity
    assert not verdict(key, b"n", raw)
    zero, order = bytes(32), p256.N.to_bytes(32)
    for left, right in itertools.product((r, zero, order), (s, zero, order)):
        if (left, right) != (r, s):
            assert not verdict(key, b"m", left + right)
    for wrong in (b"", raw[:-1], raw + b"\0", private.sign(b"m", ec.ECDSA(hashes.SHA256()))):
        assert not verdict(key, b"m", wrong)
    for x, y in ((0, 0), (key.x, key.y ^ 1), (key.x + p256.P, key.y), (p256.P, key.y), (-1, 1)):
        assert not verdict(P256Key(x, y), b"m", raw)


def test_der_signatures_have_one_spelling() -> None:
    private = ec.derive_private_key(99, ec.SECP256R1())
    for number in range(64):
        der = private.sign(bytes([number]), ec.ECDSA(hashes.SHA256()))
        assert len(p256.raw_from_der(der)) == 64
        for changed in (
            der + b"\0",
            der[:-1],
            b"\x31" + der[1:],
            der[:1] + b"\x81" + der[1:],
            der[:2] + b"\x02" + bytes([der[3] + 1, 0]) + der[4:],
            der[:4] + bytes([der[4] | 0x80]) + der[5:],
        ):
            if changed != der:
                with refusal(Code.BAD_SIGNATURE):
                    raw = p256.raw_from_der(changed)
                    p256.verify(*public(private), bytes([number]), raw)


@pytest.mark.parametrize("bits", [2048, 2049, 2055, 3072])
def test_ps256_edges_have_one_verdict(bits: int) -> None:
    private = rsa.generate_private_key(65537, bits)
    numbers = private.public_key().public_numbers()
    key = RsaKey(numbers.n, numbers.e)

    def sign(salt: int, mask: hashes.HashAlgorithm, digest: hashes.HashAlgorithm) -> bytes:
        return private.sign(b"m", padding.PSS(padding.MGF1(mask), salt), digest)

    sha256, sha1 = hashes.SHA256(), hashes.SHA1()  # noqa: S303 - must be refused
    good = sign(32, sha256, sha256)
    assert verdict(key, b"m", good)
    assert not verdict(key, b"n", good)
    for other in (
        sign(0, sha256, sha256),
        sign(20, sha256, sha256),
        sign(33, sha256, sha256),
        sign(32, sha1, sha256),
        sign(32, sha256, hashes.SHA384()),
        private.sign(b"m", padding.PKCS1v15(), sha256),
        good[:-1],
        b"\0" + good,
        good[:-1] + bytes([good[-1] ^ 1]),
        bytes(len(good)),
        (int.from_bytes(good) + key.n).to_bytes(len(good) + 1),
    ):
        assert not verdict(key, b"m", other)
    assert not verdict(RsaKey(key.n, 3), b"m", good)
    assert not verdict(RsaKey(key.n + 1, key.e), b"m", good)


def test_rsa_keys_outside_the_bounds_are_refused_by_all() -> None:
    for bits in (1024, 4104):
        numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers() if bits < 2048 else None
        modulus = numbers.n if numbers else (1 << bits) - 1
        assert not verdict(RsaKey(modulus, 65537), b"m", bytes(bits // 8))


def test_a_backend_is_chosen_by_argument_or_environment_and_never_silently_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert select("pure").name == "pure"
    monkeypatch.setenv(VARIABLE, "pure")
    assert select() is select("pure")
    monkeypatch.setenv(VARIABLE, "pur")
    with pytest.raises(CannotCheck, match="auto"):
        select()
    assert all(isinstance(select(choice), Backend) for choice in CHOICES)


def test_keys_are_read_in_one_spelling_only() -> None:
    x, y = public(ec.derive_private_key(7, ec.SECP256R1()))
    okp = Ed25519PrivateKey.from_private_bytes(b"o" * 32).public_key().public_bytes_raw()
    n = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    good = [
        {"crv": "P-256", "kty": "EC", "x": b64u(x, 32), "y": b64u(y, 32)},
        {"crv": "Ed25519", "kty": "OKP", "x": encode_base64url(okp)},
        {"e": "AQAB", "kty": "RSA", "n": b64u(n, 256)},
    ]
    assert [parse_jwk(jwk).alg for jwk in good] == ["ES256", "EdDSA", "PS256"]  # type: ignore[arg-type]
    bad = [
        {**good[0], "y": b64u(y ^ 1, 32)},
        {**good[0], "x": b64u(x, 33)},
        {**good[0], "d": "AA"},
        {**good[0], "crv": "P-384"},
        {**good[1], "x": encode_base64url(okp) + "="},
        {**good[1], "alg": "EdDSA"},
        {**good[1], "x": encode_base64url(bytes(32))},
        {**good[2], "n": b64u(n, 257)},
        {**good[2], "e": "Aw"},
        {**good[2], "n": b64u(n + 1, 256)},
        {"kty": "oct", "k": "AA"},
        {},
    ]
    for jwk in bad:
        with refusal(Code.BAD_ENCODING, Code.BAD_SIGNATURE):
            parse_jwk(jwk)  # type: ignore[arg-type]
    cose = bytes.fromhex("a50102032620012158 20".replace(" ", "")) + x.to_bytes(32) + b"\x22\x58\x20" + y.to_bytes(32)
    assert parse_cose_key(cose) == P256Key(x, y)
    with refusal(Code.BAD_ENCODING):
        parse_cose_key(cose.replace(b"\x03\x26", b"\x03\x27"))
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\x04"
    assert parse_spki(spki + x.to_bytes(32) + y.to_bytes(32)) == P256Key(x, y)
    with refusal(Code.BAD_ENCODING):
        parse_spki(spki[:-1] + b"\x02" + x.to_bytes(32))
