"""Small things that production clients send, and read, exactly so."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from api.events.polling import Complaint, Poll
from api.http.refusals import BadRequest
from api.standards.brazil.dialect import BrazilDialect
from api.standards.cdr.requests import parse_sharing
from api.standards.receipts.dpv import CONTEXT
from api.standards.uk.signatures import HEADER, TAN
from tests.standards.berlin import asked as berlin_asked
from tests.standards.berlin import create
from tests.standards.india_cases import message, wanted
from tests.standards.kit import Stage, message_key
from tests.standards.uk import V4, asked, signature

BERLIN = {"x-request-id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8", "psu-ip-address": "192.168.8.78"}
USER = {"document": {"identification": "11111111111", "rel": "CPF"}}
BALANCES = ["ACCOUNTS_READ", "ACCOUNTS_BALANCES_READ", "RESOURCES_READ"]
ENGLISH = {"the", "is", "not", "must", "this", "of", "be"}


@pytest.mark.parametrize("said", ["True", "FALSE", "true"])
def test_a_boolean_header_may_be_written_in_capitals(played: Stage, said: str) -> None:
    assert create(played, headers={"tpp-redirect-preferred": said})


@pytest.mark.parametrize("said", [1.5, 86_400.0, True, -1, "60"])
def test_a_sharing_duration_is_a_whole_number(said: Any) -> None:
    with pytest.raises(BadRequest, match="sharing_duration"):
        parse_sharing(said)
    assert parse_sharing(86_400).seconds == 86_400


def test_a_receiver_complains_in_codes_of_its_own_standard() -> None:
    """The official example of the UK; what is acknowledged beside it counts."""
    poll = msgspec.json.decode(b'{"ack": ["a"], "setErrs": {"b": {"err": "jwtIss", "description": "?"}}}', type=Poll)
    assert poll.ack == ("a",)
    assert poll.set_errs == {"b": Complaint("jwtIss", "?")}


def test_the_uks_own_trust_anchor_is_taken(played: Stage) -> None:
    key = message_key(played.service, "tpp-2")
    body = json.dumps(asked()).encode()
    for anchor, status in (("openbanking.org.uk", 201), ("elsewhere.example", 400)):
        signed = signature(key, body, **{TAN: anchor, "http://openbanking.org.uk/iss": "tpp-2"})
        headers = {HEADER: signed, "content-type": "application/json"}
        answer = played.call("POST", V4, recipient="tpp-2", content=body, headers=headers)
        assert answer.status_code == status, answer.text


def test_brazil_is_refused_in_portuguese(played: Stage) -> None:
    place = "/open-banking/consents/v3/consents"
    interaction = {"x-fapi-interaction-id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8"}
    answers = [
        played.call("GET", f"{place}/urn:bank:1", headers=interaction),
        played.call("GET", f"{place}/urn:bank:1"),
        played.call("POST", place, json={}, headers=interaction),
        played.call("POST", place, content=b"x", headers=interaction | {"content-type": "text/plain"}),
        played.call("PATCH", place, headers=interaction),
        played.service.http.get(f"/holders/bank-a{place}/urn:bank:1", headers=interaction),
    ]
    for answer in answers:
        assert answer.status_code >= 400
        [error] = answer.json()["errors"]
        words = set(f"{error['title']} {error['detail'].split(':')[0]}".lower().replace(".", "").split())
        assert not words & ENGLISH, error
    assert BrazilDialect.place.match(f"/holders/bank-a{place}")


def test_a_receipt_names_things_and_not_texts_to_a_reader_of_linked_data() -> None:
    prefixes = {name for name, said in CONTEXT.items() if isinstance(said, str)}
    for name in ("dpv:hasPurpose", "dpv:hasPersonalData", "dpv:hasProcessing", "dpv:hasLegalBasis", "dpv:hasRecipient"):
        assert CONTEXT[name] == {"@type": "@id"}
        assert name.split(":")[0] in prefixes
    assert CONTEXT["dct:created"] == {"@type": "xsd:dateTime"}


FAR = ("2290-01-01T00:00:00Z", "9999-12-30T23:59:59Z")


@pytest.mark.parametrize("far", FAR)
def test_an_end_that_no_terms_can_name_is_refused_by_the_name_of_the_standards_own_field(
    played: Stage, far: str
) -> None:
    """And never by the name of a member of ours."""
    before = played.recorded
    uk = asked()
    uk["Data"]["ExpirationDateTime"] = far
    brazil = {"data": {"loggedUser": USER, "permissions": BALANCES, "expirationDateTime": far}}
    interaction = {"x-fapi-interaction-id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8"}
    india = message(ConsentDetail=wanted(consentExpiry=far))
    for path, body, headers, field, status in (
        (V4, uk, {}, "Data.ExpirationDateTime", 400),
        ("/v1/consents", berlin_asked(validUntil=far[:10]), BERLIN, "validUntil", 400),
        ("/open-banking/consents/v3/consents", brazil, interaction, "expirationDateTime", 422),
        ("/aa/v2/Consent", india, {}, "consentExpiry", 400),
    ):
        answer = played.call("POST", path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert field in answer.text
        assert "expires_at" not in answer.text
    assert played.recorded == before
