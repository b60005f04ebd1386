"""A server that speaks the documented REST API of Google Cloud KMS, as far as keys are used here, and gives access tokens to a
service account (RFC 7523), as Google's does.

It is no Google Cloud: none can be had for tests. google-auth, Google's own, finds the credentials and signs the assertion.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.custody.service import JsonHandler, answering

RING = "projects/bank/locations/europe-west3/keyRings/ledger"
SCOPE = "https://www.googleapis.com/auth/cloudkms"
WHO = "node@bank.iam.gserviceaccount.com"


class Refusal(Exception):
    """An error answer: HTTP status, and the status of google.rpc."""


@dataclass
class Version:
    """A version of a key."""

    algorithm: str
    key: Any
    state: str = "ENABLED"
    still: int = 0
    """How often it is asked for before it is made."""


@dataclass
class GoogleKms:
    """`keys`: the versions of each key by its name, the first of which is number 1."""

    port: int = 0
    trouble: tuple[int, str] | None = None
    """The error that every question is answered with."""
    altered: str = ""
    """The member of answers that is changed on its way."""
    slow: int = 0
    """How often a new key pair is asked for before it is made."""
    tokens: int = 0
    revoked: bool = False
    """Every token that was given until now."""
    keys: dict[str, list[Version]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    account: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def uri(self, name: str, more: str = "") -> str:
        """The URI of a key."""
        return f"gcpkms:{RING}/cryptoKeys/{name}?endpoint=http://127.0.0.1:{self.port}{more}"

    def credentials(self, path: Path) -> Path:
        """The file of a service account, whose tokens this server gives."""
        pem = self.account.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        account = {
            "type": "service_account",
            "client_email": WHO,
            "private_key_id": "1",
            "private_key": pem,
            "token_uri": f"http://127.0.0.1:{self.port}/token",
        }
        path.write_text(json.dumps(account))
        return path

    def give_token(self, body: str) -> dict[str, Any]:
        """For an assertion that the account signed. Raises when it is none."""
        head, payload, signature = parse_qs(body)["assertion"][0].split(".")
        self.account.public_key().verify(_unb64u(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), SHA256())
        claims = json.loads(_unb64u(payload))
        assert (claims["iss"], claims["scope"]) == (WHO, SCOPE)
        self.tokens, self.revoked = self.tokens + 1, False
        return {"access_token": f"token-{self.tokens}", "expires_in": 3600, "token_type": "Bearer"}

    def rotate(self, name: str) -> None:
        """A newer version of the key."""
        self.keys[name].append(_new(self.keys[name][0].algorithm))

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> dict[str, Any]:
        """Raises Refusal."""
        self.asked.append(f"{method} {path}")
        if self.trouble:
            raise Refusal(*self.trouble)
        if method == "POST" and path == f"{RING}/cryptoKeys":
            return self._create(query["cryptoKeyId"][0], body)
        found = re.fullmatch(
            re.escape(RING) + r"/cryptoKeys/(\w[\w-]*)(/cryptoKeyVersions(?:/(\d+))?)?(?:/(publicKey))?(?::(\w+))?",
            path,
        )
        if found is None or found[1] not in self.keys:
            raise Refusal(404, "NOT_FOUND")
        name, _, number, public, verb = found.groups()
        full, versions = f"{RING}/cryptoKeys/{name}", self.keys[name]
        for one in versions:
            one.still = max(0, one.still - 1)
        if verb in {"encrypt", "decrypt"}:
            return self._symmetric(verb, full, versions, body)
        if number is None:
            return self._listed(full, versions, query) if found[2] else {"name": full}
        version = versions[int(number) - 1]
        if not public and not verb:
            return self._shown(full, int(number), version)
        if version.state != "ENABLED" or version.still:
            raise Refusal(400, "FAILED_PRECONDITION")
        place = f"{full}/cryptoKeyVersions/{number}"
        if public:
            if version.algorithm == "GOOGLE_SYMMETRIC_ENCRYPTION":
                raise Refusal(400, "INVALID_ARGUMENT")
            pem = version.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return {"name": place, "pem": pem.decode(), "pemCrc32c": str(_crc(pem)), "algorithm": version.algorithm}
        assert verb == "asymmetricSign"
        return {"name": place, **self._signed(version, body)}

    def _create(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if name in self.keys:
            raise Refusal(409, "ALREADY_EXISTS")
        made = _new(body["versionTemplate"]["algorithm"])
        made.still = self.slow if body["purpose"] == "ASYMMETRIC_SIGN" else 0
        self.keys[name] = [made]
        return {"name": f"{RING}/cryptoKeys/{name}"}

    def _shown(self, full: str, number: int, version: Version) -> dict[str, Any]:
        state = "PENDING_GENERATION" if version.still else version.state
        return {"name": f"{full}/cryptoKeyVersions/{number}", "state": state, "algorithm": version.algorithm}

    def _listed(self, full: str, versions: list[Version], query: dict[str, list[str]]) -> dict[str, Any]:
        """Two to a page."""
        shown = [self._shown(full, n, one) for n, one in enumerate(versions, 1)]
        assert query["filter"] == ["state=ENABLED"]
        wanted = [one for one in shown if one["state"] == "ENABLED"]
        start = int(query.get("pageToken", ["0"])[0])
        more = {"nextPageToken": str(start + 2)} if len(wanted) > start + 2 else {}
        return {"cryptoKeyVersions": wanted[start : start + 2], **more}

    def _signed(self, version: Version, body: dict[str, Any]) -> dict[str, Any]:
        if version.algorithm == "EC_SIGN_ED25519":
            message = base64.b64decode(body["data"])
            taken = {"verifiedDataCrc32c": int(body["dataCrc32c"]) == _crc(message)}
            made = version.key.sign(message)
        else:
            digest = base64.b64decode(body["digest"]["sha256"])
            taken = {"verifiedDigestCrc32c": int(body["digestCrc32c"]) == _crc(digest)}
            made = version.key.sign(digest, ec.ECDSA(Prehashed(SHA256())))
        return self._sent("signature", made) | taken

    def _symmetric(self, verb: str, full: str, versions: list[Version], body: dict[str, Any]) -> dict[str, Any]:
        if versions[0].algorithm != "GOOGLE_SYMMETRIC_ENCRYPTION":
            raise Refusal(400, "FAILED_PRECONDITION")
        aad = base64.b64decode(body["additionalAuthenticatedData"])
        if verb == "encrypt":
            nonce, plain = os.urandom(12), base64.b64decode(body["plaintext"])
            sealed = bytes([len(versions)]) + nonce + versions[-1].key.encrypt(nonce, plain, aad)
            return self._sent("ciphertext", sealed) | {
                "name": f"{full}/cryptoKeyVersions/{len(versions)}",
                "verifiedPlaintextCrc32c": int(body["plaintextCrc32c"]) == _crc(plain),
                "verifiedAdditionalAuthenticatedDataCrc32c": int(body["additionalAuthenticatedDataCrc32c"])
                == _crc(aad),
            }
        raw = base64.b64decode(body["ciphertext"])
        try:
            plain = versions[raw[0] - 1].key.decrypt(raw[1:13], raw[13:], aad)
        except (IndexError, ValueError, InvalidTag):
            raise Refusal(400, "INVALID_ARGUMENT") from None
        return self._sent("plaintext", plain)

    def _sent(self, name: str, value: bytes) -> dict[str, Any]:
        changed = value[:-1] + bytes([value[-1] ^ 1]) if self.altered == name else value
        return {name: base64.b64encode(changed).decode(), f"{name}Crc32c": str(_crc(value))}


def _unb64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _crc(octets: bytes) -> int:
    """CRC-32C bit by bit, as its definition reads."""
    value = 0xFFFFFFFF
    for octet in octets:
        value ^= octet
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 * (value & 1))
    return value ^ 0xFFFFFFFF


def _new(algorithm: str) -> Version:
    match algorithm:
        case "EC_SIGN_ED25519":
            return Version(algorithm, ed25519.Ed25519PrivateKey.generate())
        case "EC_SIGN_P256_SHA256":
            return Version(algorithm, ec.generate_private_key(ec.SECP256R1()))
        case "GOOGLE_SYMMETRIC_ENCRYPTION":
            return Version(algorithm, AESGCM(os.urandom(32)))
    raise Refusal(400, "INVALID_ARGUMENT")


@contextmanager
def running_google(state: GoogleKms | None = None) -> Iterator[GoogleKms]:
    """A server on a free port of loopback; with `state`, the same keys on the same port again."""
    kms = state or GoogleKms()

    class Handler(JsonHandler):
        def _do(self) -> None:
            body, asked = self.body(), urlsplit(self.path)
            try:
                if asked.path == "/token":
                    status, said = 200, kms.give_token(body.decode())
                else:
                    if self.headers.get("Authorization") != f"Bearer token-{kms.tokens}" or kms.revoked:
                        raise Refusal(401, "UNAUTHENTICATED")  # noqa: TRY301
                    path, query = asked.path.removeprefix("/v1/"), parse_qs(asked.query)
                    status, said = 200, kms.answer(self.command, path, query, json.loads(body or b"{}"))
            except Refusal as refusal:
                status, said = refusal.args[0], {"error": {"code": refusal.args[0], "status": refusal.args[1]}}
            self.answer(status, said)

        do_GET = do_POST = _do  # noqa: N815

    with answering(Handler, kms.port) as kms.port:
        yield kms
