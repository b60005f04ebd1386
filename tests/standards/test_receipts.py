"""Receipts for people: valid by each standard's schema, true to the log, shown to the parties only."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.office.subject import read_contacts
from api.standards.receipts.categories import dpv_of
from api.standards.receipts.dpv import CONSENT_STATUS
from api.standards.receipts.forms import FORMS
from api.standards.words import words
from ledger.catalogue import LATEST
from ledger.errors import InvalidInput
from tests.api.service import Service, running_service
from tests.conformance import files

CONTACTS = {
    "bank-a": {
        "contact": "Data Protection Officer",
        "email": "dpo@bank.example",
        "phone": "+86-10-0000",
        "address": {"addressCountry": "CN", "addressLocality": "Beijing"},
        "jurisdiction": "CN",
    },
    "tpp-1": {"contact": "Help desk", "email": "help@app.example", "policy_url": "https://app.example/privacy"},
}
STEPS: list[tuple[str, ...]] = [(), ("authorise",), ("reject",)] + [
    ("authorise", step) for step in ("revoke", "pause", "suspend", "terminate")
]


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """The running service, told how its participants are reached."""
    contacts = tmp_path / "contacts.json"
    contacts.write_text(json.dumps(CONTACTS))
    with running_service(sqlite_url, tmp_path / "state", contacts_file=contacts) as running:
        yield running


def _lives(service: Service) -> Iterator[tuple[str, str, Any]]:
    """A consent for each way in which one can stand, and its receipts: (consent id, suffix, receipt)."""
    world = service.world
    bank, app = world.holder(), world.recipient()
    client = service.as_(app)
    for steps in STEPS:
        consent = world.requested_consent(app, bank)
        for step in steps:
            by = "customer" if step in ("revoke", "pause", "reject") else "holder"
            world.record(bank.authorise(consent) if step == "authorise" else bank.step(step, consent, by=by))
        for form in FORMS:
            answer = client.get(f"/consents/{consent.consent_id}/receipt.{form.suffix}")
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == form.media_type
            yield consent.consent_id, form.suffix, answer.json()


def _schema(named: str) -> Any:
    [path] = files("standards/own/*.schema.json", shape=lambda path: named in path.name)
    return json.loads(path.read_text())


def _words() -> set[str]:
    """Every term of the vocabulary, and of the examples of its guide, with prefix."""
    prefixes = {"https://w3id.org/dpv": "dpv", "https://w3id.org/dpv/pd": "pd"}
    known = set()
    for path in files("standards/w3c-dpv/*/*.csv"):
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            place, _, term = row["iri"].partition("#")
            known.add(f"{prefixes.get(place, place)}:{term}")
    for path in files("standards/w3c-dpv/examples-*/*.jsonld"):
        known |= set(re.findall(r'"((?:dpv|pd):[A-Za-z0-9-]+)"', path.read_text()))
    return known


@pytest.mark.conformance
def test_every_receipt_is_valid_whatever_happened_to_the_consent(service: Service) -> None:
    record, receipt = _schema("27560-consent-record"), _schema("27560-consent-receipt")
    kantara = _schema("kantara")
    words = _words()
    seen = set()
    for consent_id, suffix, made in _lives(service):
        seen.add(suffix)
        if suffix == "kantara.json":
            Draft202012Validator(kantara, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(made)
            assert made["consentId"] == consent_id
        elif suffix == "iso27560.json":
            Draft202012Validator(receipt).validate(made)
            for one in made["records"]:
                Draft202012Validator(record, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(one)
        else:
            used = set(re.findall(r'"((?:dpv|pd):[A-Za-z0-9-]+)"', json.dumps(made)))
            assert used - words == set()
            assert {"dpv:ConsentReceipt", "dpv:ConsentRecord", "dpv:hasConsentStatus"} <= used
    assert seen == {form.suffix for form in FORMS}


def test_a_withdrawal_by_the_customer_and_an_end_by_another_are_told_apart(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    client = service.as_(bank)
    said = {}
    for by in ("customer", "holder"):
        consent = world.active_consent(app, bank)
        world.record(bank.step("revoke", consent, by=by))
        receipt = client.get(f"/consents/{consent.consent_id}/receipt.jsonld").json()
        said[by] = receipt["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"][-1]["@type"]
    assert said == {"customer": ["dpv:ConsentWithdrawn"], "holder": ["dpv:ConsentRevoked"]}


def test_each_event_leads_to_its_provable_receipt(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    world.record(app.access(consent))
    world.record(bank.step("revoke", consent))
    client = service.as_(app)
    events = client.get(f"/consents/{consent.consent_id}/receipt").json()["records"][0]["events"]
    assert [event["event_state"] for event in events] == ["requested", "given", "withdrawn"]
    for event in events:
        path = event["proof"]["receipt"].removeprefix(service.base_url)
        leaf = json.loads(client.get(path).json()["leaf"])
        assert leaf["index"] == event["proof"]["index"]


def test_contacts_are_told_as_the_operator_wrote_them(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    said = service.as_(app).get(f"/consents/{consent.consent_id}/receipt.kantara.json").json()
    recipient, holder = said["piiControllers"]
    assert (holder["email"], holder["address"]["addressCountry"]) == ("dpo@bank.example", "CN")
    assert recipient["contact"] == "Help desk"
    assert said["policyUrl"] == "https://app.example/privacy"
    assert said["jurisdiction"] == "GB", "the standard's own country"


def test_the_media_type_chooses_and_strangers_find_nothing(service: Service) -> None:
    world = service.world
    bank, app, stranger = world.holder(), world.recipient(), world.recipient("tpp-2")
    consent = world.active_consent(app, bank)
    path = f"/consents/{consent.consent_id}/receipt"
    client = service.as_(app)
    for form in FORMS:
        answer = client.get(path, headers={"accept": f"{form.media_type}, */*"})
        assert answer.headers["content-type"] == form.media_type
    assert client.get(path, headers={"accept": "image/png"}).status_code == 406
    assert service.as_(stranger).get(path).status_code == 404
    assert service.http.get(path).status_code == 401


def test_no_receipt_names_another_recipient_or_the_customers_own_chain(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    for form in FORMS:
        text = service.as_(app).get(f"/consents/{consent.consent_id}/receipt.{form.suffix}").text
        assert consent.customer not in text
        assert consent.subject in text


def test_a_contacts_file_with_unknown_members_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contacts.json"
    path.write_text('{"bank-a":{"fax":"1"}}')
    with pytest.raises(InvalidInput, match="contacts"):
        read_contacts(path)
    assert read_contacts(None) == {}


def test_the_page_says_what_permissions_and_states_are_called() -> None:
    said = words("receipts")
    for term, permissions in said.permissions.items():
        assert {dpv_of([permission])[0] for permission in permissions} == {term}
    shared = {name for name, grade in LATEST.grades.items() if grade <= LATEST.max_grade}
    assert {name for permissions in said.permissions.values() for name in permissions} == shared
    assert {state: told["dpv-2.2"] for state, told in said.states.items()} == CONSENT_STATUS
