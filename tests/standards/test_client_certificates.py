"""Clients with mutual TLS: they authenticate by a certificate, and their tokens are bound to it (RFC 8705)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.canonical import b64u
from ledger.documents import key_added
from tests.api.service import dpop_proof
from tests.keys import KeyPair
from tests.standards.certificates import certificate, told
from tests.standards.india import code_of, wrapped
from tests.standards.kit import Stage
from tests.standards.served import CODE, REDIRECT
from tests.standards.walk import DETAILS, VERIFIER, Walk, code_stage


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """See `code_stage`."""
    with code_stage(tmp_path_factory.mktemp("code-flow")) as running:
        yield running


# --- certificates ---------------------------------------------------------------------------------------------------


SHAPES: dict[str, dict[str, str]] = {
    "eIDAS (QWAC)": {
        "ORGANIZATION_IDENTIFIER": "PSDES-BDE-3DFD21",
        "ORGANIZATION_NAME": "App SL",
        "COUNTRY_NAME": "ES",
    },
    "OBWAC": {"ORGANIZATION_IDENTIFIER": "PSDGB-OB-Unknown0015800001HQQrZAAX", "COUNTRY_NAME": "GB"},
    "ICP-Brasil": {"BUSINESS_CATEGORY": "Private Organization", "SERIAL_NUMBER": "43142666000197", "USER_ID": "e4fd9a"},
}
"""What the schemes write into the subject; whose the key is, the log says."""


@pytest.mark.parametrize("how", ["pem", "rfc9440", "envoy"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_client_with_a_certificate_needs_no_other_signature(played: Stage, shape: str, how: str) -> None:
    """RFC 8705: it authenticates by its certificate, and its tokens are bound to it."""
    walk = Walk(played)
    key = _registered(played, f"tls-{len(played.service.node.ledger.registry.keys)}")
    read = certificate(key, **SHAPES[shape])
    headers = told(read, how)
    form = {**CODE, "client_id": "tpp-1", "authorization_details": DETAILS}
    pushed = played.service.http.post("/holders/bank-a/oauth/par", data=form, headers=headers)
    sent = walk.authorize(pushed)
    ticket = parse_qs(urlsplit(sent.headers["location"]).query)["request"][0]
    played.authorise(walk.grant)
    said = {
        "grant_type": "authorization_code",
        "code": walk.back(ticket)["code"],
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        "client_id": "tpp-1",
    }
    given = played.service.http.post("/token", data=said, headers=headers).json()
    assert given["token_type"] == "Bearer", given
    seen = walk.introspected(given["access_token"])
    assert seen["cnf"] == {"x5t#S256": b64u(sha256(read.public_bytes(Encoding.DER)).digest())}
    again = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"], "client_id": "tpp-1"}
    assert played.service.http.post("/token", data=again, headers=headers).status_code == 200


def _registered(played: Stage, kid: str) -> KeyPair:
    key = KeyPair.generate("ES256", kid)
    played.service.node.ledger.record_documents(key_added("tpp-1", kid, "ES256", "client", key.jwk))
    return key


def test_a_token_that_is_bound_to_a_certificate_opens_the_ledgers_routes_with_it_only(played: Stage) -> None:
    key = _registered(played, "tls-own")
    headers, http = told(certificate(key)), played.service.http
    form = {"grant_type": "client_credentials", "client_id": "tpp-1", "scope": "consents:read"}
    token = http.post("/token", data=form, headers=headers).json()["access_token"]
    bearer = {"authorization": f"Bearer {token}"}
    assert http.get("/consents", headers={**bearer, **headers}).status_code == 200
    other = told(certificate(_registered(played, "tls-other")))
    assert http.get("/consents", headers={**bearer, **other}).status_code == 401, "another certificate"
    assert http.get("/consents", headers=bearer).status_code == 401, "none"
    assert http.get("/consents", headers={**bearer, **told(certificate(key), secret="guessed")}).status_code == 401
    proof = {
        "authorization": f"DPoP {token}",
        "dpop": dpop_proof(key, "GET", f"{played.service.base_url}/consents", token=token),
    }
    assert http.get("/consents", headers=proof).status_code == 401, "it is bound to no DPoP key"
    http.post("/revoke", data={"client_id": "tpp-1", "token": token}, headers=headers)
    assert http.get("/consents", headers={**bearer, **headers}).status_code == 401, "it was given back"


def test_a_client_of_indias_official_file_shows_its_token_as_the_aggregators_key(played: Stage) -> None:
    """The file knows no `Authorization`; `client_api_key` and `fip_api_key` are where it has a client show itself."""
    key, http = _registered(played, "tls-fiu"), played.service.http
    certified = told(certificate(key))
    form = {"grant_type": "client_credentials", "client_id": "tpp-1", "scope": "consents:read"}
    token = http.post("/token", data=form, headers=certified).json()["access_token"]
    place, asked = "/holders/bank-a/aa/v2/Consent/handle", wrapped(ConsentHandle="nobody's")
    known = (400, "InvalidConsentHandle")  # who asks is known; the handle is not
    for said in ({"client_api_key": token}, {"client_api_key": token, "fip_api_key": ""}, {"fip_api_key": token}):
        answer = http.post(place, json=wrapped(ConsentHandle="nobody's"), headers={**certified, **said})
        assert code_of(answer) == known, (said, answer.text)
    for headers in (
        {"client_api_key": token},
        {"client_api_key": token, **told(certificate(_registered(played, "tls-no-fiu")))},
        {"client_api_key": "guessed", **certified},
        {"client_api_key": token, "authorization": "Bearer guessed", **certified},
    ):
        assert code_of(http.post(place, json=asked, headers=headers)) == (401, "Unauthorized"), headers
    assert http.get("/consents", headers={"client_api_key": token, **certified}).status_code == 401, "only there"


@pytest.mark.parametrize(
    "wrong", ["stranger's key", "another's key", "out of date", "no secret", "nonsense", "revoked"]
)
def test_a_certificate_that_is_not_the_clients_is_refused(played: Stage, wrong: str) -> None:
    key = _registered(played, f"tls-{wrong.replace(' ', '-').replace(chr(39), '')}")
    headers = told(certificate(key))
    client = "tpp-1"
    if wrong == "stranger's key":
        headers = told(certificate(KeyPair.generate("ES256")))
    elif wrong == "another's key":
        client = "tpp-2"
    elif wrong == "out of date":
        headers = told(certificate(key, days=-1))
    elif wrong == "no secret":
        del headers["proxy-secret"]
    elif wrong == "nonsense":
        headers["client-cert"] = "-----BEGIN CERTIFICATE-----%0Anonsense"
    else:
        said = {"type": "key.revoked", "v": 1, "participant": "tpp-1", "kid": key.kid, "reason": "lost"}
        played.service.node.ledger.record_documents(said)
    form = {"grant_type": "client_credentials", "client_id": client, "scope": "consents:read"}
    answer = played.service.http.post("/token", data=form, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text
