"""Keys in Google Cloud KMS: they sign and wrap there and are never handed out.

    gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/NAME[/cryptoKeyVersions/N][?endpoint=https://HOST][&protection=HSM]

Algorithms: `EC_SIGN_ED25519` (log, statements), `EC_SIGN_P256_SHA256` (tokens, events, statements),
`GOOGLE_SYMMETRIC_ENCRYPTION` (KEK). Who asks, google-auth finds where Google's programs find it («application default
credentials»). Source: the REST API, version 1 (cryptoKeys create, get, encrypt, decrypt; cryptoKeyVersions list,
getPublicKey, asymmetricSign). Checksums of both directions are checked, as its pages ask for.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

import httpx2
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from api.client.crc32c import crc32c
from api.client.google_login import GoogleLogin
from api.client.key_services import TIMEOUT_SECONDS, raw_ecdsa, raw_public_key, service_address, split_query
from ledger.canonical import b64
from ledger.custody.held import HeldAlgorithm
from ledger.custody.places import Scheme
from ledger.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable

PREFIX: Final = "gcpkms:"
ADDRESS: Final = "https://cloudkms.googleapis.com"
MOST_SIGNED: Final = 65_536
"""Bytes of a message that an Ed25519 key signs; a P-256 key signs a hash that was made here."""
_ALGORITHMS: Final[Mapping[HeldAlgorithm, str]] = {"EdDSA": "EC_SIGN_ED25519", "ES256": "EC_SIGN_P256_SHA256"}
_WRAPPING: Final = "GOOGLE_SYMMETRIC_ENCRYPTION"
_KNOWN: Final = frozenset({"endpoint", "protection"})
_PROTECTIONS: Final = frozenset({"SOFTWARE", "HSM"})
_NAME: Final = re.compile(
    r"(projects/[A-Za-z0-9.:_-]+/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]+)/cryptoKeys/([A-Za-z0-9_-]+)"
    r"(/cryptoKeyVersions/[0-9]+)?",
    re.ASCII,
)
_TRIES: Final = 20
_PAUSE_SECONDS: Final = 0.5
_MOST_PAGES: Final = 20


@dataclass(frozen=True, slots=True)
class _Address:
    """Which key of which ring, and where it is asked."""

    ring: str
    name: str
    version: str
    """`/cryptoKeyVersions/N`, or empty: then the version is found."""
    endpoint: str
    protection: str

    @property
    def key(self) -> str:
        return f"{self.ring}/cryptoKeys/{self.name}"


def _address(uri: str) -> _Address:
    path, query = split_query(uri.removeprefix(PREFIX), _KNOWN, "Google Cloud KMS")
    found = _NAME.fullmatch(path)
    if found is None:
        raise InvalidInput(
            "the URI of a key in Google Cloud KMS reads gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/NAME"
        )
    protection = query.get("protection", "SOFTWARE")
    if protection not in _PROTECTIONS:
        raise InvalidInput("«protection» of a key in Google Cloud KMS is SOFTWARE or HSM")
    endpoint = service_address(query.get("endpoint", ADDRESS), "Google Cloud KMS")
    return _Address(found[1], found[2], found[3] or "", endpoint, protection)


class _GoogleKey:
    """A key of the service. Thread-safe: each call is a request of its own."""

    def __init__(self, uri: str) -> None:
        """Raises InvalidInput for another URI. The service is asked when the key is needed."""
        self.place = uri
        self._at = _address(uri)

    @cached_property
    def _client(self) -> httpx2.Client:
        return httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)

    @cached_property
    def _login(self) -> GoogleLogin:
        return GoogleLogin(self._client)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> dict[str, Any]:
        """An answer. Raises NotFound (404), Conflict (409), InvalidInput (400, 403), Unavailable."""
        address = f"{self._at.endpoint}/v1/{path}"
        for anew in (False, True):
            headers = {"Authorization": f"Bearer {self._login.token(anew=anew)}"}
            try:
                answer = self._client.request(method, address, json=body, headers=headers, params=query)
                said: Any = answer.json() if answer.content else {}
            except (httpx2.HTTPError, ValueError) as error:
                raise Unavailable(
                    f"Google Cloud KMS does not answer ({type(error).__name__}); this node tries again"
                ) from None
            if answer.status_code != httpx2.codes.UNAUTHORIZED:
                return self._read(answer.status_code, said, path)
        raise InvalidInput(f"Google Cloud KMS does not know who asks for {path} (401)")

    def _read(self, status: int, said: Any, path: str) -> dict[str, Any]:
        if status == httpx2.codes.OK and isinstance(said, dict):
            return said
        error = said.get("error") if isinstance(said, dict) else None
        code = str(error.get("status", "")) if isinstance(error, dict) else ""
        told = f"{status} {code}".strip()
        if status == httpx2.codes.NOT_FOUND:
            raise NotFound(f"Google Cloud KMS has no {path.partition(':')[0]}, or may not show it")
        if status == httpx2.codes.CONFLICT:
            raise Conflict("Google Cloud KMS has a key of this name already; a key is never overwritten")
        if status in {400, 403} and code != "FAILED_PRECONDITION":
            raise InvalidInput(f"Google Cloud KMS refuses {path} ({told})")
        # FAILED_PRECONDITION: a version that is disabled, or not made yet. Either may change while a node waits.
        raise Unavailable(f"Google Cloud KMS answers {path} by {told}; this node tries again")

    def probe(self) -> None:
        """The key is there, and may be looked at. Raises NotFound, InvalidInput, Unavailable."""
        self.ask("GET", self._at.key)


class GoogleSigningKey(_GoogleKey):
    """A key pair of the service. A HeldKey. It signs with the version that has the public half, whatever comes later."""

    def __init__(self, uri: str, alg: HeldAlgorithm, public: bytes | None) -> None:
        """`public`: what the public half must be; the service is then asked only when the key is used."""
        super().__init__(uri)
        self.alg: HeldAlgorithm = alg
        self._version = ""
        self.public = public if public is not None else self._newest()

    def enabled(self) -> list[str]:
        """The resource names of the versions that may sign, newest first. Raises as `ask`, and InvalidInput."""
        if self._at.version:
            return [self._at.key + self._at.version]
        found: list[tuple[int, str]] = []
        token = ""
        for _ in range(_MOST_PAGES):
            said = self.ask("GET", f"{self._at.key}/cryptoKeyVersions", filter="state=ENABLED", pageToken=token)
            for one in said.get("cryptoKeyVersions", []):
                name = str(one.get("name", ""))
                number = name.rpartition("/")[2]
                if number.isdigit() and one.get("state") == "ENABLED":
                    found.append((int(number), name))
            token = str(said.get("nextPageToken") or "")
            if not token:
                break
        return [name for _, name in sorted(found, reverse=True)]

    def _public_of(self, version: str) -> bytes:
        said = self.ask("GET", f"{version}/publicKey")
        if said.get("algorithm") != _ALGORITHMS[self.alg]:
            raise InvalidInput(
                f"the key {self._at.name} in Google Cloud KMS is of {said.get('algorithm')}, not {_ALGORITHMS[self.alg]}"
            )
        try:
            pem = str(said["pem"]).encode()
            _check(said, "pemCrc32c", pem)
            return raw_public_key(load_pem_public_key(pem))
        except (KeyError, ValueError, UnsupportedAlgorithm):
            raise Unavailable("Google Cloud KMS shows public keys in a form that is not read here") from None

    def _newest(self) -> bytes:
        versions = self.enabled()
        if not versions:
            raise Unavailable(f"no version of {self._at.key} may sign (yet)")
        public = self._public_of(versions[0])
        self._version = versions[0]
        return public

    def _pin(self) -> None:
        if not self._version:
            found = next((one for one in self.enabled() if self._public_of(one) == self.public), None)
            if found is None:
                raise InvalidInput(
                    f"no version of {self._at.key} that may sign has the public half that is on file: enable it again"
                )
            self._version = found

    def sign(self, message: bytes) -> bytes:
        """See HeldKey. Raises InvalidInput for an Ed25519 message of more than MOST_SIGNED bytes."""
        if self.alg == "EdDSA" and len(message) > MOST_SIGNED:
            raise InvalidInput(
                f"Google Cloud KMS signs at most {MOST_SIGNED} bytes with an Ed25519 key, and this has {len(message)}: sign "
                "it with a key of ES256"
            )
        self._pin()
        body: dict[str, Any]
        if self.alg == "EdDSA":
            body, taken = {"data": b64(message), "dataCrc32c": str(crc32c(message))}, "verifiedDataCrc32c"
        else:
            digest = sha256(message).digest()
            body = {"digest": {"sha256": b64(digest)}, "digestCrc32c": str(crc32c(digest))}
            taken = "verifiedDigestCrc32c"
        said = self.ask("POST", f"{self._version}:asymmetricSign", body)
        made = _bytes_of(said, "signature")
        raw = made if self.alg == "EdDSA" else raw_ecdsa(made)
        if said.get(taken) is not True or said.get("name") != self._version or len(raw) != 64:
            raise Unavailable("Google Cloud KMS signed other bytes or with another version: nothing was signed")
        return raw

    def probe(self) -> None:  # type: ignore[explicit-override]  # (3.11 has no typing.override)
        """See HeldKey. The version must be enabled still."""
        self._pin()
        state = self.ask("GET", self._version).get("state")
        if state != "ENABLED":
            raise Unavailable(f"Google Cloud KMS has {self._version} in the state {state}; this node tries again")


class GoogleWrapper(_GoogleKey):
    """A symmetric key of the service. A Wrapper whose sealed form is the service's own; a new primary version there opens
    what the older ones sealed, while those are enabled."""

    def seal(self, plaintext: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        body = {"plaintext": b64(plaintext), "plaintextCrc32c": str(crc32c(plaintext)), **_bound(place)}
        said = self.ask("POST", f"{self._at.key}:encrypt", body)
        sealed = _bytes_of(said, "ciphertext")
        taken = said.get("verifiedPlaintextCrc32c") is True
        if not sealed or not taken or said.get("verifiedAdditionalAuthenticatedDataCrc32c") is not True:
            raise Unavailable("Google Cloud KMS made a ciphertext of other bytes: nothing was wrapped")
        return sealed

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        body = {"ciphertext": b64(sealed), "ciphertextCrc32c": str(crc32c(sealed)), **_bound(place)}
        try:
            return _bytes_of(self.ask("POST", f"{self._at.key}:decrypt", body), "plaintext")
        except InvalidInput:
            self.probe()  # raises where the key may not be used; else the bytes are not of that key
            raise Corrupt(f"stored data at {place.decode(errors='replace')} does not decrypt") from None


def _bound(place: bytes) -> dict[str, str]:
    return {"additionalAuthenticatedData": b64(place), "additionalAuthenticatedDataCrc32c": str(crc32c(place))}


def _bytes_of(said: Mapping[str, Any], name: str) -> bytes:
    """A member and its checksum. Raises Unavailable when they are not the ones that were sent."""
    try:
        value = base64.b64decode(str(said.get(name, "")), validate=True)
    except binascii.Error:
        value = b""
    _check(said, f"{name}Crc32c", value)
    return value


def _check(said: Mapping[str, Any], name: str, value: bytes) -> None:
    if str(said.get(name)) != str(crc32c(value)):
        raise Unavailable("an answer of Google Cloud KMS was changed on its way; this node tries again")


def _make(uri: str, purpose: str, algorithm: str) -> None:
    """Raises Conflict when there is one, NotFound when there is no ring, InvalidInput, Unavailable."""
    key = _GoogleKey(uri)
    at = key._at
    try:
        key.probe()
    except NotFound:
        if at.version:
            raise InvalidInput(
                "Google Cloud KMS numbers versions itself: leave /cryptoKeyVersions out of a key that is to be made"
            ) from None
        template = {"algorithm": algorithm, "protectionLevel": at.protection}
        key.ask("POST", f"{at.ring}/cryptoKeys", {"purpose": purpose, "versionTemplate": template}, cryptoKeyId=at.name)
    else:
        raise Conflict("Google Cloud KMS has a key of this name already; a key is never overwritten")


def _make_signing(uri: str, alg: HeldAlgorithm) -> GoogleSigningKey:
    """The service makes key pairs after it has answered, within seconds."""
    _make(uri, "ASYMMETRIC_SIGN", _ALGORITHMS[alg])
    for _ in range(_TRIES):
        try:
            return GoogleSigningKey(uri, alg, None)
        except Unavailable:
            time.sleep(_PAUSE_SECONDS)
    raise Unavailable("Google Cloud KMS is still making the key: do the same again in a minute; it is then taken")


def _make_wrapping(uri: str) -> GoogleWrapper:
    _make(uri, "ENCRYPT_DECRYPT", _WRAPPING)
    return GoogleWrapper(uri)


GOOGLE: Final = Scheme(GoogleSigningKey, _make_signing, GoogleWrapper, _make_wrapping)
