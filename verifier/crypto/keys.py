"""Public keys as the verifier knows them: from a JWK (RFC 7517, 8037), a COSE key (RFC 9053), an X.509 SPKI.

Each parser accepts exactly one spelling and only keys that pass the checks for registration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from verifier.bytes.encoding import Object, check_members, get_bytes
from verifier.crypto import ed25519, p256, rsa, sm2
from verifier.errors import Code, refuted

JWK_RSA_EXPONENT = 65_537
MAX_JWK_RSA_BITS = 3072  # docs/spec/statements.md: registered RSA keys have 2048 to 3072 bits


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """32 bytes; algorithm EdDSA."""

    raw: bytes
    alg = "EdDSA"


@dataclass(frozen=True, slots=True)
class P256Key:
    """Affine coordinates on P-256; algorithm ES256."""

    x: int
    y: int
    alg = "ES256"


@dataclass(frozen=True, slots=True)
class RsaKey:
    """Modulus and exponent; algorithm PS256."""

    n: int
    e: int
    alg = "PS256"


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """Affine coordinates on the curve of SM2; algorithm SM2 (with SM3). From ruleset 3 on."""

    x: int
    y: int
    alg = "SM2"


@dataclass(frozen=True, slots=True)
class MlDsa44Key:
    """1,312 bytes; of witnesses only (C2SP tlog-cosignature, type 0x06)."""

    raw: bytes


PublicKey: TypeAlias = Ed25519Key | P256Key | RsaKey | Sm2Key

# SubjectPublicKeyInfo of an uncompressed P-256 point has one DER spelling: these bytes, then 04 || x || y.
_P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def ed25519_key(raw: bytes) -> Ed25519Key:
    """A key of prime order. Raises Refuted(BAD_SIGNATURE)."""
    ed25519.check_registered_key(raw)
    return Ed25519Key(raw)


def p256_key(x: bytes, y: bytes) -> P256Key:
    """A point of the curve from two 32-byte coordinates. Raises Refuted(BAD_SIGNATURE)."""
    if len(x) != 32 or len(y) != 32:
        raise refuted(Code.BAD_SIGNATURE, "a P-256 coordinate has 32 bytes", found=(len(x), len(y)))
    key = P256Key(int.from_bytes(x), int.from_bytes(y))
    p256.check_point(key.x, key.y)
    return key


def sm2_key(x: bytes, y: bytes) -> Sm2Key:
    """A point of the curve from two 32-byte coordinates. Raises Refuted(BAD_SIGNATURE)."""
    key = Sm2Key(int.from_bytes(x), int.from_bytes(y))
    sm2.check_point(key.x, key.y)
    return key


def parse_jwk(jwk: Object) -> PublicKey:
    """The key of a JWK with exactly the public members of its type (docs/spec/leaves.md, `key.added`).
    Raises Refuted: BAD_ENCODING for the form, BAD_SIGNATURE for a key that must not be used."""
    kind = jwk.get("kty")
    if kind == "OKP" and jwk.get("crv") == "Ed25519":
        check_members(jwk, {"crv", "kty", "x"})
        return ed25519_key(get_bytes(jwk, "x", 32))
    if kind == "EC" and jwk.get("crv") == "P-256":
        check_members(jwk, {"crv", "kty", "x", "y"})
        return p256_key(get_bytes(jwk, "x", 32), get_bytes(jwk, "y", 32))
    if kind == "EC" and jwk.get("crv") == "SM2":
        check_members(jwk, {"crv", "kty", "x", "y"})
        return sm2_key(get_bytes(jwk, "x", 32), get_bytes(jwk, "y", 32))
    if kind == "RSA":
        check_members(jwk, {"e", "kty", "n"})
        modulus, exponent = get_bytes(jwk, "n", 1, MAX_JWK_RSA_BITS // 8), get_bytes(jwk, "e", 1, 4)
        if modulus[0] == 0 or exponent[0] == 0:
            raise refuted(Code.BAD_ENCODING, "a number of the key has a leading zero byte", field="jwk")
        key = RsaKey(int.from_bytes(modulus), int.from_bytes(exponent))
        rsa.check_key(key.n, key.e)
        if key.e != JWK_RSA_EXPONENT or key.n.bit_length() % 8:
            raise refuted(
                Code.BAD_SIGNATURE,
                "a registered RSA key has the exponent 65537 and a modulus of whole bytes",
                field="jwk",
                found=f"{key.n.bit_length()} bits, exponent {key.e}",
            )
        return key
    raise refuted(
        Code.BAD_ENCODING,
        "a key of an unknown type",
        field="jwk",
        found=(kind, jwk.get("crv")),
        expected="OKP/Ed25519, EC/P-256, EC/SM2 or RSA",
    )


def parse_spki(der: bytes) -> P256Key:
    """The P-256 key of a DER SubjectPublicKeyInfo (RFC 5480), uncompressed; nothing else is accepted."""
    if len(der) != len(_P256_SPKI) + 64 or not der.startswith(_P256_SPKI):
        raise refuted(Code.BAD_ENCODING, "not the public key of an uncompressed P-256 point", found=der)
    return p256_key(der[-64:-32], der[-32:])


# A COSE key has one spelling, CTAP2's: these bytes with the coordinates between and behind them (docs/spec/passkeys.md).
_COSE_ES256, _COSE_Y = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")
_COSE_EDDSA = bytes.fromhex("a4010103272006215820")


def parse_cose_key(data: bytes) -> Ed25519Key | P256Key:
    """The key of a COSE_Key as authenticators give it: {1:2, 3:-7, -1:1, -2:x, -3:y} or {1:1, 3:-8, -1:6, -2:x}, in
    these bytes and no other. Raises Refuted: BAD_ENCODING for the form, BAD_SIGNATURE for a key that must not be used.
    Source: RFC 9052 section 7, RFC 9053 sections 2 and 7, CTAP 2.1 section 8."""
    if data.startswith(_COSE_EDDSA) and len(data) == 42:
        return ed25519_key(data[10:])
    if data.startswith(_COSE_ES256) and len(data) == 77 and data[42:45] == _COSE_Y:
        return p256_key(data[10:42], data[45:])
    raise refuted(Code.BAD_ENCODING, "not a COSE key for ES256 or EdDSA", found=data)
