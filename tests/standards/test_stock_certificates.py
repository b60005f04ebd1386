"""Certificates that scripts/test-standards comes with have the shapes of the ecosystems, and the ledger reads their keys."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509

from api.tokens.certificates import read_certificate
from tests.keys import KeyPair
from tests.stock.authorities import SUBJECTS, Authority


@pytest.mark.parametrize("scheme", SUBJECTS)
def test_a_members_certificate_is_of_its_authority_and_of_its_key(scheme: str, tmp_path: Path) -> None:
    authority, key = Authority.new("an-authority"), KeyPair.generate("PS256", "member-transport")
    certificate, end, _ = authority.client(scheme, key, tmp_path).read_text().partition("-----END CERTIFICATE-----")
    pem = f"{certificate}{end}\n"
    issued = x509.load_pem_x509_certificate(pem.encode())
    issued.verify_directly_issued_by(authority.certificate)
    assert read_certificate(quote(pem, safe=""), time.time()).jwk == key.jwk
    assert {one.oid: one.value for one in issued.subject} == SUBJECTS[scheme]
    psd2 = [one.value.public_bytes() for one in issued.extensions if one.oid.dotted_string == "1.3.6.1.5.5.7.1.3"]
    assert [b"PSP_AI" in one for one in psd2] == ([True] if scheme == "berlin" else []), "ETSI TS 119 495"
