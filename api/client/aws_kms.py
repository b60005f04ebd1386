"""Keys in the Key Management Service of AWS: they sign and wrap there and are never handed out.

    awskms:alias/NAME?region=eu-central-1        awskms:arn:aws:kms:eu-central-1:111122223333:key/…
                                                 [&endpoint=https://HOST] [&profile=NAME]

Key specs: `ECC_NIST_EDWARDS25519` (log, statements), `ECC_NIST_P256` (tokens, events, statements), `SYMMETRIC_DEFAULT` (KEK).
Who asks, botocore finds where AWS programs find it: environment, profile, the role of the machine or the pod. Source: the
service's API (CreateKey, CreateAlias, DescribeKey, GetPublicKey, Sign, Encrypt, Decrypt), as botocore's model describes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.session import Session
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from api.client.key_services import TIMEOUT_SECONDS, raw_ecdsa, raw_public_key, service_address, split_query
from ledger.custody.held import KEY_BYTES, HeldAlgorithm
from ledger.custody.places import Scheme
from ledger.errors import Conflict, Corrupt, InvalidInput, LedgerError, NotFound, Unavailable

PREFIX: Final = "awskms:"
MOST_SIGNED: Final = 4_096
"""Bytes of a message that is signed as it is; a P-256 key signs a hash that was made here."""
_SPECS: Final[Mapping[HeldAlgorithm, str]] = {"EdDSA": "ECC_NIST_EDWARDS25519", "ES256": "ECC_NIST_P256"}
_WRAPPING: Final = "SYMMETRIC_DEFAULT"
_KNOWN: Final = frozenset({"region", "endpoint", "profile"})
_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:((?:key|alias)/[A-Za-z0-9/_-]+)", re.ASCII)
_NAME: Final = re.compile(r"alias/[A-Za-z0-9/_-]+|[A-Za-z0-9-]+", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+", re.ASCII)
_REFUSALS: Final = frozenset(
    {
        "AccessDeniedException",
        "IncompleteSignatureException",
        "InvalidAliasNameException",
        "InvalidArnException",
        "InvalidClientTokenId",
        "InvalidKeyUsageException",
        "InvalidSignatureException",
        "LimitExceededException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
        "UnsupportedOperationException",
        "ValidationException",
    }
)
"""Codes of answers that asking again does not change."""
_OTHER_BYTES: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class _OtherBytes(InvalidInput):
    """The service says that this is not a ciphertext of that key and that context."""


class _WouldSucceed(Exception):
    """The service's answer to a dry run."""


@dataclass(frozen=True, slots=True)
class _Address:
    """Which key of which region, and who asks."""

    key: str
    region: str
    endpoint: str | None
    profile: str | None


def _address(uri: str) -> _Address:
    key, query = split_query(uri.removeprefix(PREFIX), _KNOWN, "AWS KMS")
    arn = _ARN.fullmatch(key)
    region = query.get("region", "" if arn is None else arn[1])
    if arn is None and _NAME.fullmatch(key) is None:
        raise InvalidInput(
            "the URI of a key in AWS KMS reads awskms:alias/NAME?region=REGION, or has the key's id or ARN for alias/NAME"
        )
    if not _REGION.fullmatch(region) or (arn is not None and region != arn[1]):
        raise InvalidInput(
            "the URI of a key in AWS KMS needs «region», such as eu-central-1: an ARN's own, or none there"
        )
    endpoint = service_address(query["endpoint"], "AWS KMS") if "endpoint" in query else None
    return _Address(key, region, endpoint, query.get("profile"))


class _AwsKey:
    """A key of the service. Thread-safe, as the clients of botocore are."""

    def __init__(self, uri: str) -> None:
        """Raises InvalidInput for another URI. The service is asked when the key is needed."""
        self.place = uri
        self._at = _address(uri)
        self.key_id = self._at.key

    @cached_property
    def _client(self) -> Any:
        config = Config(
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
        )
        session = Session(profile=self._at.profile)
        return session.create_client("kms", region_name=self._at.region, endpoint_url=self._at.endpoint, config=config)

    @property
    def _named(self) -> str:
        return f"{self._at.key} in AWS KMS of {self._at.region}"

    def ask(self, operation: str, **members: Any) -> Mapping[str, Any]:
        """The answer of an operation. Raises NotFound, Conflict, InvalidInput, Unavailable; _WouldSucceed for a dry run."""
        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**members)
        except ClientError as error:
            raise self._refusal(operation, str(error.response.get("Error", {}).get("Code", ""))) from None
        except ParamValidationError:
            raise _OtherBytes(f"AWS KMS takes no such members of {operation}") from None
        except (BotoCoreError, ValueError) as error:
            raise Unavailable(
                f"AWS KMS of {self._at.region} does not answer ({type(error).__name__}); this node tries again"
            ) from None
        return answer

    def _refusal(self, operation: str, code: str) -> Exception:
        if code in _OTHER_BYTES:
            return _OtherBytes(f"AWS KMS refuses the bytes that {self._named} is to open ({code})")
        if code == "DryRunOperationException":
            return _WouldSucceed()
        if code == "NotFoundException":
            return NotFound(f"there is no key {self._named}")
        if code == "AlreadyExistsException":
            return Conflict(f"there is a key {self._named} already; a key is never overwritten")
        if code in _REFUSALS:
            return InvalidInput(f"AWS KMS refuses {operation} with {self._named} ({code})")
        return Unavailable(
            f"AWS KMS answers {operation} with {self._named} by {code or 'an error'}; this node tries again"
        )

    def could(self, operation: str, **members: Any) -> None:
        """Whether the operation would succeed, without doing it. Raises NotFound, InvalidInput, Unavailable."""
        with suppress(_WouldSucceed):
            self.ask(operation, DryRun=True, **members)


class AwsSigningKey(_AwsKey):
    """A key pair of the service. A HeldKey. Once found by its public half it is the same key, wherever an alias moves."""

    def __init__(self, uri: str, alg: HeldAlgorithm, public: bytes | None, key_id: str = "") -> None:
        """`public`: what the public half must be; the service is then asked only when the key is used. `key_id`: of a key
        that was made just now, whose alias may not be seen everywhere yet."""
        super().__init__(uri)
        self.alg: HeldAlgorithm = alg
        self._found = False
        if key_id:
            self.key_id = key_id
        self.public = public if public is not None else self._look()

    def _look(self) -> bytes:
        """The public half; from now on the key is asked by its ARN."""
        said = self.ask("get_public_key", KeyId=self.key_id)
        try:
            raw = raw_public_key(load_der_public_key(said["PublicKey"]))
        except (KeyError, ValueError, UnsupportedAlgorithm):
            raw = b""
        if len(raw) != KEY_BYTES[self.alg] or said.get("KeyUsage") != "SIGN_VERIFY":
            raise InvalidInput(
                f"the key {self._named} is of the spec {said.get('KeySpec')} for {said.get('KeyUsage')}, not "
                f"{_SPECS[self.alg]} for SIGN_VERIFY"
            )
        self.key_id = str(said.get("KeyId") or self.key_id)
        self._found = True
        return raw

    def _pin(self) -> None:
        if not self._found and self._look() != self.public:
            self._found, self.key_id = False, self._at.key
            raise InvalidInput(
                f"{self._named} is another key now than the one whose public half is on file: put the alias back"
            )

    def sign(self, message: bytes) -> bytes:
        """See HeldKey. Raises InvalidInput for an Ed25519 message of more than MOST_SIGNED bytes."""
        if self.alg == "EdDSA" and len(message) > MOST_SIGNED:
            raise InvalidInput(
                f"AWS KMS signs at most {MOST_SIGNED} bytes with an Ed25519 key, and this has {len(message)}: sign it with "
                "a key of ES256"
            )
        self._pin()
        made: bytes = self.ask("sign", KeyId=self.key_id, **self._members(message)).get("Signature", b"")
        raw = made if self.alg == "EdDSA" else raw_ecdsa(made)
        if len(raw) != 64:
            raise Unavailable("AWS KMS made no signature of 64 bytes: nothing was signed")
        return raw

    def _members(self, message: bytes) -> dict[str, Any]:
        if self.alg == "EdDSA":
            return {"Message": message, "MessageType": "RAW", "SigningAlgorithm": "ED25519_SHA_512"}
        digest = sha256(message).digest()
        return {"Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}

    def probe(self) -> None:
        """See HeldKey."""
        self._pin()
        self.could("sign", KeyId=self.key_id, **self._members(b"probe"))


class AwsWrapper(_AwsKey):
    """A symmetric key of the service. A Wrapper whose sealed form is the service's own; its rotation there changes nothing."""

    def seal(self, plaintext: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        sealed: bytes = self.ask("encrypt", KeyId=self.key_id, Plaintext=plaintext, **_bound(place)).get(
            "CiphertextBlob", b""
        )
        if not sealed:
            raise Unavailable("AWS KMS made no ciphertext: nothing was wrapped")
        return sealed

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        try:
            return bytes(self.ask("decrypt", KeyId=self.key_id, CiphertextBlob=sealed, **_bound(place))["Plaintext"])
        except (_OtherBytes, KeyError):
            raise Corrupt(f"stored data at {place.decode(errors='replace')} does not decrypt") from None

    def probe(self) -> None:
        """See HeldKey."""
        self.could("encrypt", KeyId=self.key_id, Plaintext=b"probe", **_bound(b"probe"))


def _bound(place: bytes) -> dict[str, Any]:
    """The encryption context. AWS writes it into its own audit trail, so it has the place's hash only."""
    return {"EncryptionContext": {"consent-ledger": sha256(place).hexdigest()}}


def _make(uri: str, spec: str, usage: str) -> str:
    """The ARN of a new key that has the alias of the URI. Raises Conflict, InvalidInput, Unavailable."""
    key = _AwsKey(uri)
    arn = _ARN.fullmatch(key.key_id)
    alias = key.key_id if arn is None else arn[2]
    try:
        key.ask("describe_key", KeyId=key.key_id)
    except NotFound:
        pass
    else:
        raise Conflict("AWS KMS has a key of this name already; a key is never overwritten")
    if not alias.startswith("alias/"):
        raise InvalidInput("AWS KMS gives ids to keys itself: name the one that is to be made awskms:alias/NAME")
    said = key.ask("create_key", KeySpec=spec, KeyUsage=usage, Description="consent ledger")
    made = str(said["KeyMetadata"]["Arn"])
    try:
        key.ask("create_alias", AliasName=alias, TargetKeyId=made)
    except LedgerError as error:
        raise type(error)(
            f"{error.detail}; the key {made}, which was made for it, is unused: schedule its deletion"
        ) from None
    return made


def _make_signing(uri: str, alg: HeldAlgorithm) -> AwsSigningKey:
    made = _make(uri, _SPECS[alg], "SIGN_VERIFY")
    try:
        return AwsSigningKey(uri, alg, None, made)
    except NotFound:
        raise Unavailable(
            f"AWS KMS made the key {made} and does not show it yet: do the same again in a minute; it is then taken"
        ) from None


def _make_wrapping(uri: str) -> AwsWrapper:
    _make(uri, _WRAPPING, "ENCRYPT_DECRYPT")
    return AwsWrapper(uri)


AWS: Final = Scheme(AwsSigningKey, _make_signing, AwsWrapper, _make_wrapping)
