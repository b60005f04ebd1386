"""Keys are taken in one spelling each, and each backend is the library it names."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.verifier.backends import b64u, public
from tests.verifier.making import accepts, refusal
from verifier.bytes.encoding import Json, Object, encode_base64url
from verifier.crypto import backend, ed25519, p256, rsa
from verifier.crypto.keys import (
    Ed25519Key,
    RsaKey,
    p256_key,
    parse_cose_key,
    parse_jwk,
    parse_spki,
)
from verifier.errors import CannotCheck, Code


def jwk(n: int = 2**2047 + 1, e: bytes = b"\1\0\1", more: int = 0) -> Object:
    return {"e": encode_base64url(e), "kty": "RSA", "n": b64u(n, (n.bit_length() + 7) // 8 + more)}


def test_a_registered_rsa_key_has_whole_bytes_up_to_3072_bits_and_the_one_exponent() -> None:
    assert parse_jwk(jwk(2**3071 + 1)) == RsaKey(2**3071 + 1, 65_537)
    for other in (
        jwk(2**3072 + 1),
        jwk(more=1),
        jwk(e=b"\0\1\0\1"),
        jwk(e=b"\1\0\0\0\1"),
        jwk(e=b""),
        jwk(0),
        {**jwk(), "d": "AQ"},
    ):
        with refusal(Code.BAD_ENCODING):
            parse_jwk(other)
    for other in (jwk(2**2046 + 1), jwk(3), jwk(2**2048 + 1), jwk(e=b"\3"), jwk(e=b"\1\0\3"), jwk(e=b"\xff" * 4)):
        with refusal(Code.BAD_SIGNATURE):
            parse_jwk(other)


@pytest.mark.parametrize(
    "kind", [("OKP", "X25519"), ("EC", "Ed25519"), ("OKP", "P-256"), ("EC", "P-384"), ("RSA", "x"), ("", "")]
)
def test_a_key_of_another_kind_is_refused(kind: tuple[str, str]) -> None:
    x, y = public(ec.derive_private_key(7, ec.SECP256R1()))
    members: dict[str, Json] = {"kty": kind[0], "crv": kind[1], "x": b64u(x, 32)}
    for more in ({}, {"y": b64u(y, 32)}):
        with refusal(Code.BAD_ENCODING):
            parse_jwk({**members, **more})


def test_coordinates_have_32_bytes_however_they_are_spelled() -> None:
    x, y = (number.to_bytes(32) for number in public(ec.derive_private_key(7, ec.SECP256R1())))
    assert p256_key(x, y).x == int.from_bytes(x)
    for other in ((x + b"\0", y), (b"\0" + x, y), (x, b"\0" + y), (x[1:], y), (x, y[:-1]), (b"", b"")):
        with refusal(Code.BAD_SIGNATURE):
            p256_key(*other)
    prefix = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
    for data in (prefix + x + y + b"\0", prefix + x + y[:-1], b"\x31" + prefix[1:] + x + y, b"\0" + prefix + x + y[1:]):
        with refusal(Code.BAD_ENCODING):
            parse_spki(data)


def test_a_cose_key_has_the_members_of_its_kind_and_no_others() -> None:
    x, y = (b"\x58\x20" + number.to_bytes(32) for number in public(ec.derive_private_key(7, ec.SECP256R1())))
    good = b"\xa5\x01\x02\x03\x26\x20\x01\x21" + x + b"\x22" + y
    okp = b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20" + ed25519._encode(ed25519.BASE)
    assert (parse_cose_key(good).alg, parse_cose_key(okp)) == ("ES256", Ed25519Key(ed25519._encode(ed25519.BASE)))
    for at in (2, 4, 6):  # kty, alg, crv
        for data in (good, okp):
            for step in (1, -1):
                changed = data[:at] + bytes([data[at] + step]) + data[at + 1 :]
                assert not accepts(parse_cose_key, changed)
    for data in (
        good[:1] + good[3:],
        b"\xa5" + okp[1:] + b"\x22" + y,
        b"\xa6" + good[1:] + b"\x05\x40",
        b"\x80",
        b"\xf6",
    ):
        assert not accepts(parse_cose_key, data)
    for data in (good.replace(x, b"\x01"), good.replace(y, b"\x01"), good.replace(y, b"\x40"), okp[:8] + b"\x01"):
        assert not accepts(parse_cose_key, data)


@pytest.fixture
def fresh_backends() -> Iterator[None]:
    backend._build.cache_clear()
    yield
    backend._build.cache_clear()


def test_each_choice_uses_the_library_it_names_and_our_own_code_for_the_rest() -> None:
    pure, sodium, openssl = (backend.select(name) for name in ("pure", "pynacl", "cryptography"))
    assert (pure.name, pure.ed25519, pure.es256, pure.ps256) == ("pure", ed25519.verify, p256.verify, rsa.verify)
    assert sodium.name == "ES256 and PS256 pure, Ed25519 pynacl"
    assert (sodium.es256, sodium.ps256) == (pure.es256, pure.ps256)
    assert openssl.name == "ES256 and PS256 cryptography, Ed25519 cryptography"
    best = backend.select("auto")
    assert best.name == "ES256 and PS256 cryptography, Ed25519 pynacl"
    assert (best.ed25519, best.es256, best.ps256) == (sodium.ed25519, openssl.es256, openssl.ps256)
    assert len({pure.ed25519, sodium.ed25519, openssl.ed25519}) == 3


@pytest.mark.usefixtures("fresh_backends")
@pytest.mark.parametrize(
    ("missing", "name"),
    [
        (("with_pynacl",), "ES256 and PS256 cryptography, Ed25519 cryptography"),
        (("with_cryptography",), "ES256 and PS256 pure, Ed25519 pynacl"),
        (("with_pynacl", "with_cryptography"), "ES256 and PS256 pure, Ed25519 pure"),
    ],
)
def test_a_library_that_is_missing_is_done_without_unless_it_was_asked_for(
    missing: tuple[str, ...], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in missing:
        monkeypatch.setitem(sys.modules, f"verifier.crypto.{module}", None)
        monkeypatch.delattr(f"verifier.crypto.{module}", raising=False)
    assert backend.select("auto").name == name
    assert backend.select("pure").name == "pure"
    for choice in ("pynacl", "cryptography"):
        if f"with_{choice}" in missing:
            with pytest.raises(CannotCheck, match="not installed"):
                backend.select(choice)
        else:
            assert choice in backend.select(choice).name
