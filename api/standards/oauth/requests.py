"""Rich authorization requests (RFC 9396) pushed to the ledger (RFC 9126): a consent is asked for, or another version of one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from api.http.refusals import BadRequest
from api.office.office import Office, Standing
from api.office.wish import Wish
from api.tokens.clients import Clients, read_form
from api.tokens.details import ERROR, AccountInformation, parse_details, permissions_of
from ledger.canonical import b64u
from ledger.errors import IllegalTransition, NotFound

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

    def push(self, form: bytes, holder: str) -> tuple[str, dict[str, Any]]:
        """The client's id, and the answer of RFC 9126 with the grant's id. Raises BadRequest, InvalidClient."""
        asked = read_form(form)
        client = self.clients.client(asked, self.office.now / 1000)
        if "authorization_details" not in asked:
            raise BadRequest(
                "authorization_details is missing", error="invalid_request", member="authorization_details"
            )
        details = parse_details(asked["authorization_details"])
        if details.consent_id is not None or not details.actions:
            raise BadRequest("a request names actions, and no consent", error=ERROR, member="authorization_details")
        action, grant = asked.get("grant_management_action", "create"), asked.get("grant_id")
        if action not in ACTIONS or (grant is None) != (action == "create"):
            raise BadRequest(
                "grant_management_action is create, or merge or replace with a grant_id",
                error="invalid_request",
                member="grant_management_action",
            )
        facts = msgspec.json.encode([details])
        standing = self._record(client, holder, details, facts, action, grant)
        reference = f"{REQUEST_URI}{standing.consent_id}.{b64u(os.urandom(16))}"
        return client, {"request_uri": reference, "expires_in": PAR_SECONDS, "grant_id": standing.consent_id}

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


def _wish(details: AccountInformation, kept: frozenset[str]) -> Wish:
    return Wish(
        permissions=kept | frozenset(permissions_of(details.actions)),
        standard=STANDARD,
        standard_version=VERSION,
        expires_at=details.expires_at,
    )
