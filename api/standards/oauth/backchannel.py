"""Decoupled requests (CIBA Core 1.0, FAPI-CIBA): no browser takes the customer from the client to her bank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from api.http.refusals import BadRequest
from api.office.backchannels import Backchannels
from api.office.office import Office
from api.standards.oauth.requests import Requests
from api.tokens.backchannel import GRANT, Backchannel, BackchannelRequest, read_backchannel
from api.tokens.certificates import Certificate
from api.tokens.clients import read_form
from api.tokens.jwt import BadToken, text_claim, time_claim
from api.tokens.objects import read_request_object
from api.tokens.registrations import Registrations
from ledger.app import Ledger
from ledger.consent.state import BEFORE

_WITH_A_BROWSER: Final = ("redirect_uri", "response_type", "code_challenge")


@dataclass(frozen=True)
class DecoupledRequests:
    """The operations. Blocking."""

    requests: Requests
    backchannel: Backchannel
    kept: Backchannels
    registrations: Registrations

    def begin(self, form: bytes, holder: str | None, certificate: Certificate | None) -> tuple[str, dict[str, Any]]:
        """The client's id, and the answer of CIBA Core §7.3, with the consent's id and where its customer can answer.

        Raises BadRequest with CIBA's own codes, InvalidClient.
        """
        office = self.requests.office
        sent, now = read_form(form), office.now / 1000
        client = self.requests.clients.client(sent, now, certificate)
        self._check_registered(client)
        asked = self._signed(sent, client, now)
        holder = holder or self.requests.holder_meant(asked)
        said = read_backchannel(asked, client, now)
        standing = self.requests.consent_for(asked, client, holder, is_code=True)
        version = standing.consent.version + (standing.consent.pending is not None)
        if standing.status not in BEFORE and standing.consent.pending is None:
            raise BadRequest(
                "the customer has agreed to this already: ask for a token with authorization_details",
                error="invalid_request",
            )
        self.kept.keep(standing.consent_id, said)
        request = BackchannelRequest(client, holder, standing.consent_id, version)
        return client, {
            **self.backchannel.begun(request, said.expires_at, now),
            "grant_id": standing.consent_id,
            "approve_at": self._approve_at(office, holder, standing.consent_id),
        }

    def open_requests(self, ledger: Ledger, holder: str, after: int, limit: int) -> dict[str, Any]:
        """New consents of a holder that a decoupled request asked for and that wait, from a place in the log on."""
        now = self.requests.office.now
        page = ledger.records.consents(holder, after=after, limit=limit)
        found = []
        for _, consent in page:
            if consent.terms.holder != holder or consent.status_at(now, ledger.registry.removed) not in BEFORE:
                continue
            asked = self.kept.open_at(consent.consent_id, now)
            if asked is not None:
                found.append(
                    {
                        "consent_id": consent.consent_id,
                        "client_id": asked.client,
                        "login_hint": asked.login_hint,
                        "binding_message": asked.binding_message,
                        "expires_at": asked.expires_at,
                    }
                )
        return {"requests": found, "next": page[-1][0] if page else after}

    def _check_registered(self, client: str) -> None:
        """Raises BadRequest unless the operator lets this client ask so, or it has registered the grant."""
        registration = self.registrations.of(client)
        has_grant = registration is not None and GRANT in registration.metadata.get("grant_types", ())
        if not (has_grant or self.requests.office.gateway.is_decoupled(client)):
            raise BadRequest(
                "this client is not registered for backchannel requests: `backchannel` of the recipient in gateway.json, or "
                "the grant in its registration",
                error="unauthorized_client",
            )

    def _signed(self, sent: Mapping[str, str], client: str, now: float) -> dict[str, Any]:
        """The claims of the signed request, which is the only form (FAPI-CIBA §5.2.2). Raises BadRequest."""
        if "request" not in sent:
            raise BadRequest("requests here are signed: send `request`", error="invalid_request", member="request")
        try:
            claims = read_request_object(sent["request"], client, self.requests.registry(), self.requests.issuer, now)
            jti = text_claim(claims, "jti", longest=128)
            time_claim(claims, "iat")
            if any(name in claims for name in _WITH_A_BROWSER):
                raise BadToken("it is one of the code flow")  # noqa: TRY301
            self.requests.once.use("backchannel-request", client, jti, float(claims["exp"]))
        except BadToken as error:
            raise BadRequest(
                f"the signed request is not valid: {error}", error="invalid_request", member="request"
            ) from None
        return claims

    def _approve_at(self, office: Office, holder: str, consent_id: str) -> str:
        place = office.gateway.options(holder).approve_at or f"{self.requests.issuer}/my/approve"
        return f"{place}{'&' if '?' in place else '?'}consent={quote(consent_id, safe='')}"
