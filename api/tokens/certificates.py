"""Client certificates, as the proxy that ends TLS forwards them (RFC 8705, RFC 9440).

The proxy has seen that the client holds the certificate's private key. The log says whose key it is: the public key must be
one of the participant's client keys (RFC 8705 §2.2, with the log in the place of the key set). Where a
scheme wants that, the proxy checks who issued the certificate.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from api.http.wire import Scope, header
from api.tokens.jwt import BadToken
from ledger.entries.certificates import read_client_certificate
from ledger.errors import BadEncoding
from ledger.participants import Key, Registry

SECRET_HEADER: Final = "Proxy-Secret"  # noqa: S105  (the name of a header)
"""Shows that a header with a certificate comes from the proxy."""


class OutOfDates(BadToken):
    """A certificate that is not good yet, or no more."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate within its dates."""

    x5t: str
    """b64u of the SHA-256 of its DER bytes (RFC 8705 §3.1, `x5t#S256`)."""
    jwk: dict[str, str]
    """Its public key; empty for a kind of key that is not used here."""
    domains: tuple[str, ...] = ()
    """DNS names of its subject; its common name where it has no such names. Who vouches for them, the proxy knows."""

    def key_in(self, registry: Registry) -> Key | None:
        """The client key in the log that it is of, revoked or not: one key has one owner."""
        return next((key for key in registry.keys.values() if key.use == "client" and dict(key.jwk) == self.jwk), None)

    def key_of(self, participant: str, registry: Registry) -> str | None:
        """The participant's client key in the log, not revoked, that it is of: its id."""
        key = self.key_in(registry)
        return key.kid if key is not None and key.participant == participant and key.revoked_at is None else None


class CertificateHeader:
    """Reads the certificate of a request."""

    def __init__(self, name: str, secret: bytes) -> None:
        """`name` of the header that the proxy sets; `secret`: the value of `Proxy-Secret` that it sets beside it."""
        self._name = name.lower().encode()
        self._secret = secret

    def certificate(self, scope: Scope, now: float) -> Certificate | None:
        """The certificate of a request's connection, None where it has none. Raises BadToken."""
        value = header(scope, self._name)
        if not value:
            return None
        given = header(scope, SECRET_HEADER.lower().encode()) or ""
        if not hmac.compare_digest(given.encode("latin-1"), self._secret):
            raise BadToken("only the proxy that ends TLS may tell of a client certificate")
        return read_certificate(value, now)


def read_certificate(value: str, now: float) -> Certificate:
    """A certificate as proxies write it, at `now` (seconds). Raises BadToken, OutOfDates among them."""
    try:
        read = read_client_certificate(value)
    except BadEncoding as error:
        raise BadToken(error.detail) from None
    if not read.is_current(now):
        raise OutOfDates("the client certificate is not within its dates")
    return Certificate(read.x5t, read.jwk, read.domains)
