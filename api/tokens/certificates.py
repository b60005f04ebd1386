"""Client certificates, as the proxy that ends TLS forwards them (RFC 8705, RFC 9440).

The proxy has seen that the client holds the certificate's private key. The log says whose key it is: the public key must be
one of the participant's client keys (RFC 8705 §2.2, with the log in the place of the key set). Where a
scheme wants that, the proxy checks who issued the certificate.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from api.http.wire import Scope, header
from api.tokens.jwt import BadToken
from ledger.canonical import b64u
from ledger.participants import Registry

SECRET_HEADER: Final = "Proxy-Secret"  # noqa: S105  (the name of a header)
"""Shows that a header with a certificate comes from the proxy."""
LIMIT: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate within its dates."""

    x5t: str
    """b64u of the SHA-256 of its DER bytes (RFC 8705 §3.1, `x5t#S256`)."""
    jwk: dict[str, str]
    """Its public key; empty for a kind of key that is not used here."""
    domains: tuple[str, ...] = ()
    """DNS names of its subject; its common name where it has no such names. Who vouches for them, the proxy knows."""

    def key_of(self, participant: str, registry: Registry) -> str | None:
        """The participant's client key in the log, not revoked, that it is of: its id."""
        return next(
            (
                key.kid
                for key in registry.keys.values()
                if key.participant == participant
                and key.use == "client"
                and key.revoked_at is None
                and dict(key.jwk) == self.jwk
            ),
            None,
        )


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
    """A certificate as proxies write it, at `now` (seconds). Raises BadToken.

    Percent-encoded PEM (nginx `$ssl_client_escaped_cert`), a byte sequence `:base64:` of the DER bytes (RFC 9440), or Envoy's
    `x-forwarded-client-cert` with its member `Cert`.
    """
    if len(value) > LIMIT:
        raise BadToken("the client certificate is too long")
    try:
        if value.startswith(":") and value.endswith(":") and len(value) > 2:
            read = x509.load_der_x509_certificate(base64.b64decode(value[1:-1], validate=True))
        else:
            if not value.startswith("-----BEGIN"):
                [value] = [part[5:].strip('"') for part in value.split(";") if part.lower().startswith("cert=")]
            read = x509.load_pem_x509_certificate(unquote(value).encode("ascii"))
        jwk, domains = _jwk(read), _domains(read)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise BadToken("the proxy does not tell one certificate") from None
    at = datetime.fromtimestamp(now, UTC)
    if not read.not_valid_before_utc <= at <= read.not_valid_after_utc:
        raise BadToken("the client certificate is not within its dates")
    return Certificate(b64u(read.fingerprint(SHA256())), jwk, domains)


def _domains(read: x509.Certificate) -> tuple[str, ...]:
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        return tuple(str(name.value) for name in read.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME))


def _jwk(read: x509.Certificate) -> dict[str, str]:
    key = read.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"crv": "Ed25519", "kty": "OKP", "x": b64u(key.public_bytes_raw())}
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        point = key.public_numbers()
        return {"crv": "P-256", "kty": "EC", "x": b64u(point.x.to_bytes(32)), "y": b64u(point.y.to_bytes(32))}
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    return {}


def _number(value: int) -> str:
    return b64u(value.to_bytes((value.bit_length() + 7) // 8))
