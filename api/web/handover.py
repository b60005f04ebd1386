"""Customers whom an app sends here to agree, and who go back to it afterwards (docs/standards/oauth.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from api.tokens.codes import CodeFlow, PushedRequest
from api.tokens.jwt import BadToken
from api.tokens.returns import PlainReturn


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where a browser goes back to."""

    address: str
    """With the code, or with the word that there is none."""
    site: str
    """The address's host, for the customer's eyes."""


@dataclass(frozen=True)
class Handover:
    """The code flow, as the pages see it."""

    flow: CodeFlow
    approve_at: Callable[[str], str]
    """Holder to the address of its own pages for agreeing; empty: these pages."""
    begun: Callable[[str, str], PlainReturn | None] = lambda _consent, _authorisation: None
    """Consent and authorisation to the way back that its client named."""
    binding: Callable[[str, int], str] = lambda _consent, _now: ""
    """Consent and moment (ms) to the message of an app that asked without a browser; empty: none did."""

    def request_of(self, ticket: str, consent_id: str, now: int) -> PushedRequest | PlainReturn | None:
        """The request that this browser was sent with, if it is about this consent and still good. `now` in ms."""
        if not ticket:
            return None
        try:
            request = self.flow.request_of(ticket, now / 1000)
        except BadToken:
            return None
        return request if request.consent_id == consent_id else None

    def way_back(self, ticket: str, consent_id: str, now: int, *, agreed: bool) -> WayBack | None:
        """Uses the ticket up; None if it is not about this consent, or not good any more."""
        request = self.request_of(ticket, consent_id, now)
        if request is None:
            return None
        try:
            address = self.flow.answered(ticket, now / 1000, agreed=agreed)
        except BadToken:
            return None
        return WayBack(address, site_of(address))


def site_of(address: str) -> str:
    """The host that an address leads to."""
    return urlsplit(address).netloc
