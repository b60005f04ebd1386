"""Clients register themselves (RFC 7591, RFC 7592), upon the statement of a register that the operator has named.

Least privilege: a register speaks for the software it is configured for; the software is a recipient that the log knows, in
good standing; addresses are among those of its statement; and a key is recorded only when the client has shown that it holds
it, and the register says that it is the software's. Nothing else comes into the log by this door.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from api.http.refusals import BadRequest
from api.registers.key_sets import KeySets
from api.registers.statements import (
    LIMIT,
    MEMBERS,
    TYP,
    RegisterForm,
    SoftwareStatement,
    UnapprovedSoftware,
    issuer_of,
    read_statement,
    unverified,
)
from api.tokens.backchannel import GRANT as CIBA
from api.tokens.certificates import Certificate
from api.tokens.codes import RedirectUri
from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim
from api.tokens.keys import ALGORITHMS, PublicKey
from api.tokens.once import Once
from api.tokens.registrations import ClientRegistration, Registrations
from ledger.app import Ledger
from ledger.canonical import b64u
from ledger.documents import KeyRevoked, document_of, key_added
from ledger.errors import Conflict, InvalidInput

REQUEST_SECONDS: Final = 3600.0
"""How far ahead a signed request may expire."""
METADATA: Final = "invalid_client_metadata"
STATEMENT: Final = "invalid_software_statement"
UNAPPROVED: Final = "unapproved_software_statement"
REDIRECT: Final = "invalid_redirect_uri"
GRANTS: Final = ("authorization_code", "client_credentials", "refresh_token")
"""What is registered where a request names none; the grant of CIBA is for those who name it."""
METHODS: Final = ("private_key_jwt", "self_signed_tls_client_auth", "tls_client_auth")
_SIGNED: Final = (
    "authorization_signed_response_alg",
    "id_token_signed_response_alg",
    "request_object_signing_alg",
    "token_endpoint_auth_signing_alg",
)
_ECHOED: Final = (
    "application_type",
    "client_description",
    "client_name",
    "client_uri",
    "jwks_uri",
    "legal_entity_id",
    "legal_entity_name",
    "logo_uri",
    "org_id",
    "org_name",
    "policy_uri",
    "recipient_base_uri",
    "revocation_uri",
    "sector_identifier_uri",
    "software_id",
    "software_roles",
    "tls_client_auth_subject_dn",
    "tls_client_certificate_bound_access_tokens",
    "tos_uri",
)
"""Members of the statement or of the request that are told as they came, and mean nothing here."""
_KID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrustedRegister:
    """A register, and for whom it speaks."""

    issuer: str
    form: RegisterForm
    keys: Callable[[str], Mapping[str, PublicKey]]
    """By key id, looked for with the one that is wanted. Raises Unavailable."""
    software: Mapping[str, str]
    """Software id to participant."""


@dataclass(frozen=True, slots=True)
class _Proved:
    """A key that the client holds, and that its register calls the software's."""

    kid: str
    key: PublicKey


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was read, of whom it is, and what it proves."""

    client: str
    register: str
    statement: SoftwareStatement
    said: Mapping[str, Any]
    proved: tuple[_Proved, ...]


class Registering:
    """The operations. Blocking; they raise Unavailable when keys cannot be read or the log cannot be written."""

    def __init__(
        self,
        ledger: Ledger,
        registrations: Registrations,
        once: Once,
        issuer: str,
        registers: Iterable[TrustedRegister],
        client_keys: KeySets,
        register_keys: KeySets,
    ) -> None:
        """`issuer` is this ledger's base address; `client_keys` reads the addresses that statements name, `register_keys` those
        of the registers."""
        self._ledger = ledger
        self._kept = registrations
        self._once = once
        self._issuer = issuer
        self._registers = {one.issuer: one for one in registers}
        self._client_keys = client_keys
        self._register_keys = register_keys

    def refresh(self) -> None:
        """A register says that there is something new: believe no key that was read before."""
        self._client_keys.forget_all()
        self._register_keys.forget_all()

    @property
    def offered(self) -> bool:
        """Whether anybody can register: whether there is a register."""
        return bool(self._registers)

    def register(self, body: bytes, signed: bool, certificate: Certificate | None, now: float) -> dict[str, Any]:
        """A first registration: the answer of RFC 7591 §3.2.1. `signed`: the body is a JWT. Raises BadRequest."""
        asked = self._read(body, signed, certificate, now)
        if self._kept.of(asked.client) is not None:
            raise BadRequest(
                "this software is registered already: change its registration with PUT, or DELETE it first",
                error=METADATA,
            )
        made = self._made(asked, b64u(os.urandom(16)), int(now))
        self._record(asked, made, ())
        try:
            self._kept.add(made)
        except Conflict as error:
            raise BadRequest(error.detail, error=METADATA) from None
        return {**self._told(made), "registration_access_token": self._kept.token(made)}

    def read(self, registration: ClientRegistration) -> dict[str, Any]:
        """RFC 7592 §2.1."""
        return self._told(registration)

    def update(
        self, present: ClientRegistration, body: bytes, signed: bool, certificate: Certificate | None, now: float
    ) -> dict[str, Any]:
        """RFC 7592 §2.2: the request takes the place of the present one. Keys that the software's set lost are revoked."""
        asked = self._read(body, signed, certificate, now, fresh=True)
        if asked.client != present.client or asked.said.get("client_id", present.client) != present.client:
            raise BadRequest("this registration is another client's", error=METADATA, member="client_id")
        made = self._made(asked, present.number, present.issued_at)
        held = [key.jwk for key in self._keys_of(asked.statement).values()]
        old = [kid for kid in present.kids if kid not in made.kids]
        gone = tuple(kid for kid in old if dict(self._ledger.registry.keys[kid].jwk) not in held)
        made = replace(made, kids=tuple(sorted({*made.kids, *old} - set(gone))))
        self._record(asked, made, gone)
        self._kept.replace(made)
        return self._told(made)

    def end(self, registration: ClientRegistration) -> None:
        """RFC 7592 §2.3: its keys are revoked in one commit, and with them all tokens that were got with them.

        The log first: if this process stops in between, the client can ask again.
        """
        self._revoke(registration.client, registration.kids)
        self._kept.remove(registration.client)

    def forget(self, client: str) -> None:
        """Clean up after a client whom the log has removed: its keys say nothing there any more."""
        self._kept.remove(client)

    # -- reading ------------------------------------------------------------------------------------------------------------

    def _read(
        self, body: bytes, signed: bool, certificate: Certificate | None, now: float, *, fresh: bool = False
    ) -> _Asked:
        said = self._said(body, signed)
        text = said.get("software_statement")
        if not isinstance(text, str):
            raise BadRequest("a software_statement is needed", error=STATEMENT, member="software_statement")
        register, statement = self._statement(text, now)
        client = register.software.get(statement.software_id, "")
        if not self._ledger.registry.is_in_good_standing(client, "recipient"):
            raise BadRequest(
                "this register speaks for no recipient of the log, in good standing, with this software_id: the operator "
                "registers it, and names it in gateway.json",
                error=UNAPPROVED,
            )
        if fresh:
            for address in statement.key_sets:
                self._client_keys.forget(address)
        proved = []
        keys = self._keys_of(statement)
        if signed:
            said, key = self._signed(body.decode("ascii"), keys, statement, now)
            proved.append(key)
        if certificate is not None:
            proved += [
                _Proved(kid if _KID.fullmatch(kid) else key.thumbprint, key)
                for kid, key in keys.items()
                if key.jwk == certificate.jwk
            ][:1]
        if not proved:
            raise BadRequest(
                "show that you hold a key of the software: sign the request (application/jwt), or come with a client "
                "certificate whose key is in its key set",
                error=METADATA,
            )
        return _Asked(client, register.issuer, statement, said, tuple(proved))

    def _said(self, body: bytes, signed: bool) -> dict[str, Any]:
        try:
            if signed:
                read_jwt(body.decode("ascii"), typ=TYP, members=MEMBERS, limit=LIMIT)
                return unverified(body.decode("ascii"))
            return msgspec.json.decode(body, type=dict[str, Any])
        except (BadToken, UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
            raise BadRequest(f"the request cannot be read: {error}", error=METADATA) from None

    def _statement(self, text: str, now: float) -> tuple[TrustedRegister, SoftwareStatement]:
        try:
            jwt, issuer = issuer_of(text)
            register = self._registers.get(issuer)
            if register is None:
                raise BadToken("its issuer is not a register that is named here")  # noqa: TRY301
            kid = text_claim(jwt.header, "kid", longest=128)
            key = register.keys(kid).get(kid)
            if key is None:
                raise BadToken("the register has no such key")  # noqa: TRY301
            return register, read_statement(text, jwt, key, register.form, now)
        except BadToken as error:
            raise BadRequest(f"the software statement is not good: {error}", error=STATEMENT) from None
        except UnapprovedSoftware as error:
            raise BadRequest(str(error), error=UNAPPROVED) from None

    def _keys_of(self, statement: SoftwareStatement, kid: str | None = None) -> dict[str, PublicKey]:
        found: dict[str, PublicKey] = {}
        for address in statement.key_sets:
            found |= self._client_keys.keys(address, kid)
        return found

    def _signed(
        self, text: str, keys: Mapping[str, PublicKey], statement: SoftwareStatement, now: float
    ) -> tuple[dict[str, Any], _Proved]:
        """The claims of a signed request, and the key that signed it: the software's own."""
        try:
            jwt = read_jwt(text, typ=TYP, members=MEMBERS, limit=LIMIT)
            kid = text_claim(jwt.header, "kid", longest=64)
            key = keys.get(kid) or self._keys_of(statement, kid).get(kid)
            if key is None or not _KID.fullmatch(kid):
                raise BadToken("its kid is not that of a key in the software's key set")  # noqa: TRY301
            claims = jwt.verified(key)
            if claims.get("iss") != statement.software_id:
                raise BadToken("iss must be the software_id")  # noqa: TRY301
            if claims.get("aud") not in (self._issuer, [self._issuer]):
                raise BadToken("aud must be the issuer")  # noqa: TRY301
            expires = check_times(claims, now, longest=REQUEST_SECONDS)
            self._once.use("registration", statement.software_id, text_claim(claims, "jti", longest=128), expires)
        except BadToken as error:
            raise BadRequest(f"the signed request is not good: {error}", error=METADATA) from None
        return claims, _Proved(kid, key)

    # -- what becomes of it -----------------------------------------------------------------------------------------------

    def _made(self, asked: _Asked, number: str, issued_at: int) -> ClientRegistration:
        statement, said = asked.statement, asked.said
        addresses = said.get("redirect_uris", list(statement.redirect_uris))
        if (
            not isinstance(addresses, list)
            or not addresses
            or not all(one in statement.redirect_uris for one in addresses)
        ):
            raise BadRequest(
                "redirect_uris are some of those of the software statement", error=REDIRECT, member="redirect_uris"
            )
        try:
            redirects = msgspec.convert(tuple(addresses), tuple[RedirectUri, ...])
        except msgspec.ValidationError:
            raise BadRequest(
                "a redirect address begins with https:// and has no fragment", error=REDIRECT, member="redirect_uris"
            ) from None
        return ClientRegistration(
            asked.client,
            number,
            asked.register,
            statement.software_id,
            issued_at,
            tuple(sorted(one.kid for one in asked.proved)),
            redirects,
            _metadata(statement, said),
        )

    def _record(self, asked: _Asked, made: ClientRegistration, gone: tuple[str, ...]) -> None:
        """Bring keys into the log, all or none; those that are there already stay as they are."""
        known, documents = self._ledger.registry.keys, []
        for one in asked.proved:
            there = known.get(one.kid)
            if there is None:
                documents.append(key_added(made.client, one.kid, one.key.alg, "client", one.key.jwk))
            elif (there.participant, there.use, dict(there.jwk)) != (made.client, "client", one.key.jwk) or (
                there.revoked_at is not None
            ):
                raise BadRequest(
                    f"the key id {one.kid!r} is taken in this log, or was revoked: come with a new key", error=METADATA
                )
        documents += [
            document_of(KeyRevoked, participant=made.client, kid=kid, reason="registration-changed")
            for kid in gone
            if known[kid].revoked_at is None
        ]
        try:
            if documents:
                self._ledger.record_documents(*documents)
        except (InvalidInput, Conflict) as error:
            raise BadRequest(f"the log does not take a key: {error.detail}", error=METADATA) from None

    def _revoke(self, client: str, kids: Iterable[str]) -> None:
        known = self._ledger.registry.keys
        documents = [
            document_of(KeyRevoked, participant=client, kid=kid, reason="registration-ended")
            for kid in kids
            if kid in known and known[kid].revoked_at is None
        ]
        if documents:
            self._ledger.record_documents(*documents)

    def _told(self, made: ClientRegistration) -> dict[str, Any]:
        return {
            **made.metadata,
            "client_id": made.client,
            "client_id_issued_at": made.issued_at,
            "redirect_uris": list(made.redirect_uris),
            "registration_client_uri": f"{self._issuer}/oauth/register/{made.client}",
        }


def _metadata(statement: SoftwareStatement, said: Mapping[str, Any]) -> dict[str, Any]:
    """What is registered beside addresses and keys. Values that are not served are left out (RFC 7591 §2), or refused where
    nothing would be left. Raises BadRequest."""
    told = {name: given[name] for given in (statement.claims, said) for name in _ECHOED if name in given}
    told.setdefault("client_name", statement.claims.get("software_client_name", statement.software_id))
    told["software_statement"] = statement.text
    told["software_id"] = statement.software_id
    told["grant_types"] = _served(said, "grant_types", (*GRANTS, CIBA), otherwise=GRANTS)
    told["response_types"] = _served(said, "response_types", ("code",))
    [told["token_endpoint_auth_method"]] = _served(said, "token_endpoint_auth_method", METHODS)[:1]
    for name in _SIGNED:
        told[name] = _served(said, name, ALGORITHMS, otherwise=("PS256",))[0]
    scope = said.get("scope", statement.claims.get("scope"))
    if isinstance(scope, str):
        allowed = statement.claims.get("scope")
        wanted = scope.split()
        told["scope"] = " ".join(
            wanted if not isinstance(allowed, str) else [s for s in wanted if s in allowed.split()]
        )
    return told


def _served(
    said: Mapping[str, Any], name: str, served: tuple[str, ...], *, otherwise: tuple[str, ...] | None = None
) -> list[str]:
    asked = said.get(name, list(otherwise or served))
    found = [one for one in (asked if isinstance(asked, list) else [asked]) if one in served]
    if not found:
        raise BadRequest(f"{name} is one of {', '.join(served)}", error=METADATA, member=name)
    return found
