"""Public keys of participants: JWK in, a verifier out (docs/spec/statements.md).

Verification never takes anything from the message but the bytes: the algorithm is the one registered with the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.bindings import crypto_sign_open as _sign_open
from nacl.exceptions import BadSignatureError

from ledger.canonical import b64u, unb64u
from ledger.entries.sm2 import sm2_verifier
from ledger.errors import BadEncoding, BadSignature, InvalidInput

Verify = Callable[[bytes, bytes], None]
"""Takes the signed message and the signature; raises BadSignature."""

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493

_Y8: Final = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})
"""The y coordinates of the eight points of small order: order 4, 1, 2 and 8."""


def check_point(encoded: bytes) -> None:
    """Refuse an encoded Ed25519 point that is not canonical or has small order.

    Raises BadSignature. This is half of the gate that both sides apply before any library is asked, so that no two
    libraries can disagree about a recorded signature.
    """
    y = int.from_bytes(encoded, "little") & ((1 << 255) - 1)
    if y >= _P:
        raise BadSignature("an Ed25519 point is not in canonical form (y is not below p)")
    if y in _SMALL_ORDER_Y:
        raise BadSignature("an Ed25519 point has small order")


def ed25519_verifier(key: bytes) -> Verify:
    """A verifier for one raw Ed25519 public key (32 bytes). Raises InvalidInput when the key may not be registered."""
    if len(key) != 32:
        raise InvalidInput(f"an Ed25519 public key has 32 bytes, not {len(key)}")
    try:
        check_point(key)
    except BadSignature as error:
        raise InvalidInput(f"the public key is not acceptable: {error.detail}") from None
    if not crypto_core_ed25519_is_valid_point(key):
        raise InvalidInput("the public key is not a point of prime order on Ed25519")

    def verify(message: bytes, signature: bytes) -> None:
        if len(signature) != 64:
            raise BadSignature(f"an Ed25519 signature has 64 bytes, not {len(signature)}")
        check_point(signature[:32])
        if int.from_bytes(signature[32:], "little") >= _L:
            raise BadSignature("the S half of the Ed25519 signature is not below the group order")
        try:
            _sign_open(signature + message, key)
        except (BadSignatureError, ValueError):  # libsodium reports wrong lengths as ValueError
            raise BadSignature("the Ed25519 signature does not verify") from None

    return verify


def _es256_verifier(key: ec.EllipticCurvePublicKey) -> Verify:
    scheme = ec.ECDSA(SHA256())

    def verify(message: bytes, signature: bytes) -> None:
        if len(signature) != 64:
            raise BadSignature(f"an ES256 signature has 64 bytes (r and s), not {len(signature)}")
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        try:
            key.verify(encode_dss_signature(r, s), message, scheme)
        except InvalidSignature:
            raise BadSignature("the ES256 signature does not verify") from None

    return verify


def _ps256_verifier(key: rsa.RSAPublicKey) -> Verify:
    scheme = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)

    def verify(message: bytes, signature: bytes) -> None:
        try:
            key.verify(signature, message, scheme, SHA256())
        except InvalidSignature:
            raise BadSignature("the PS256 signature does not verify") from None

    return verify


def _member(jwk: Mapping[str, object], name: str, size: int | None = None) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise InvalidInput(f"the JWK has no text member {name!r}", member=name)
    try:
        return unb64u(value, size=size)
    except BadEncoding as error:
        raise InvalidInput(f"the JWK member {name!r} is not acceptable: {error.detail}", member=name) from None


def _require(jwk: Mapping[str, object], names: str, **fixed: str) -> None:
    if sorted(jwk) != names.split(",") or any(jwk[name] != value for name, value in fixed.items()):
        wanted = ", ".join(f"{name}={value}" for name, value in fixed.items())
        raise InvalidInput(f"the JWK must have exactly the members {names} with {wanted}; private members never")


def verifier_of(alg: str, jwk: Mapping[str, object]) -> Verify:
    """A verifier for a public JWK under its one algorithm (`EdDSA`, `ES256`, `PS256`, `SM2`).

    Raises InvalidInput for members that are missing, too many, private, or values that are not an acceptable public key.
    """
    if alg == "EdDSA":
        _require(jwk, "crv,kty,x", kty="OKP", crv="Ed25519")
        return ed25519_verifier(_member(jwk, "x", 32))
    try:
        if alg == "ES256":
            _require(jwk, "crv,kty,x,y", kty="EC", crv="P-256")
            x, y = (int.from_bytes(_member(jwk, name, 32)) for name in ("x", "y"))
            return _es256_verifier(ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key())
        if alg == "SM2":
            _require(jwk, "crv,kty,x,y", kty="EC", crv="SM2")
            return sm2_verifier(*(int.from_bytes(_member(jwk, name, 32)) for name in ("x", "y")))
        if alg == "PS256":
            _require(jwk, "e,kty,n", kty="RSA", e="AQAB")
            encoded = _member(jwk, "n")
            modulus = int.from_bytes(encoded)
            if not 2048 <= modulus.bit_length() <= 3072:
                raise InvalidInput(f"an RSA key must have 2048 to 3072 bits, not {modulus.bit_length()}", member="n")
            if modulus.bit_length() != 8 * len(encoded) or not modulus & 1:
                # one key, one spelling (RFC 7518 §6.3.1.1): leading zeros would let a key be registered twice
                raise InvalidInput("an RSA modulus is odd, fills whole bytes and has no leading zeros", member="n")
            return _ps256_verifier(rsa.RSAPublicNumbers(65537, modulus).public_key())
    except ValueError:
        raise InvalidInput("the JWK is not a valid public key") from None
    raise InvalidInput(f"the algorithm {alg!r} is not one of EdDSA, ES256, PS256, SM2", member="alg")


def jwk_of_ed25519(public: bytes) -> dict[str, str]:
    """The public JWK of a raw Ed25519 key."""
    return {"crv": "Ed25519", "kty": "OKP", "x": b64u(public)}
