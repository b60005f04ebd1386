"""A Chinese app's own program: it knows docs/standards/china.md, and nothing of the code behind it."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

import httpx2
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from api.standards.china.codes import china_time
from tests.api.service import Service
from tests.keys import KeyPair
from tests.world import World

PLACE = "/holders/bank-a/jrt/v1"
NONCES = (f"nonce-of-this-run-{number:06}" for number in itertools.count())


@dataclass
class App:
    """The app, with its key."""

    service: Service
    key: KeyPair
    id: str = "tpp-1"
    sm4: bytes | None = None

    @classmethod
    def registered(cls, service: Service, kid: str = "tpp-1-sm2", alg: str = "SM2", use: str = "statement") -> App:
        key = KeyPair.generate(alg, kid)
        service.node.ledger.record_documents(World.key_added("tpp-1", key, use))
        return cls(service, key)

    def headers(self, path: str, body: bytes, **change: str) -> dict[str, str]:
        at = self.service.node.office.now // 1000 if self.service.node.office else 0
        said = {
            "x-app-id": self.id,
            "x-key-id": self.key.kid,
            "x-nonce": next(NONCES),
            "x-timestamp": china_time(at),
        } | change
        where, _, query = path.partition("?")
        members = sorted(tuple(one.partition("=")[::2]) for one in query.split("&")) if query else []
        lines = ["POST", PLACE + where, "&".join(f"{name}={value}" for name, value in members)]
        lines += [f"{name}:{said[name]}" for name in sorted(said)] + [hashlib.new("sm3", body).hexdigest()]
        said["x-signature"] = base64.b64encode(self.key.sign("\n".join(lines).encode())).decode()
        return said

    def post(self, path: str, said: dict[str, Any], **change: str) -> httpx2.Response:
        body = json.dumps(said, ensure_ascii=False).encode()
        if self.sm4 is not None:
            body = encrypted(body, self.sm4, f"POST {PLACE}{path}")
        return self.send(path, body, self.headers(path, body, **change))

    def send(self, path: str, body: bytes, headers: dict[str, str]) -> httpx2.Response:
        said = headers | {"content-type": "application/json"}
        return self.service.http.post(PLACE + path, content=body, headers=said)

    def data(self, path: str, said: dict[str, Any]) -> dict[str, Any]:
        answer = self.post(path, said)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        if self.sm4 is not None:
            told = json.loads(decrypted(told["encrypted"], self.sm4, f"POST {PLACE}{path}"))
        assert (told["code"], told["message"], told["request_no"]) == ("000000", "成功", said["request_no"])
        found: dict[str, Any] = told["data"]
        return found


def encrypted(text: bytes, key: bytes, place: str) -> bytes:
    cipher = Cipher(algorithms.SM4(key), modes.GCM(b"0123456789ab")).encryptor()
    cipher.authenticate_additional_data(place.encode())
    data = cipher.update(text) + cipher.finalize()
    names = {"iv": b"0123456789ab", "data": data, "tag": cipher.tag}
    return (
        json.dumps({"encrypted": {"alg": "SM4-GCM"} | {n: base64.b64encode(v).decode() for n, v in names.items()}})
        .encode()
        .replace(b'{"encrypted": ', b'{"encrypted":')
    )


def decrypted(sealed: dict[str, str], key: bytes, place: str) -> bytes:
    iv, data, tag = (base64.b64decode(sealed[name]) for name in ("iv", "data", "tag"))
    cipher = Cipher(algorithms.SM4(key), modes.GCM(iv, tag)).decryptor()
    cipher.authenticate_additional_data(place.encode())
    return cipher.update(data) + cipher.finalize()
