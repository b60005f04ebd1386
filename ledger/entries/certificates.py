"""Client certificates as proxies that end TLS write them (RFC 8705, RFC 9440): thumbprint, public key, domains, dates.

Nothing here says who issued one: a scheme that wants that has its proxy look.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.canonical import b64u
from ledger.errors import BadEncoding

LIMIT: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client certificate, whatever its dates."""

    x5t: str
    """b64u of the SHA-256 of its DER bytes (RFC 8705 §3.1, `x5t#S256`)."""
    jwk: dict[str, str]
    """Its public key; empty for a kind of key that is not used here."""
    domains: tuple[str, ...]
    """DNS names of its subject; its common name where it has no such names. Who vouches for them, the proxy knows."""
    begins: datetime
    ends: datetime

    def is_current(self, now: float) -> bool:
        """Whether `now` (seconds) is within its dates."""
        return self.begins <= datetime.fromtimestamp(now, UTC) <= self.ends


def read_client_certificate(value: str) -> ClientCertificate:
    """A certificate as proxies write it. Raises BadEncoding.

    Percent-encoded PEM (nginx `$ssl_client_escaped_cert`), a byte sequence `:base64:` of the DER bytes (RFC 9440), or Envoy's
    `x-forwarded-client-cert` with its member `Cert`.
    """
    if len(value) > LIMIT:
        raise BadEncoding("the client certificate is too long")
    try:
        if value.startswith(":") and value.endswith(":") and len(value) > 2:
            read = x509.load_der_x509_certificate(base64.b64decode(value[1:-1], validate=True))
        else:
            if not value.startswith("-----BEGIN"):
                [value] = [part[5:].strip('"') for part in value.split(";") if part.lower().startswith("cert=")]
            read = x509.load_pem_x509_certificate(unquote(value).encode("ascii"))
        jwk, domains = _jwk(read), _domains(read)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise BadEncoding("the proxy does not tell one certificate") from None
    fingerprint = b64u(read.fingerprint(SHA256()))
    return ClientCertificate(fingerprint, jwk, domains, read.not_valid_before_utc, read.not_valid_after_utc)


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
