"""A server that speaks the documented API of AWS KMS (JSON 1.1), as far as keys are used here.

It is no AWS: none can be had for tests, and moto, which stands for it elsewhere, makes no Ed25519 keys. What goes over the wire
is made and read by botocore, AWS's own client, from its model of the service.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.custody.service import JsonHandler, answering

REGION = "eu-central-1"
ACCOUNT = "111122223333"
USER = "AKIAPRETENDED"
SECRET = "a-pretended-secret"


class Refusal(Exception):
    """An error answer."""


@dataclass
class Kms:
    """`keys`: spec and key, by ARN. `aliases`: the ARN each stands for."""

    port: int = 0
    trouble: str = ""
    """The code of an error that every question is answered with."""
    lacks: frozenset[str] = frozenset()
    """Specs that this region does not make."""
    keys: dict[str, tuple[str, Any]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    contexts: list[dict[str, str]] = field(default_factory=list)

    def uri(self, name: str) -> str:
        """The URI of a key by its alias."""
        return f"awskms:alias/{name}?region={REGION}&endpoint=http://127.0.0.1:{self.port}"

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Raises Refusal."""
        self.asked.append(operation)
        if self.trouble:
            raise Refusal(self.trouble)
        if operation == "CreateKey":
            return self._create(asked)
        if operation == "CreateAlias":
            if asked["AliasName"] in self.aliases:
                raise Refusal("AlreadyExistsException")
            self.aliases[asked["AliasName"]] = asked["TargetKeyId"]
            return {}
        arn = self.aliases.get(asked["KeyId"], asked["KeyId"])
        if arn not in self.keys:
            raise Refusal("NotFoundException")
        spec, key = self.keys[arn]
        if operation == "DescribeKey":
            return {"KeyMetadata": {"KeyId": arn.rpartition("/")[2], "Arn": arn, "KeySpec": spec}}
        if operation in {"Encrypt", "Decrypt"}:
            return self._symmetric(operation, asked, arn)
        if spec == "SYMMETRIC_DEFAULT":
            raise Refusal("InvalidKeyUsageException")
        if operation == "GetPublicKey":
            der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return {"KeyId": arn, "KeySpec": spec, "KeyUsage": "SIGN_VERIFY", "PublicKey": _b64(der)}
        assert operation == "Sign", operation
        return {"KeyId": arn, "Signature": _b64(_signed(spec, key, asked))}

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        spec = asked["KeySpec"]
        if spec in self.lacks:
            raise Refusal("UnsupportedOperationException")
        arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{uuid.uuid4()}"
        self.keys[arn] = spec, _new(spec)
        return {"KeyMetadata": {"KeyId": arn.rpartition("/")[2], "Arn": arn, "KeySpec": spec}}

    def _symmetric(self, operation: str, asked: dict[str, Any], arn: str) -> dict[str, Any]:
        spec, key = self.keys[arn]
        if spec != "SYMMETRIC_DEFAULT":
            raise Refusal("InvalidKeyUsageException")
        self.contexts.append(asked.get("EncryptionContext", {}))
        context = json.dumps(asked.get("EncryptionContext", {}), sort_keys=True).encode()
        if operation == "Encrypt":
            if asked.get("DryRun"):
                raise Refusal("DryRunOperationException")
            nonce = os.urandom(12)
            blob = arn.encode() + nonce + key.encrypt(nonce, base64.b64decode(asked["Plaintext"]), context)
            return {"KeyId": arn, "CiphertextBlob": _b64(blob)}
        blob = base64.b64decode(asked["CiphertextBlob"])
        named, rest = blob[: len(arn)], blob[len(arn) :]
        if named.decode("ascii", "replace") not in self.keys:
            raise Refusal("InvalidCiphertextException")
        if named.decode() != arn:
            raise Refusal("IncorrectKeyException")
        try:
            return {"KeyId": arn, "Plaintext": _b64(key.decrypt(rest[:12], rest[12:], context))}
        except InvalidTag:
            raise Refusal("InvalidCiphertextException") from None


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _new(spec: str) -> Any:
    match spec:
        case "ECC_NIST_EDWARDS25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ECC_NIST_P256":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return AESGCM(os.urandom(32))


def _signed(spec: str, key: Any, asked: dict[str, Any]) -> bytes:
    message = base64.b64decode(asked["Message"])
    if len(message) > 4096:
        raise Refusal("ValidationException")
    if asked.get("DryRun"):
        raise Refusal("DryRunOperationException")
    match spec, asked["SigningAlgorithm"], asked["MessageType"]:
        case "ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "RAW":
            made: bytes = key.sign(message)
        case "ECC_NIST_P256", "ECDSA_SHA_256", "DIGEST":
            made = key.sign(message, ec.ECDSA(Prehashed(SHA256())))
        case _:
            raise Refusal("ValidationException")
    return made


@contextmanager
def running_kms(state: Kms | None = None) -> Iterator[Kms]:
    """A server on a free port of loopback; with `state`, the same keys on the same port again."""
    kms = state or Kms()

    class Handler(JsonHandler):
        def _do(self) -> None:
            asked = json.loads(self.body())
            service, _, operation = self.headers["X-Amz-Target"].partition(".")
            assert service == "TrentService"
            try:
                signed_by = self.headers["Authorization"]
                if f"Credential={USER}/" not in signed_by or f"/{REGION}/kms/aws4_request" not in signed_by:
                    raise Refusal("UnrecognizedClientException")  # noqa: TRY301
                status, said = 200, kms.answer(operation, asked)
            except Refusal as refusal:
                code = str(refusal)
                status, said = 500 if code == "KMSInternalException" else 400, {"__type": code, "message": "no"}
            self.answer(status, said, "application/x-amz-json-1.1")

        do_POST = _do  # noqa: N815

    with answering(Handler, kms.port) as kms.port:
        yield kms
