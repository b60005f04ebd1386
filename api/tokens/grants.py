"""Consents as grants: tokens that live exactly as long as a consent does (RFC 9396, RFC 7662, Grant Management).

Nothing is stored: what a token may do is read from the consent each time it is asked about. So the commit that ends a
consent ends its tokens, and there is no moment in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from api.http.refusals import BadRequest
from api.tokens.details import ERROR, TYPE, AccountInformation, actions_of, all_of, granted
from ledger.consent.state import Consent, Status
from ledger.errors import NotFound
from ledger.participants import Registry

ConsentOf = Callable[[str, str], Consent]
"""(viewer, consent id) to the consent. Raises NotFound for anyone who is not its holder or recipient."""
CDR: Final = "au-cds"


@dataclass(frozen=True, slots=True)
class BoundTo:
    """The consent that a new token is bound to."""

    grant_id: str
    version: int
    audience: list[str]
    details: list[dict[str, Any]]
    ends_at: int
    """Seconds; 0 = open-ended."""
    whole: bool = False
    """Good for all that the consent permits: it was not narrowed to actions."""


class Grants:
    """Answers from the consents themselves. Blocking."""

    def __init__(self, consent_of: ConsentOf, registry: Callable[[], Registry]) -> None:
        self._consent_of = consent_of
        self._registry = registry

    def bind(self, client: str, asked: AccountInformation, now: float) -> BoundTo:
        """The grant of a token for this client. Raises BadRequest unless it is the recipient of an active consent."""
        if asked.consent_id is None:
            raise BadRequest(
                "name the consent: a member consent_id; to ask for a new consent, use the holder's par endpoint",
                member="authorization_details",
                error=ERROR,
            )
        consent = self._active(client, asked.consent_id, now)
        if consent is None or consent.terms.recipient != client:
            raise BadRequest("there is no such active consent of this client", error=ERROR, member="consent_id")
        return BoundTo(
            consent.consent_id,
            consent.version,
            list(asked.locations) or [consent.terms.holder],
            [granted(asked, consent.terms.permissions, consent.consent_id)],
            consent.terms.expires_at,
            not asked.actions,
        )

    def is_active(self, client: str, consent_id: str, now: float) -> bool:
        """Whether this client is the recipient of the consent, and may read under it at `now` (seconds)."""
        consent = self._active(client, consent_id, now)
        return consent is not None and consent.terms.recipient == client

    def claims(self, viewer: str, grant_id: str, version: int | None, now: float) -> dict[str, Any] | None:
        """The members that introspection adds for a party of an active consent (RFC 7662 §2.2); None when the token is
        inactive for it. `permissions` are all that the consent permits.

        An access token is of one version, a refresh token of none (None): when the customer has agreed to an amendment, access
        tokens of the version before are over.
        """
        consent = self._active(viewer, grant_id, now)
        if consent is None or version not in (None, consent.version):
            return None
        permissions = list(all_of(consent.terms.permissions))
        said: dict[str, Any] = {"grant_id": grant_id, "permissions": permissions, "sub": consent.subject}
        if consent.terms.standard == CDR:
            said["cdr_arrangement_id"] = grant_id
            if consent.terms.expires_at:
                said["sharing_expires_at"] = consent.terms.expires_at
        return said

    def query(self, client: str, grant_id: str, now: float) -> dict[str, Any]:
        """Grant Management §6.4. Raises NotFound unless it is an active grant of this client."""
        consent = self._active(client, grant_id, now)
        if consent is None or consent.terms.recipient != client:
            raise NotFound("there is no such active grant of this client", member="grant_id")
        detail = {
            "type": TYPE,
            "actions": list(actions_of(consent.terms.permissions)),
            "consent_id": grant_id,
            "locations": [consent.terms.holder],
        }
        return {"scopes": [], "claims": [], "authorization_details": [detail]}

    def standing(self, viewer: str, consent_id: str, now: float) -> tuple[Status, int]:
        """The status of a consent at `now` (seconds), and the version in force; TERMINATED for one that is not the viewer's."""
        try:
            consent = self._consent_of(viewer, consent_id)
        except NotFound:
            return Status.TERMINATED, 0
        return consent.status_at(int(now * 1000), self._registry().removed), consent.version

    def _active(self, viewer: str, consent_id: str, now: float) -> Consent | None:
        try:
            consent = self._consent_of(viewer, consent_id)
        except NotFound:
            return None
        registry = self._registry()
        known = registry.participants
        parties = [known.get(party) for party in (consent.terms.holder, consent.terms.recipient)]
        if any(party is None or party.suspended for party in parties):
            return None  # the ledger would deny each of its accesses
        return consent if consent.status_at(int(now * 1000), registry.removed) is Status.ACTIVE else None
