"""One request of the framework, the links that its answers hold, and the way back that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import msgspec
from fastapi import Request
from starlette.responses import Response

from api.node.admission import NodeHere
from api.standards.berlin.dialect import TppMessage, echoed, format_error
from api.standards.berlin.headers import version_of
from api.standards.incoming import CONSENTS_READ, CONSENTS_WRITE, HolderHere, OfficeHere, RecipientHere
from api.tokens.returns import PlainReturn, is_own

APPROACH: Final = "berlin_approach"
"""A holder's decision: `oauth` for the OAuth SCA approach, for clients that have a token themselves."""
MAY_READ: Final = replace(CONSENTS_READ, certificate_option="berlin_identification")
MAY_WRITE: Final = replace(CONSENTS_WRITE, certificate_option="berlin_identification")
"""A holder's decision: with `certificate`, the client certificate stands for a token (docs/standards/berlin.md)."""
DOMAINS: Final = "berlin_domains"
"""A holder's decision: `certificate`, if the proxy has checked who issued it, lets the domains of a client's own count."""


class BerlinExchange:
    """One request and the way to answer it."""

    def __init__(
        self, request: Request, node: NodeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere
    ) -> None:
        self.request = request
        self.names = version_of(request)
        """Of the version that this request is of."""
        self._node, self._office = node, office
        self._base = node.settings.base_url
        self._holder_id, self._recipient = holder, recipient
        self._holder = quote(holder)
        self._options = office.gateway.options(holder)

    def link(self, consent_id: str, below: str = "") -> dict[str, str]:
        """A link to a consent, or to what lies below it."""
        return {"href": f"/holders/{self._holder}{self.names.consents}/{quote(consent_id, safe=':')}{below}"}

    def sca_links(self, consent_id: str, authorisation: str) -> dict[str, Any]:
        """Where the customer authorises, and where it is told how far she is."""
        links: dict[str, Any] = {
            "scaRedirect": {"href": f"{self._base}/authorize/{authorisation}?consent={quote(consent_id, safe='')}"},
            "scaStatus": self.link(consent_id, f"/authorisations/{authorisation}"),
        }
        brings_token = "authorization" in self.request.headers
        if brings_token and self._options.options.get(APPROACH) == "oauth":
            metadata = f"/holders/{self._holder}/oauth/.well-known/oauth-authorization-server"
            links["scaOAuth"] = {"href": self._base + metadata}
            del links["scaRedirect"]
        return links

    def way_back(self, consent_id: str) -> PlainReturn:
        """The addresses of this request, which are the recipient's own. Raises Message for any other."""
        headers, office, names = self.request.headers, self._office, self.names
        registered = self._node.flow.addresses(self._recipient, office.gateway.redirect_uris(self._recipient))
        domains: tuple[str, ...] = ()
        if self._options.options.get(DOMAINS) == "certificate":
            held = self._node.certificate_of(self.request.scope)
            known = held is not None and held.key_of(self._recipient, self._node.ledger.registry) is not None
            domains = held.domains if held is not None and known else ()
        for name in (names.redirect, names.nok_redirect):
            if name in headers and not is_own(headers[name], registered, domains):
                raise format_error(
                    "is not at an address that is registered for you; the operator adds one with "
                    "«consent-ledger gateway redirect»",
                    name,
                )
        if names.nok_redirect in headers and names.redirect not in headers:
            raise TppMessage(400, "PARAMETER_NOT_CONSISTENT", f"goes with {names.redirect}", names.nok_redirect)
        back, nok = headers.get(names.redirect, ""), headers.get(names.nok_redirect, "")
        return PlainReturn(self._recipient, self._holder_id, consent_id, back, nok)

    def answer(self, status: int, said: Any = None, headers: dict[str, str] | None = None) -> Response:
        """The answer."""
        more = {**echoed(self.request), "cache-control": "no-store"} | (headers or {})
        if said is None:
            return Response(status_code=status, headers=more)
        return Response(msgspec.json.encode(said), status, more, media_type="application/json")
