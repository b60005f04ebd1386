"""A server that speaks the documented HTTP API of Vault's transit engine, as far as keys are used here.

It is no Vault: no server of that name can be had from the registries that tests may use. It holds what Vault's pages say of the
requests and answers against what we send, with keys of its own.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.custody.service import JsonHandler, answering

TOKEN = "s.pretended-token"


@dataclass
class Transit:
    """`versions`: of each key its kind and its versions, the first of which is number 1."""

    folder: Path
    port: int = 0
    sealed: bool = False
    versions: dict[str, tuple[str, list[Any]]] = field(default_factory=dict)

    def uri(self, name: str) -> str:
        """The URI of a key."""
        source = self.folder / "vault-token"
        if not source.exists():
            source.write_text(TOKEN + "\n")
            source.chmod(0o600)
        return f"vault:http://127.0.0.1:{self.port}/transit/{name}?token-source={source}"

    def rotate(self, name: str) -> None:
        """As `vault write -f transit/keys/NAME/rotate`."""
        kind, held = self.versions[name]
        held.append(_new(kind))

    def answer(self, method: str, verb: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and `data`."""
        if method == "POST" and verb == "keys":
            self.versions.setdefault(name, (body["type"], [_new(body["type"])]))
            return 200, {}
        if name not in self.versions:
            return 404, {}
        kind, held = self.versions[name]
        match method, verb:
            case "GET", "keys":
                shown = (
                    {} if kind == "aes256-gcm96" else {str(n): {"public_key": _shown(k)} for n, k in enumerate(held, 1)}
                )
                return 200, {"type": kind, "keys": shown, "latest_version": len(held)}
            case "POST", "sign":
                version = body.get("key_version") or len(held)
                return 200, {
                    "signature": f"vault:v{version}:{_signed(held[version - 1], base64.b64decode(body['input']), body)}"
                }
            case "POST", "encrypt":
                nonce, place = os.urandom(12), base64.b64decode(body["associated_data"])
                made = nonce + held[-1].encrypt(nonce, base64.b64decode(body["plaintext"]), place)
                return 200, {"ciphertext": f"vault:v{len(held)}:{base64.b64encode(made).decode()}"}
            case "POST", "decrypt":
                try:
                    _, version, text = body["ciphertext"].split(":")
                    raw = base64.b64decode(text)
                    plain = held[int(version[1:]) - 1].decrypt(
                        raw[:12], raw[12:], base64.b64decode(body["associated_data"])
                    )
                except (ValueError, IndexError, InvalidTag):
                    return 400, {}
                return 200, {"plaintext": base64.b64encode(plain).decode()}
        return 405, {}


def _new(kind: str) -> Any:
    match kind:
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ecdsa-p256":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return AESGCM(os.urandom(32))


def _shown(key: Any) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def _signed(key: Any, message: bytes, body: dict[str, Any]) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.sign(message)).decode()
    made = key.sign(message, ec.ECDSA(SHA256()))
    if body.get("marshaling_algorithm") != "jws":
        return base64.b64encode(made).decode()
    r, s = decode_dss_signature(made)
    return base64.urlsafe_b64encode(r.to_bytes(32) + s.to_bytes(32)).decode().rstrip("=")


@contextmanager
def running_transit(folder: Path, state: Transit | None = None) -> Iterator[Transit]:
    """A server on a free port of loopback; with `state`, the same keys on the same port again."""
    transit = state or Transit(folder)

    class Handler(JsonHandler):
        def _do(self) -> None:
            body = json.loads(self.body() or b"{}")
            _, version, engine, verb, name = self.path.split("/")
            assert (version, engine) == ("v1", "transit")
            if transit.sealed:
                status, data = 503, {}
            elif self.headers.get("X-Vault-Token") != TOKEN:
                status, data = 403, {}
            else:
                status, data = transit.answer(self.command, verb, name, body)
            self.answer(status, {"data": data} if status == 200 else {"errors": ["refused"]})

        do_GET = do_POST = _do  # noqa: N815

    with answering(Handler, transit.port) as transit.port:
        yield transit
