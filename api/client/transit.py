"""Keys in the transit engine of HashiCorp Vault, or of OpenBao: they sign and wrap there and are never handed out.

    vault:https://vault.example:8200/transit/NAME?token-source=/run/secrets/vault-token[&namespace=NAME]

The path is the engine's and the key's. Key types: `ed25519` (log, statements), `ecdsa-p256` (tokens, statements),
`aes256-gcm96` (KEK). Source: the HTTP API of the transit secrets engine (sign, encrypt, decrypt, read key, create key).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx2
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from api.client.key_services import TIMEOUT_SECONDS, raw_public_key
from ledger.canonical import b64, unb64u
from ledger.custody.held import KEY_BYTES, HeldAlgorithm
from ledger.custody.places import Scheme
from ledger.errors import BadEncoding, Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from ledger.secrets import read_secret

PREFIX: Final = "vault:"
_TYPES: Final[dict[HeldAlgorithm, str]] = {"EdDSA": "ed25519", "ES256": "ecdsa-p256"}
_WRAPPING: Final = "aes256-gcm96"
_PATH: Final = re.compile(r"/((?:[A-Za-z0-9_.-]+/)+)([A-Za-z0-9_.-]+)", re.ASCII)
_LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class _Address:
    """Which key of which engine, and the file with the token that may use it."""

    base: str
    engine: str
    name: str
    token_source: Path
    namespace: str


def _address(uri: str) -> _Address:
    parts = urlsplit(uri.removeprefix(PREFIX))
    path = _PATH.fullmatch(parts.path)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if path is None or parts.username or parts.password or parts.fragment:
        raise InvalidInput(
            "the URI of a key in Vault reads vault:https://HOST/ENGINE/NAME?token-source=/FILE, and holds no secret"
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise InvalidInput("Vault is asked over https; plain http is for loopback only")
    source = Path(query.get("token-source", ""))
    if not source.is_absolute() or query.keys() - {"token-source", "namespace"}:
        raise InvalidInput(
            "the URI of a key in Vault needs «token-source» with an absolute path, may have «namespace», no more"
        )
    return _Address(
        f"{parts.scheme}://{parts.netloc}", path[1].rstrip("/"), path[2], source, query.get("namespace", "")
    )


class _TransitKey:
    """A key of the engine. Thread-safe: each call is a request of its own."""

    def __init__(self, uri: str) -> None:
        self.place = uri
        self._at = _address(uri)

    @cached_property
    def _client(self) -> httpx2.Client:
        return httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)

    def ask(self, method: str, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The `data` of an answer. Raises NotFound (404), InvalidInput (400, 403), Unavailable."""
        headers = {"X-Vault-Token": read_secret(self._at.token_source).decode().strip()}
        if self._at.namespace:
            headers["X-Vault-Namespace"] = self._at.namespace
        address = f"{self._at.base}/v1/{self._at.engine}/{verb}/{self._at.name}"
        try:
            answer = self._client.request(method, address, json=body, headers=headers)
            said: Any = answer.json() if answer.content else {}
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable(
                f"Vault at {self._at.base} does not answer ({type(error).__name__}); this node tries again"
            ) from None
        if answer.status_code == httpx2.codes.NOT_FOUND:
            raise NotFound(f"Vault at {self._at.base} has no key {self._at.engine}/{self._at.name}")
        if answer.status_code in {400, 403}:
            raise InvalidInput(f"Vault refuses {verb} with {self._at.engine}/{self._at.name} ({answer.status_code})")
        if not answer.is_success or not isinstance(said, dict):
            raise Unavailable(
                f"Vault at {self._at.base} answers {answer.status_code} (sealed, or in trouble); this node tries again"
            )
        data = said.get("data") or {}
        return data if isinstance(data, dict) else {}

    def probe(self) -> None:
        """The key is there, and the token may look at it. Raises NotFound, InvalidInput, Unavailable."""
        self.ask("GET", "keys")


class TransitSigningKey(_TransitKey):
    """A key pair of the engine. A HeldKey. It signs with the version that has the public half, whatever comes later."""

    def __init__(self, uri: str, alg: HeldAlgorithm, public: bytes | None) -> None:
        """`public`: what the public half must be; the service is then asked only when the key is used."""
        super().__init__(uri)
        self.alg: HeldAlgorithm = alg
        self._version: int | None = None
        self.public = public if public is not None else self._newest()

    def _versions(self) -> dict[int, bytes]:
        data = self.ask("GET", "keys")
        if data.get("type") != _TYPES[self.alg]:
            raise InvalidInput(
                f"the key {self._at.name} in Vault is of type {data.get('type')}, not {_TYPES[self.alg]}"
            )
        try:
            return {int(version): _raw(str(key["public_key"])) for version, key in data["keys"].items()}
        except (KeyError, TypeError, AttributeError, ValueError, UnsupportedAlgorithm):
            raise Unavailable("Vault shows public keys in a form that is not read here") from None

    def _newest(self) -> bytes:
        versions = self._versions()
        self._version = max(versions)
        return versions[self._version]

    def sign(self, message: bytes) -> bytes:
        """See HeldKey."""
        if self._version is None:
            found = [version for version, public in self._versions().items() if public == self.public]
            if not found:
                raise InvalidInput(
                    f"no version of the key {self._at.name} in Vault has the public half that is asked for"
                )
            self._version = found[0]
        body: dict[str, Any] = {"input": b64(message), "key_version": self._version}
        if self.alg == "ES256":
            body |= {"hash_algorithm": "sha2-256", "marshaling_algorithm": "jws"}
        text = str(self.ask("POST", "sign", body).get("signature", "")).rsplit(":", 1)[-1]
        try:
            made = unb64u(text) if self.alg == "ES256" else base64.b64decode(text, validate=True)
        except (BadEncoding, binascii.Error):
            made = b""
        if len(made) != 64:
            raise Unavailable("Vault made no signature of 64 bytes: nothing was signed")
        return made


class TransitWrapper(_TransitKey):
    """An AES-256-GCM key of the engine. A Wrapper whose sealed form is Vault's own text."""

    def seal(self, plaintext: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        answer = self.ask("POST", "encrypt", {"plaintext": b64(plaintext), "associated_data": b64(place)})
        sealed = answer.get("ciphertext")
        if not isinstance(sealed, str) or not sealed.isascii():
            raise Unavailable("Vault made no ciphertext: nothing was wrapped")
        return sealed.encode()

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        body = {"ciphertext": sealed.decode("ascii", "replace"), "associated_data": b64(place)}
        try:
            answer = self.ask("POST", "decrypt", body)
            return base64.b64decode(str(answer["plaintext"]), validate=True)
        except (InvalidInput, KeyError, binascii.Error):
            self.probe()  # raises where the token may not use the key; else the bytes are not of that key
            raise Corrupt(f"stored data at {place.decode(errors='replace')} does not decrypt") from None


def _raw(text: str) -> bytes:
    """A public key as the engine shows it: PEM, or (Ed25519) base64 of 32 bytes. Raises ValueError."""
    if "BEGIN" not in text:
        return base64.b64decode(text, validate=True)
    return raw_public_key(load_pem_public_key(text.encode()))


def _make(uri: str, kind: str) -> None:
    """Raises Conflict when there is one: creating it again would be answered with success, and make nothing."""
    key = _TransitKey(uri)
    try:
        key.probe()
    except NotFound:
        key.ask("POST", "keys", {"type": kind, "exportable": False})
    else:
        raise Conflict("Vault has a key of this name already; a key is never overwritten")


def _make_signing(uri: str, alg: HeldAlgorithm) -> TransitSigningKey:
    _make(uri, _TYPES[alg])
    key = TransitSigningKey(uri, alg, None)
    if len(key.public) != KEY_BYTES[alg]:
        raise Unavailable("Vault shows public keys in a form that is not read here")
    return key


def _make_wrapping(uri: str) -> TransitWrapper:
    _make(uri, _WRAPPING)
    return TransitWrapper(uri)


TRANSIT: Final = Scheme(TransitSigningKey, _make_signing, TransitWrapper, _make_wrapping)
