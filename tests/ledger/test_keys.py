"""Keys that may be registered, and signatures that verify: the same answers on both sides of the fence."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from nacl.bindings import crypto_core_ed25519_add
from nacl.signing import SigningKey

from ledger.canonical import b64u, unb64u
from ledger.entries.keys import check_point, ed25519_verifier, jwk_of_ed25519, verifier_of
from ledger.errors import BadSignature, InvalidInput, LedgerError
from tests.conformance import files
from tests.world import Signer

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
# RFC 8032 §5.1: y of the points of order 1, 2, 4, 8 (both of them), found as L times a random point.
SMALL_Y = (
    1,
    P - 1,
    0,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    P - 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
)
NONCANONICAL_Y = tuple(range(P, 2**255))


def encoded(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


SIGNERS = [Signer.named("bank-a"), Signer.named("bank-a", "es", "ES256"), Signer.named("bank-a", "ps", "PS256")]


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: signer.key.alg)
def test_each_algorithm_accepts_its_own_signature_and_no_changed_one(signer: Signer) -> None:
    verify = verifier_of(signer.key.alg, signer.key.jwk)
    message = b"a message"
    signature = signer.key.sign(message)
    verify(message, signature)
    for at in range(0, 8 * len(signature), 37):
        changed = bytearray(signature)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(BadSignature):
            verify(message, bytes(changed))
    for wrong in (b"", signature[:-1], signature + b"\0", bytes(len(signature)), b"\xff" * len(signature)):
        with pytest.raises(BadSignature):
            verify(message, wrong)
    with pytest.raises(BadSignature):
        verify(message + b"!", signature)


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", SMALL_Y, ids=hex)
def test_points_of_small_order_are_neither_keys_nor_commitments(y: int, sign: int) -> None:
    with pytest.raises(InvalidInput):
        verifier_of("EdDSA", jwk_of_ed25519(encoded(y, sign)))
    with pytest.raises(BadSignature):
        ed25519_verifier(bytes(SigningKey.generate().verify_key))(b"", encoded(y, sign) + bytes(32))


@pytest.mark.parametrize("y", NONCANONICAL_Y, ids=hex)
def test_points_have_one_spelling(y: int) -> None:
    for sign in (0, 1):
        with pytest.raises(BadSignature):
            check_point(encoded(y, sign))
        with pytest.raises(InvalidInput):
            ed25519_verifier(encoded(y, sign))


def test_a_key_with_a_part_of_small_order_is_refused() -> None:
    mixed = crypto_core_ed25519_add(bytes(SigningKey.generate().verify_key), encoded(P - 1))
    with pytest.raises(InvalidInput, match="prime order"):
        ed25519_verifier(mixed)


def test_the_scalar_of_a_signature_is_below_the_group_order() -> None:
    key = SigningKey.generate()
    signature = key.sign(b"m").signature
    verify = ed25519_verifier(bytes(key.verify_key))
    verify(b"m", signature)
    again = int.from_bytes(signature[32:], "little") + L
    with pytest.raises(BadSignature, match="group order"):
        verify(b"m", signature[:32] + again.to_bytes(32, "little"))


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def rsa_jwk(bits: int) -> dict[str, str]:
    modulus = rsa_key(bits).public_key().public_numbers().n
    return {"e": "AQAB", "kty": "RSA", "n": b64u(modulus.to_bytes(bits // 8))}


ES, RSA = SIGNERS[1].key.jwk, rsa_jwk(2048)


def _x_of_compressed() -> dict[str, str]:
    x, y = unb64u(ES["x"]), unb64u(ES["y"])
    return {"crv": "P-256", "kty": "EC", "x": b64u(bytes([2 + (y[-1] & 1)]) + x)}


def _other_curve() -> dict[str, str]:
    numbers = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    return {"crv": "P-384", "kty": "EC", "x": b64u(numbers.x.to_bytes(48)), "y": b64u(numbers.y.to_bytes(48))}


@pytest.mark.parametrize(
    ("alg", "jwk"),
    [
        ("EdDSA", {**SIGNERS[0].key.jwk, "d": b64u(bytes(32))}),
        ("EdDSA", {**SIGNERS[0].key.jwk, "crv": "Ed448"}),
        ("EdDSA", {**SIGNERS[0].key.jwk, "kid": "mine"}),
        ("EdDSA", {**SIGNERS[0].key.jwk, "x": b64u(bytes(31))}),
        ("EdDSA", {**SIGNERS[0].key.jwk, "x": SIGNERS[0].key.jwk["x"] + "="}),
        ("EdDSA", {"crv": "Ed25519", "kty": "OKP"}),
        ("EdDSA", ES),
        ("ES256", SIGNERS[0].key.jwk),
        ("ES256", {**ES, "d": b64u(os.urandom(32))}),
        ("ES256", _x_of_compressed()),
        ("ES256", _other_curve()),
        ("ES256", {**ES, "crv": "secp256k1"}),
        ("ES256", {**ES, "y": ES["x"]}),
        ("ES256", {**ES, "x": b64u(bytes(32)), "y": b64u(bytes(32))}),
        ("ES256", {**ES, "x": b64u(b"\0" + unb64u(ES["x"]))}),
        ("ES256", {**ES, "x": b64u(b"\xff" * 32)}),
        ("PS256", rsa_jwk(1024)),
        ("PS256", rsa_jwk(4096)),
        ("PS256", {**RSA, "d": b64u(os.urandom(256))}),
        ("PS256", {**RSA, "e": "Aw"}),
        ("PS256", {**RSA, "n": b64u(b"\0" + unb64u(RSA["n"]))}),
        ("PS256", {**RSA, "n": b64u((int.from_bytes(unb64u(RSA["n"])) - 1).to_bytes(256))}),
        ("PS256", {**RSA, "n": b64u(b"\x7f" + b"\xff" * 255 + b"\xff")}),
        ("PS256", {**RSA, "alg": "PS256"}),
        ("RS256", RSA),
        ("HS256", {"k": b64u(bytes(32)), "kty": "oct"}),
        ("none", {}),
        ("Ed25519", SIGNERS[0].key.jwk),
    ],
)
def test_no_other_key_is_registered(alg: str, jwk: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        verifier_of(alg, jwk)


def test_the_sizes_of_rsa_keys_that_are_registered() -> None:
    for bits in (2048, 3072):
        verifier_of("PS256", rsa_jwk(bits))


def test_ps256_means_its_hash_and_its_salt() -> None:
    verify = verifier_of("PS256", RSA)
    key = rsa_key(2048)
    for mask, hashed, salt in ((SHA256(), SHA256(), 20), (SHA1(), SHA256(), 32), (SHA256(), SHA1(), 32)):  # noqa: S303
        other = key.sign(b"m", padding.PSS(mgf=padding.MGF1(mask), salt_length=salt), hashed)
        with pytest.raises(BadSignature):
            verify(b"m", other)
    with pytest.raises(BadSignature):
        verify(b"m", key.sign(b"m", padding.PKCS1v15(), SHA256()))


@pytest.mark.conformance
def test_s12_every_published_case_of_ed25519_has_its_verdict() -> None:
    cases = 0
    for path in files("vectors/wycheproof/**/*.json", shape=_is_eddsa):
        for group in json.loads(path.read_text())["testGroups"]:
            key = bytes.fromhex(group["publicKey"]["pk"])
            for case in group["tests"]:
                cases += 1
                try:
                    ed25519_verifier(key)(bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
                except LedgerError:
                    verdict = "invalid"
                else:
                    verdict = "valid"
                assert verdict == case["result"], (path.name, case["tcId"], case["comment"])
    assert cases


def _is_eddsa(path: Path) -> bool:
    groups = json.loads(path.read_text()).get("testGroups", [{}])
    return "pk" in groups[0].get("publicKey", {})
