"""Callers that bring nothing but the certificate of their connection, where a holder takes that (NextGenPSD2 without OAuth).

Such a caller is the participant to whose client key the certificate belongs, at this moment of the log. It may do what its
role may, at routes that say so and with no holder but those that have decided it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from api.http.refusals import InsufficientScope, Unauthenticated
from api.http.wire import Scope, visit_of
from api.tokens.bearer import Caller
from api.tokens.certificates import CertificateHeader, OutOfDates
from api.tokens.jwt import BadToken
from api.tokens.scopes import scopes_of
from ledger.participants import Registry


class CertifiedCallers:
    """Says whose certificate a request came with. Blocking."""

    def __init__(self, certificates: CertificateHeader | None, registry: Callable[[], Registry]) -> None:
        """`certificates`: how the proxy tells of them; None: it does not. `registry` is as of this moment."""
        self._certificates = certificates
        self._registry = registry

    def caller(self, scope: Scope, needed: str) -> Caller:
        """The caller, who has the scope that is needed. Raises Unauthenticated, whose `fault` says what is wrong with the
        certificate, and InsufficientScope."""
        try:
            certificate = None if self._certificates is None else self._certificates.certificate(scope, time.time())
        except OutOfDates as error:
            raise Unauthenticated(str(error), fault="expired") from None
        except BadToken as error:
            raise Unauthenticated(str(error), fault="invalid") from None
        if certificate is None:
            raise Unauthenticated(
                "neither an access token nor a client certificate came with the request", fault="missing"
            )
        registry = self._registry()
        key = certificate.key_in(registry)
        if key is None:
            raise Unauthenticated(
                "the key of the client certificate is no participant's client key: have the operator register it",
                fault="invalid",
            )
        if key.revoked_at is not None:
            raise Unauthenticated("the key of the client certificate was revoked", fault="revoked")
        if registry.participants[key.participant].removed:
            raise Unauthenticated("the owner of the client certificate takes part no more", fault="blocked")
        visit_of(scope).client = key.participant
        granted = scopes_of(key.participant, registry)
        if needed not in granted:
            raise InsufficientScope(f"this needs the scope {needed}")
        return Caller(key.participant, granted & {needed})
