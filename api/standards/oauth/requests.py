"""Rich authorization requests (RFC 9396) pushed to the ledger (RFC 9126): a consent is asked for, or another version of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from api.http.refusals import BadRequest
from api.office.office import Office, Standing
from api.office.wish import Wish
from api.standards.forms import CONSENT_URN
from api.tokens.certificates import Certificate
from api.tokens.clients import Clients, read_form
from api.tokens.codes import CodeFlow, PushedRequest, read_pushed, wants_code
from api.tokens.details import ERROR, AccountInformation, parse_details, permissions_of
from api.tokens.dpop import Proof
from api.tokens.jwt import BadToken
from api.tokens.nonces import Nonces, held_proof, refused_proof
from api.tokens.objects import read_request_object
from api.tokens.once import Once
from ledger.canonical import b64u
from ledger.consent.state import BEFORE, Status
from ledger.errors import IllegalTransition, NotFound
from ledger.participants import Registry

STANDARD: Final = "oauth-rar"
VERSION: Final = "rfc9396"
REQUEST_URI: Final = "urn:ietf:params:oauth:request_uri:"
PAR_SECONDS: Final = 60
ACTIONS: Final = ("create", "merge", "replace")
"""Of Grant Management: what a request does to a grant."""


@dataclass(frozen=True)
class Requests:
    """The operations. Blocking."""

    office: Office
    clients: Clients
    flow: CodeFlow
    once: Once
    registry: Callable[[], Registry]
    issuer: str
    nonces: Nonces | None = None
    """What DPoP proofs must bring."""

    def push(
        self, form: bytes, holder: str | None, certificate: Certificate | None, proof: str | None
    ) -> tuple[str, dict[str, Any]]:
        """The client's id, and the answer of RFC 9126 with the grant's id. Raises BadRequest, InvalidClient.

        Without a `holder` in the address, `resource` (RFC 8707) names it, or there is only one. A DPoP `proof` binds the code
        to its key, as `dpop_jkt` does (RFC 9449 §10.1).
        """
        sent, now = read_form(form), self.office.now / 1000
        address = f"{self.issuer}/oauth/par" if holder is None else f"{self.issuer}/holders/{holder}/oauth/par"
        held = held_proof(proof, address, self.nonces, now)
        client = self.clients.client(sent, now, certificate)
        asked = self._asked(sent, client, now)
        holder = holder or self.holder_meant(asked)
        request = None
        if wants_code(asked):
            addresses = self.flow.addresses(client, self.office.gateway.redirect_uris(client))
            request = read_pushed(asked, client, holder, addresses)
            request = self._bound(request, held)
        grant = self.consent_for(asked, client, holder, is_code=request is not None).consent_id
        if request is not None:
            return client, {**self.flow.pushed(request, grant, now), "grant_id": grant}
        reference = f"{REQUEST_URI}{grant}.{b64u(os.urandom(16))}"
        return client, {"request_uri": reference, "expires_in": PAR_SECONDS, "grant_id": grant}

    def consent_for(self, asked: Mapping[str, Any], client: str, holder: str, *, is_code: bool) -> Standing:
        """The consent that a request asks for, or names. `is_code`: its customer is asked now. Raises BadRequest."""
        named = consent_named(asked)
        return (
            self._new(asked, client, holder) if named is None else self._known(client, holder, named, is_code=is_code)
        )

    def answer(self, holder: str, body: bytes) -> dict[str, str]:
        """Where the browser goes back to, for a holder whose customer has answered on pages of its own. Raises BadRequest."""
        try:
            said = _answers.decode(body)
            request = self.flow.request_of(said.request, self.office.now / 1000)
            if request.holder != holder:
                raise BadRequest("this request is for another holder", member="request")
            return {"redirect_to": self.flow.answered(said.request, self.office.now / 1000, agreed=said.agreed)}
        except (msgspec.DecodeError, BadToken) as error:
            raise BadRequest(f"the answer is not acceptable: {error}", member="request") from None

    def holder_meant(self, asked: Mapping[str, Any]) -> str:
        """The holder that a request without one in its address is for. Raises BadRequest."""
        known = self.registry().participants.values()
        holders = {one.id for one in known if "holder" in one.roles and not one.removed}
        named = asked.get("resource")
        if named is None and len(holders) == 1:
            return holders.pop()
        if named not in holders:
            raise BadRequest(
                "resource names the holder by its participant id: there are several",
                error="invalid_target",
                member="resource",
            )
        return str(named)

    def _bound(self, request: PushedRequest, held: Proof | None) -> PushedRequest:
        if held is None:
            return request
        try:
            self.once.use("dpop", held.thumbprint, held.jti, held.expires_at)
            if request.jkt not in ("", held.thumbprint):
                raise BadToken("dpop_jkt is another key")  # noqa: TRY301
        except BadToken as error:
            raise refused_proof(error) from None
        return replace(request, jkt=held.thumbprint)

    def _asked(self, sent: dict[str, str], client: str, now: float) -> dict[str, Any]:
        """The parameters: those of the form, or those of the request object alone (RFC 9126 §3)."""
        if "request_uri" in sent:
            raise BadRequest("a pushed request holds no request_uri", error="invalid_request", member="request_uri")
        if "request" not in sent:
            return dict(sent)
        try:
            return read_request_object(sent["request"], client, self.registry(), self.issuer, now)
        except BadToken as error:
            raise BadRequest(
                f"the request object is not valid: {error}", error="invalid_request_object", member="request"
            ) from None

    def _known(self, client: str, holder: str, consent_id: str, *, is_code: bool) -> Standing:
        """A consent that was asked for in another way, and that its customer may agree to, or has."""
        if not is_code:
            raise BadRequest("a request names actions, and no consent", error=ERROR, member="authorization_details")
        try:
            standing = self.office.standing(client, holder, consent_id)
        except NotFound:
            standing = None
        if standing is None or standing.status not in (*BEFORE, Status.ACTIVE):
            raise BadRequest(
                "this is not a consent of the client that can be agreed to", error="invalid_request", member="scope"
            )
        return standing

    def _new(self, asked: Mapping[str, Any], client: str, holder: str) -> Standing:
        if "authorization_details" not in asked:
            raise BadRequest(
                "authorization_details is missing", error="invalid_request", member="authorization_details"
            )
        details = parse_details(_text(asked["authorization_details"]))
        if not details.actions:
            raise BadRequest("a request names actions, and no consent", error=ERROR, member="authorization_details")
        action, grant = asked.get("grant_management_action", "create"), asked.get("grant_id")
        if action not in ACTIONS or (grant is None) != (action == "create"):
            raise BadRequest(
                "grant_management_action is create, or merge or replace with a grant_id",
                error="invalid_request",
                member="grant_management_action",
            )
        return self._record(client, holder, details, msgspec.json.encode([details]), str(action), grant)

    def _record(
        self, client: str, holder: str, details: AccountInformation, facts: bytes, action: str, grant: str | None
    ) -> Standing:
        if grant is None:
            return self.office.request(client, holder, _wish(details, frozenset()), facts)

        def wished(before: Standing) -> Wish:
            kept = frozenset(before.consent.terms.permissions) if action == "merge" else frozenset[str]()
            return _wish(details, kept)

        try:
            return self.office.amend(client, holder, grant, wished, facts)
        except (NotFound, IllegalTransition):
            raise BadRequest(
                "grant_id is not an active grant of this client", error="invalid_grant_id", member="grant_id"
            ) from None


def consent_named(asked: Mapping[str, Any]) -> str | None:
    """The consent that a request is about, if it was asked for before.

    `authorization_details` with `consent_id`; a scope `AIS:ID` (Berlin Group, OAuth SCA) or `consent:URN` (Brazil); the claim
    `openbanking_intent_id` (UK).
    """
    named: set[str] = set()
    if "authorization_details" in asked:
        details = parse_details(_text(asked["authorization_details"]))
        named |= {details.consent_id} if details.consent_id is not None else set()
    for scope in str(asked.get("scope", "")).split():
        for prefix in ("AIS:", "consent:"):
            if scope.startswith(prefix):
                named.add(scope.removeprefix(prefix).removeprefix(CONSENT_URN))
    claims = asked.get("claims") or {}
    try:
        wanted = (
            msgspec.json.decode(claims, type=_Claims)
            if isinstance(claims, str)
            else msgspec.convert(claims or {}, _Claims)
        )
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise BadRequest("claims is not an object of claims", error="invalid_request", member="claims") from None
    for part in (wanted.id_token, wanted.userinfo):
        intent = (part or {}).get("openbanking_intent_id")
        named |= {intent.value} if intent is not None and intent.value is not None else set()
    if len(named) > 1:
        raise BadRequest("the request names two consents", error="invalid_request", member="scope")
    return named.pop() if named else None


class _Claim(Struct, frozen=True):
    value: str | None = None


class _Claims(Struct, frozen=True):
    id_token: dict[str, _Claim | None] | None = None
    userinfo: dict[str, _Claim | None] | None = None


class _Answer(Struct, frozen=True, forbid_unknown_fields=True):
    request: str
    agreed: bool


_answers: Final = msgspec.json.Decoder(_Answer)


def _text(details: object) -> str:
    """Authorization details as text: a form's parameter, or the claim of a request object."""
    return details if isinstance(details, str) else msgspec.json.encode(details).decode()


def _wish(details: AccountInformation, kept: frozenset[str]) -> Wish:
    return Wish(
        permissions=kept | frozenset(permissions_of(details.actions)),
        standard=STANDARD,
        standard_version=VERSION,
        expires_at=details.expires_at,
    )
