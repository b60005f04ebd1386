"""Arrangements: asked for, amended, and revoked from both sides. Blocking."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from api.http.refusals import BadRequest, InvalidClient
from api.office.holders import HolderDesk
from api.office.office import Office
from api.standards.cdr.dialect import invalid_arrangement, refused
from api.standards.cdr.requests import arrangement_in, wish_of
from api.tokens.clients import Clients, read_form
from api.tokens.codes import CodeFlow, read_pushed
from api.tokens.jwt import BadToken, read_jwt, text_claim
from api.tokens.objects import read_request_object, signed_by_client
from api.tokens.once import Once
from ledger.app import Ledger
from ledger.consent.state import IN_FORCE
from ledger.errors import IllegalTransition, NotFound

_TYP: Final = frozenset({None, "jwt", "oauth-authz-req+jwt"})
_MEMBERS: Final = frozenset({"kid"})
_REASON: Final = "customer-request"
_KEPT: Final = re.compile(r"(?!nonce|state|code_challenge|redirect_uri|response_)\w+")


@dataclass(frozen=True)
class Arrangements:
    """The operations at this ledger's endpoints."""

    ledger: Ledger
    office: Office
    clients: Clients
    once: Once
    flow: CodeFlow
    base_url: str

    def push(self, form: bytes, holder: str) -> tuple[str, dict[str, Any]]:
        """POST …/par: the client's id, and the answer of RFC 9126. Raises BadRequest with OAuth's code, InvalidClient."""
        asked = read_form(form)
        now = self.office.now
        client = self.clients.client(asked, now / 1000)
        if "request" not in asked or set(asked) & {"scope", "claims"}:
            raise BadRequest("send the request object as `request`, and nothing of it beside", error="invalid_request")
        try:
            claims = read_request_object(asked["request"], client, self.ledger.registry, self.base_url, now / 1000)
        except BadToken as wrong:
            raise BadRequest(
                f"the request object is not valid: {wrong}", error="invalid_request_object", member="request"
            ) from None
        addresses = self.flow.addresses(client, self.office.gateway.redirect_uris(client))
        request = read_pushed(claims, client, holder, addresses)
        # What only the authorisation server needs is not kept: the note says what was asked of the customer.
        facts = msgspec.json.encode({name: value for name, value in claims.items() if _KEPT.fullmatch(name)})
        wish, named = wish_of(claims, now=now // 1000), arrangement_in(claims)
        if named is None:
            standing = self.office.request(client, holder, wish, facts)
        else:
            try:
                standing = self.office.amend(client, holder, named, lambda _: wish, facts)
            except (NotFound, IllegalTransition):
                raise BadRequest(
                    "cdr_arrangement_id is not an open arrangement of this client",
                    error="invalid_request_object",
                ) from None
        return client, self.flow.pushed(request, standing.consent_id, now / 1000)

    def revoke_at_holder(self, form: bytes, holder: str) -> str:
        """POST …/arrangements/revoke of a holder, by a recipient: the form parameter method. The client's id."""
        asked = read_form(form)
        client = self.clients.client(asked, self.office.now / 1000)
        arrangement = asked.get("cdr_arrangement_id")
        if not arrangement:
            raise refused(400, "Field/Missing", "cdr_arrangement_id")
        try:
            standing = self.office.standing(client, holder, arrangement)
            if standing.status not in IN_FORCE:
                raise invalid_arrangement(arrangement)
            self.office.step(client, holder, arrangement, "consent.revoke", by="customer", reason=_REASON)
        except (NotFound, IllegalTransition):
            raise invalid_arrangement(arrangement) from None
        return client

    def revoke_at_recipient(self, form: bytes, recipient: str, address: str) -> str:
        """POST …/arrangements/revoke of a recipient that is served here, by a holder: the JWT method. The holder's id.

        The JWT is the holder's authentication too: it has all claims of a self-signed client assertion, for this address.
        """
        asked = read_form(form)
        text = asked.get("cdr_arrangement_jwt")
        if not text:
            raise refused(400, "Field/Missing", "cdr_arrangement_jwt")
        now = self.office.now / 1000
        holder = self._owner(text)
        claims = self._signed(text, holder, now, 300.0)
        if claims.get("sub") != holder or claims.get("iss") != holder:
            raise InvalidClient("iss and sub of the arrangement's JWT are the owner of its key")
        if claims.get("aud") not in (address, self.base_url, address.removesuffix("/arrangements/revoke")):
            raise InvalidClient("aud of the arrangement's JWT is this endpoint")
        try:
            self.once.use("arrangement", holder, text_claim(claims, "jti", longest=128), float(claims["exp"]))
            arrangement = text_claim(claims, "cdr_arrangement_id", longest=128)
        except BadToken as error:
            raise InvalidClient(f"the arrangement's JWT is not valid: {error}") from None
        if asked.get("cdr_arrangement_id", arrangement) != arrangement:
            raise refused(400, "Field/Invalid", "cdr_arrangement_id is not that of the JWT")
        try:
            standing = self.office.standing(recipient, holder, arrangement)
            if standing.status not in IN_FORCE:
                raise invalid_arrangement(arrangement)
            HolderDesk(self.ledger, self.office).step(standing.consent, "consent.revoke", by="customer", reason=_REASON)
        except (NotFound, IllegalTransition):
            raise invalid_arrangement(arrangement) from None
        return holder

    def _owner(self, text: str) -> str:
        """Whose key a JWT names. Raises InvalidClient."""
        try:
            kid = text_claim(read_jwt(text, typ=_TYP, members=_MEMBERS).header, "kid", longest=64)
        except BadToken as error:
            raise InvalidClient(f"the JWT is not valid: {error}") from None
        key = self.ledger.registry.keys.get(kid)
        if key is None:
            raise InvalidClient("the JWT's kid is not that of a client key")
        return key.participant

    def _signed(self, text: str, owner: str, now: float, longest: float) -> dict[str, Any]:
        """The claims of a JWT that a client key of `owner` has signed. Raises InvalidClient."""
        try:
            return signed_by_client(text, owner, self.ledger.registry, now, longest)
        except BadToken as wrong:
            raise InvalidClient(f"the JWT is not valid: {wrong}") from None
