"""Recipients that show nothing but their client certificate and the id of their consent (NextGenPSD2 without OAuth).

The proxy has seen that the caller holds the certificate's key, and, where the scheme wants it, who issued it. Whose key it is,
the log says: it is a recipient's client key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from api.client.directory import Directory
from api.client.errors import ClientError
from api.guard.bound import BoundToken
from api.guard.refusals import RefusedAccess
from ledger.entries.certificates import read_client_certificate
from ledger.errors import BadEncoding

LONGEST: Final = 128
"""Of a consent's id."""


@dataclass(frozen=True)
class CertifiedRecipients:
    """Says who asks, and under which consent."""

    directory: Directory
    certificate: str
    """The header in which the proxy tells the certificate of the connection; it must replace what a caller sends under this
    name."""
    consent: str = "Consent-ID"
    """The header in which the recipient names its consent."""

    def is_asked(self, request: Request) -> bool:
        """Whether a request names a consent."""
        return self.consent in request.headers

    async def named(self, request: Request, now: int) -> BoundToken:
        """Who asks, and for which consent; whether it is theirs is still to be seen. `now` in ms. Raises RefusedAccess."""
        certificates, ids = request.headers.getlist(self.certificate), request.headers.getlist(self.consent)
        if not any(certificates):
            raise RefusedAccess("CERT_MISSING")
        if len(ids) != 1 or not 0 < len(ids[0]) <= LONGEST or not ids[0].isascii():
            raise RefusedAccess("REQUEST_MALFORMED", f"name one consent in {self.consent}")
        try:
            [told] = certificates
            read = read_client_certificate(told)
        except (ValueError, BadEncoding):
            raise RefusedAccess("CERT_INVALID", "the proxy does not tell one certificate") from None
        if not read.is_current(now / 1000):
            raise RefusedAccess("CERT_EXPIRED", "the client certificate is not within its dates")
        try:
            owner = await self.directory.client_of(read.jwk)
        except ClientError as error:
            raise RefusedAccess("LEDGER_UNAVAILABLE", "the participants cannot be looked up at present") from error
        if owner is None:
            raise RefusedAccess("CERT_INVALID", "its key is no participant's client key")
        if owner.revoked:
            raise RefusedAccess("CERT_REVOKED", "its key was revoked")
        return BoundToken(owner.participant, ids[0], None, read.x5t, certified=True)
