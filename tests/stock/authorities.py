"""Those who issue certificates in the ecosystems, and the certificates of their members: of the shapes that production has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.keys import KeyPair

SUBJECTS: Final[dict[str, dict[ObjectIdentifier, str]]] = {
    "uk": {  # OBWAC: the organisation in the register's own words, the software as common name
        NameOID.COUNTRY_NAME: "GB",
        NameOID.ORGANIZATION_NAME: "Plum Ltd",
        NameOID.ORGANIZATION_IDENTIFIER: "PSDGB-OB-Unknown0015800001HQQrZAAX",
        NameOID.COMMON_NAME: "0015800001HQQrZAAX",
    },
    "berlin": {  # QWAC after ETSI TS 119 495: the authorisation number of the competent authority
        NameOID.COUNTRY_NAME: "DE",
        NameOID.ORGANIZATION_NAME: "Pflaume GmbH",
        NameOID.ORGANIZATION_IDENTIFIER: "PSDDE-BAFIN-125578",
        NameOID.COMMON_NAME: "pflaume.example",
    },
    "brazil": {  # ICP-Brasil: kind of organisation, CNPJ, the software as user id
        NameOID.BUSINESS_CATEGORY: "Private Organization",
        NameOID.COUNTRY_NAME: "BR",
        NameOID.ORGANIZATION_NAME: "Ameixa Ltda",
        NameOID.SERIAL_NUMBER: "43142666000197",
        NameOID.COMMON_NAME: "ameixa.example",
        NameOID.USER_ID: "740c368f-ecf9-4d29-a2ea-0514a66b0cde",
    },
    "cdr": {  # the register's own authority: the software product as common name
        NameOID.COUNTRY_NAME: "AU",
        NameOID.ORGANIZATION_NAME: "Plum Pty Ltd",
        NameOID.COMMON_NAME: "740c368f-ecf9-4d29-a2ea-0514a66b0cde",
    },
    "aa": {
        NameOID.COUNTRY_NAME: "IN",
        NameOID.ORGANIZATION_NAME: "Plum Finserv Pvt Ltd",
        NameOID.COMMON_NAME: "plum.fiu.example",
    },
}
"""What each scheme writes into the subject of a client's certificate."""
_QC_STATEMENTS: Final = ObjectIdentifier("1.3.6.1.5.5.7.1.3")


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes((tag, len(content))) + content


def _psd2_statement() -> bytes:
    """Of a reader of accounts (PSP_AI) that BaFin has admitted: ETSI TS 119 495, 5.1."""
    etsi = bytes.fromhex("0400819827")  # 0.4.0.19495
    role = _der(0x30, _der(0x06, etsi, b"\1\3"), _der(0x0C, b"PSP_AI"))
    kind = _der(0x30, _der(0x30, role), _der(0x0C, b"BaFin"), _der(0x0C, b"DE-BAFIN"))
    return _der(0x30, _der(0x30, _der(0x06, etsi, b"\2"), kind))


@dataclass(frozen=True)
class Authority:
    """An authority with its own key."""

    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _built(subject, subject, key.public_key()).add_extension(x509.BasicConstraints(True, 0), critical=True)
        return cls(name, key, made.sign(key, SHA256()))

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def server(self, folder: Path) -> Path:
        """A certificate for this machine with its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        made = self._issued(subject, key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH)
        return _written(folder / "server.pem", made.add_extension(names, critical=False).sign(self.key, SHA256()), key)

    def client(self, scheme: str, key: KeyPair, folder: Path) -> Path:
        """A member's certificate with its key, in one file."""
        subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in SUBJECTS[scheme].items()])
        made = self._issued(subject, key.private.public_key(), ExtendedKeyUsageOID.CLIENT_AUTH)
        if scheme == "berlin":
            made = made.add_extension(x509.UnrecognizedExtension(_QC_STATEMENTS, _psd2_statement()), critical=False)
        return _written(folder / f"{self.name}.client.pem", made.sign(self.key, SHA256()), key.private)

    def _issued(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, use: ObjectIdentifier
    ) -> x509.CertificateBuilder:
        made = _built(subject, self.certificate.subject, key)
        made = made.add_extension(x509.BasicConstraints(False, None), critical=True)
        return made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)


def _built(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    at = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=1))
        .not_valid_after(at + timedelta(days=1))
    )


def _written(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Path:
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    path.chmod(0o600)
    return path
