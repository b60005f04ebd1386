"""Signatures of the Account Aggregator: detached ones over messages (RFC 7797, `b64`: false), and that of an artefact.

ReBIT publishes RS256. It is taken here from a participant's RSA key, as PS256 is, and made for whoever has not asked for PS256.
It stops at these messages: statements, client authentication, tokens and passkeys know no RS256 (docs/standards/india.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from api.client.signing import LocalSigner
from api.office.configuration import HolderOptions
from api.office.gateway import Gateway
from api.standards.detached import SIGNATURE_HEADER, detached
from api.standards.india.requests import refused
from ledger.canonical import b64u, unb64u
from ledger.errors import BadEncoding, BadSignature
from ledger.participants import Key, Registry

ALGORITHM: Final = "india_alg"
"""A holder's decision: `PS256`, else messages and artefacts are signed with RS256."""
RS256: Final = "RS256"
_LIMIT: Final = 4096
_ARTEFACT_LIMIT: Final = 64 * 1024


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    b64: bool
    crit: tuple[str, ...]
    kid: str
    typ: str = "JOSE"


class _ArtefactHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str = "JWT"


@dataclass(frozen=True, slots=True)
class Rs256Signer:
    """Signs messages of this standard with the gateway's RSA key. A MessageSigner."""

    _key: LocalSigner
    alg: str = RS256

    @property
    def kid(self) -> str:
        """The key's id in the log."""
        return self._key.kid

    def sign(self, message: bytes) -> bytes:
        """The signature."""
        return self._key.sign_rs256(message)


def signer_of(gateway: Gateway, options: HolderOptions) -> LocalSigner | Rs256Signer:
    """Who signs what is said for a holder."""
    own = gateway.messages
    return own if own.alg != "PS256" or options.options.get(ALGORITHM) == "PS256" else Rs256Signer(own)


def sign_body(gateway: Gateway, options: HolderOptions, body: bytes) -> str:
    """The header `x-jws-signature` of a body."""
    return detached(signer_of(gateway, options), body)


def sign_artefact(signer: LocalSigner | Rs256Signer, detail: Mapping[str, Any]) -> str:
    """A compact JWS: `signedConsent`."""
    head, payload = ({"alg": signer.alg, "kid": signer.kid}, dict(detail))
    signed = ".".join(b64u(msgspec.json.encode(part)) for part in (head, payload))
    return f"{signed}.{b64u(signer.sign(signed.encode()))}"


def check_detached(value: str, body: bytes, caller: str, registry: Registry) -> None:
    """Raises Refusal SignatureDoesNotMatch unless this is a detached JWS of a client key of the caller's over the body.

    The key is the one that the log knows for the header's `kid`, and the algorithm is that key's own, or RS256 of an RSA key.
    """
    try:
        head, said, signature = _parts(value)
        _verify(_key(said.kid, registry, caller), said.alg, head.encode() + b"." + body, signature)
    except (BadEncoding, msgspec.DecodeError, UnicodeError):
        raise refused("SignatureDoesNotMatch", f"{SIGNATURE_HEADER} is not a detached JWS with b64 false") from None
    except BadSignature as error:
        raise refused("SignatureDoesNotMatch", f"{SIGNATURE_HEADER} is not good: {error.detail}") from None


def _parts(value: str) -> tuple[str, _Head, bytes]:
    head, _, rest = value.partition(".")
    if len(value) > _LIMIT or not rest.startswith("."):
        raise BadSignature("it is not a detached JWS")
    said = msgspec.json.decode(unb64u(head), type=_Head)
    if said.b64 or said.crit != ("b64",):
        raise BadSignature("it must say b64 false, and crit b64")
    return head, said, unb64u(rest[1:])


def read_artefact(text: str, registry: Registry) -> tuple[bytes, str]:
    """The signed payload of an artefact, and whose key has signed it. Raises BadSignature, BadEncoding, DecodeError."""
    parts = text.split(".")
    if len(parts) != 3 or len(text) > _ARTEFACT_LIMIT:
        raise BadSignature("it is not a compact JWS")
    said = msgspec.json.decode(unb64u(parts[0]), type=_ArtefactHead)
    if said.typ.upper() != "JWT":
        raise BadSignature("its typ is another")
    key = _key(said.kid, registry)
    _verify(key, said.alg, f"{parts[0]}.{parts[1]}".encode(), unb64u(parts[2]))
    return unb64u(parts[1]), key.participant


def _key(kid: str, registry: Registry, owner: str = "") -> Key:
    key = registry.keys.get(kid)
    if key is None or key.use != "client" or key.revoked_at is not None or owner not in ("", key.participant):
        raise BadSignature("its kid is not that of a client key" + (" of the caller" if owner else ""))
    return key


def _verify(key: Key, alg: str, message: bytes, signature: bytes) -> None:
    if alg == RS256 and key.alg == "PS256":
        numbers = (int.from_bytes(unb64u(key.jwk[name])) for name in ("e", "n"))
        try:
            RSAPublicNumbers(*numbers).public_key().verify(signature, message, PKCS1v15(), SHA256())
        except InvalidSignature:
            raise BadSignature("the RS256 signature does not verify") from None
    elif alg == key.alg:
        key.verify(message, signature)
    else:
        raise BadSignature("its alg is not one of the key's")
