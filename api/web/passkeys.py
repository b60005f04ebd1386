"""Passkeys for signing in and for enrolment (WebAuthn level 2), with the checks the library leaves to its caller.

The library neither requires user verification by default nor objects to a cross-origin frame or to client data that other
readers read in another way; and it does not know whose passkey it is. A customer's signature under a consent is checked by
the core.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec
import webauthn
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from api.web.store import Passkey
from ledger.canonical import b64u, unb64u
from ledger.entries.assertion import Assertion, SignedTerms, accounts_hash
from ledger.entries.client_data import parse_client_data
from ledger.errors import LedgerError, NotPermitted
from ledger.tags import CHALLENGE

ALGORITHMS: Final = [COSEAlgorithmIdentifier.EDDSA, COSEAlgorithmIdentifier.ECDSA_SHA_256]
RESPONSE_LIMIT: Final = 16_384


class PasskeyRefused(NotPermitted):
    """The passkey's answer was not accepted; the sentence says why."""


@dataclass(frozen=True)
class Ceremonies:
    """Passkey ceremonies of one relying party: `rp_id` is the host of `origin`."""

    rp_id: str
    origin: str
    name: str

    def registration_options(self, challenge: bytes, user_id: bytes, label: str, known: list[Passkey]) -> str:
        """Options (JSON) for `navigator.credentials.create`."""
        options = webauthn.generate_registration_options(
            rp_id=self.rp_id,
            rp_name=self.name,
            user_id=user_id,
            user_name=label,
            user_display_name=label,
            challenge=challenge,
            supported_pub_key_algs=ALGORITHMS,
            exclude_credentials=[PublicKeyCredentialDescriptor(id=unb64u(key.credential_id)) for key in known],
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
        return webauthn.options_to_json(options)

    def sign_in_options(self, challenge: bytes, known: list[Passkey] | None = None) -> str:
        """Options (JSON) for `navigator.credentials.get`; without `known`, any passkey of this place may answer."""
        options = webauthn.generate_authentication_options(
            rp_id=self.rp_id,
            challenge=challenge,
            user_verification=UserVerificationRequirement.REQUIRED,
            allow_credentials=[PublicKeyCredentialDescriptor(id=unb64u(key.credential_id)) for key in known or []],
        )
        return webauthn.options_to_json(options)

    def registered(self, response: str, challenge: bytes) -> tuple[str, str, int]:
        """(credential id, COSE key, counter) of a new passkey, the first two as b64u. Raises PasskeyRefused."""
        self._client_data(response, "webauthn.create")
        try:
            made = webauthn.verify_registration_response(
                credential=response,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                require_user_verification=True,
                supported_pub_key_algs=ALGORITHMS,
            )
        except (WebAuthnException, ValueError, KeyError):
            raise PasskeyRefused("the new passkey was not accepted") from None
        return b64u(made.credential_id), b64u(made.credential_public_key), made.sign_count

    def credential_id(self, response: str) -> str:
        """The passkey that an answer claims to be from. Raises PasskeyRefused."""
        value = _read(response).get("id")
        if not isinstance(value, str) or not 16 <= len(value) <= 1364:
            raise PasskeyRefused("the answer names no passkey")
        return value

    def signed_in(self, response: str, challenge: bytes, passkey: Passkey) -> int:
        """The passkey's new counter, after it proved to be the enrolled one. Raises PasskeyRefused."""
        self._client_data(response, "webauthn.get")
        try:
            proved = webauthn.verify_authentication_response(
                credential=response,
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=self.origin,
                credential_public_key=unb64u(passkey.public_key),
                credential_current_sign_count=0,  # many passkeys never count; a decrease alone proves nothing
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError):
            raise PasskeyRefused("the passkey's answer was not accepted") from None
        return proved.new_sign_count

    def assertion(self, response: str, signed: SignedTerms, nonce: str) -> str:
        """The record (CL-JSON) that goes beside an authorisation (docs/spec/passkeys.md). Raises PasskeyRefused."""
        answer: Any = _read(response).get("response")
        self._client_data(response, "webauthn.get")
        try:
            record = Assertion(
                authenticator_data=answer["authenticatorData"],
                client_data=answer["clientDataJSON"],
                credential_id=self.credential_id(response),
                nonce=nonce,
                origin=self.origin,
                rp_id=self.rp_id,
                signature=answer["signature"],
                signed=signed,
            )
        except (KeyError, TypeError):
            raise PasskeyRefused("the passkey's answer is incomplete") from None
        return msgspec.json.encode(record).decode()

    def _client_data(self, response: str, kind: str) -> None:
        """The checks that the library does not make: unique names, no frame of another site."""
        answer: Any = _read(response).get("response")
        try:
            client = parse_client_data(unb64u(answer["clientDataJSON"]))
        except (KeyError, TypeError, ValueError, LedgerError):
            raise PasskeyRefused("the browser's part of the answer cannot be read") from None
        if client.get("type") != kind or client.get("origin") != self.origin:
            raise PasskeyRefused("the passkey was used on another page")
        if client.get("crossOrigin", False) is not False or "topOrigin" in client:
            raise PasskeyRefused("the passkey was used inside a frame of another site")


def signed_terms(
    consent_id: str, terms_hash: str, accounts: tuple[str, ...], locale: str, text_hash: str
) -> SignedTerms:
    """The object that a customer's passkey signs, before the nonce."""
    return SignedTerms(
        accounts_hash=accounts_hash(tuple(sorted(accounts))),
        act="consent.authorise",
        consent_id=consent_id,
        locale=locale,
        terms_hash=terms_hash,
        text_hash=text_hash,
    )


def consent_challenge(signed: SignedTerms, nonce: str) -> bytes:
    """The challenge (32 bytes) under which a customer signs an authorisation."""
    return sha256(CHALLENGE + unb64u(nonce, size=32) + msgspec.json.encode(signed)).digest()


def _read(response: str) -> dict[str, Any]:
    if len(response) > RESPONSE_LIMIT:
        raise PasskeyRefused("the passkey's answer is too long")
    try:
        value = json.loads(response)
    except (ValueError, RecursionError):
        raise PasskeyRefused("the passkey's answer cannot be read") from None
    if not isinstance(value, dict):
        raise PasskeyRefused("the passkey's answer cannot be read")
    return value
