"""Clients' certificates, and the headers in which a proxy tells of them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.keys import KeyPair
from tests.standards.walk import SECRET


def certificate(key: KeyPair, *, days: int = 30, domains: tuple[str, ...] = (), **names: str) -> x509.Certificate:
    """Signed by itself: who issued a client's certificate is the proxy's matter."""
    told = [x509.NameAttribute(getattr(NameOID, name), value) for name, value in names.items()]
    subject = x509.Name([*told, x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    at = datetime.now(UTC)
    begun = x509.CertificateBuilder()
    if domains:
        begun = begun.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in domains]), critical=False)
    return (
        begun.subject_name(subject)
        .issuer_name(subject)
        .public_key(key.private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=31))
        .not_valid_after(at + timedelta(days=days))
        .sign(key.private, SHA256())
    )


def told(read: x509.Certificate, how: str = "pem", secret: str = SECRET) -> dict[str, str]:
    """The headers that a proxy sets for this certificate."""
    pem = quote(read.public_bytes(Encoding.PEM).decode(), safe="")
    value = {
        "pem": pem,
        "rfc9440": f":{base64.b64encode(read.public_bytes(Encoding.DER)).decode()}:",
        "envoy": f'Hash={read.fingerprint(SHA256()).hex()};Cert="{pem}";Subject=""',
    }[how]
    return {"client-cert": value, "proxy-secret": secret}
