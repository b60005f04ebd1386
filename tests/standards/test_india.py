"""Account Aggregator: handle, artefact, notifications; valid by the official documents, codes of the specification."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.client.signing import LocalSigner
from api.office.gateway import delegate
from api.standards.detached import detached
from api.standards.dialects import DialectRefusal
from api.standards.india.requests import (
    FI_TYPES,
    NOT_UNDERSTOOD,
    ConsentMessage,
    FetchRequest,
    HandleRequest,
    NotificationRequest,
    parse_body,
    permissions_of,
    wish_of,
)
from api.standards.india.signatures import Rs256Signer
from ledger.canonical import b64u, unb64u
from ledger.catalogue import CATALOGUES
from ledger.documents import key_added
from ledger.errors import LedgerError
from tests.api.service import Service, TokenClient
from tests.keys import KeyPair
from tests.standards.india import WHERE, ask, code_of, detail_of, post, wrapped
from tests.standards.rs256 import verify_rs256
from tests.standards.served import authorise, bank_and_app, official, served
from tests.standards.validation import conforms

AGGREGATOR, FIP = "standards/india-aa/AA-*.yaml", "standards/india-aa/FIP-*.yaml"


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with served(sqlite_url, tmp_path / "state") as running:
        yield running


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return official(AGGREGATOR, "swagger")


def _is_error(answer: httpx2.Response, document: dict[str, Any], name: str) -> None:
    """An ErrorResponse with a code of the operation's own list.

    The official file narrows each list by `allOf` to one that lacks the very codes it adds, so that none of those could ever be
    sent; the lists are read one by one here (docs/standards/india.md, defects).
    """
    conforms(answer.json(), document, "#/definitions/ErrorResponse")
    assert answer.json()["errorCode"] in document["definitions"][name]["properties"]["errorCode"]["enum"]


@pytest.mark.conformance
def test_from_request_to_artefact_as_the_documents_say(service: Service, document: dict[str, Any]) -> None:
    bank, app = bank_and_app(service)
    client, fip = service.as_(app), service.as_(bank)
    request = wrapped(ConsentDetail=detail_of(service))
    conforms(request, document, "#/definitions/ConsentsRequestWrapper")
    answer = post(client, "/Consent", request)
    conforms(answer.json(), document, "#/definitions/ConsentsResponse")
    handle = answer.json()["ConsentHandle"]
    status = post(client, "/Consent/handle", wrapped(ConsentHandle=handle)).json()
    conforms(status, document, "#/definitions/ConsentHandleResponse")
    assert status["ConsentStatus"] == {"status": "PENDING"}
    assert code_of(post(client, "/Consent/fetch", wrapped(consentId=handle))) == (400, "InvalidConsentId")
    consent = authorise(service, bank, handle)
    status = post(client, "/Consent/handle", wrapped(ConsentHandle=handle)).json()
    assert status["ConsentStatus"] == {"status": "READY", "id": handle}
    for reader in (client, fip):
        artefact = post(reader, "/Consent/fetch", wrapped(consentId=handle)).json()
        conforms(artefact, document, "#/definitions/ConsentArtefact")
        detail = json.loads(unb64u(artefact["signedConsent"].split(".")[1]))
        conforms(detail, document, "#/definitions/SignedConsentDetail")
        assert detail["Accounts"][0]["linkRefNumber"] == consent.accounts[0]
        assert detail["DataFilter"] == request["ConsentDetail"]["DataFilter"]
        assert (detail["DataConsumer"]["id"], detail["DataProvider"]["id"]) == ("tpp-1", "bank-a")
        assert artefact["ConsentUse"]["count"] == 0
    service.world.record(app.access(consent, permissions=["ReadBalances"], purpose="101", accounts=[]))
    artefact = post(client, "/Consent/fetch", wrapped(consentId=handle)).json()
    assert artefact["ConsentUse"]["count"] == 1


@pytest.mark.conformance
def test_answers_are_signed_and_signatures_of_requests_are_checked(service: Service, document: dict[str, Any]) -> None:
    _, app = bank_and_app(service)
    client = service.as_(app)
    own = LocalSigner.generate("tpp-1-sign", "PS256")
    service.node.ledger.record_documents(key_added("tpp-1", own.kid, own.alg, "client", dict(own.jwk)))
    body = json.dumps(wrapped(ConsentDetail=detail_of(service))).encode()
    headers = {"content-type": "application/json", "x-jws-signature": detached(own, body)}
    answer = client.request("POST", WHERE + "/Consent", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    head, _, signature = answer.headers["x-jws-signature"].split(".")
    said = json.loads(unb64u(head))
    assert (said["alg"], said["b64"], said["crit"]) == ("RS256", False, ["b64"])
    verify_rs256(service, said["kid"], head.encode() + b"." + answer.content, unb64u(signature))
    other = LocalSigner.generate("nobody", "PS256")
    for wrong, code in (
        (detached(own, body + b" "), "SignatureDoesNotMatch"),
        (detached(other, body), "SignatureDoesNotMatch"),
        (detached(Rs256Signer(own), body + b" "), "SignatureDoesNotMatch"),
        ("a.b.c", "SignatureDoesNotMatch"),
        (b64u(b"{}") + "..", "SignatureDoesNotMatch"),
    ):
        answer = client.request("POST", WHERE + "/Consent", content=body, headers=headers | {"x-jws-signature": wrong})
        assert code_of(answer) == (400, code)
        _is_error(answer, document, "BadRequestConsent")


@pytest.mark.conformance
def test_pause_resume_and_revoke_are_told_by_notification(service: Service, document: dict[str, Any]) -> None:
    bank, app = bank_and_app(service)
    client, fip = service.as_(app), service.as_(bank)
    handle = ask(service, app)
    authorise(service, bank, handle)

    def tell(who: TokenClient, notifier: str, status: str) -> httpx2.Response:
        body = wrapped(
            Notifier={"type": "FIP" if who is fip else "FIU", "id": notifier},
            ConsentStatusNotification={"consentId": handle, "consentStatus": status},
        )
        conforms(body, document, "#/definitions/ConsentNotificationRequestWrapper")
        return post(who, "/Consent/Notification", body)

    def artefact() -> str:
        return str(post(client, "/Consent/fetch", wrapped(consentId=handle)).json()["status"])

    for status in ("PAUSED", "PAUSED", "ACTIVE"):
        answer = tell(fip, "bank-a", status)
        assert answer.status_code == 200, answer.text
        conforms(answer.json(), document, "#/definitions/NotificationResponse")
        assert artefact() == status
    assert code_of(tell(client, "tpp-1", "PAUSED")) == (400, "InvalidNotifier")
    assert code_of(tell(client, "bank-a", "REVOKED")) == (400, "InvalidNotifier")
    assert tell(client, "tpp-1", "REVOKED").status_code == 200
    assert artefact() == "REVOKED"
    assert code_of(tell(fip, "bank-a", "ACTIVE")) == (400, "InvalidRequest")


def test_strangers_learn_nothing(service: Service) -> None:
    _, app = bank_and_app(service)
    handle = ask(service, app)
    for stranger in (service.world.recipient("tpp-2"), service.world.holder("bank-b")):
        client = service.as_(stranger)
        assert code_of(post(client, "/Consent/handle", wrapped(ConsentHandle=handle))) == (400, "InvalidConsentHandle")
        assert code_of(post(client, "/Consent/fetch", wrapped(consentId=handle))) == (400, "InvalidConsentId")
        answer = post(
            client,
            "/Consent/Notification",
            wrapped(
                Notifier={"type": "FIU", "id": stranger.id},
                ConsentStatusNotification={"consentId": handle, "consentStatus": "REVOKED"},
            ),
        )
        assert code_of(answer) == (400, "InvalidRequest")
    assert service.http.post(WHERE + "/Consent", json={}).json()["errorCode"] == "Unauthorized"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "ends before it begins": ({"consentExpiry": "2020-01-01T00:00:00Z"}, "InvalidRequest"),
    "no offset": ({"consentExpiry": "2030-01-01T00:00:00"}, "InvalidRequest"),
    "window ends before it begins": (
        {"FIDataRange": {"from": "2026-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}},
        "InvalidRequest",
    ),
    "another consumer": ({"DataConsumer": {"id": "tpp-2", "type": "FIU"}}, "InvalidRequest"),
    "a type that is not a type": ({"fiTypes": ["GOLD"]}, "InvalidRequest"),
    "some other type": ({"fiTypes": ["OTHER"]}, "InvalidRequest"),
    "no purpose": ({"Purpose": {"code": ""}}, "InvalidConsentPurpose"),
    "no consent types": ({"consentTypes": []}, "InvalidRequest"),
    "a customer of no aggregator": ({"Customer": {"id": "9999999999"}}, "InvalidCustomerAddress"),
    "a purpose that is not ReBIT's": ({"Purpose": {"code": "199"}}, "InvalidConsentPurpose"),
    "a reference to another purpose": (
        {"Purpose": {"code": "101", "refUri": "https://api.rebit.org.in/aa/purpose/102.xml"}},
        "InvalidConsentPurpose",
    ),
    "a reference that is none": ({"Purpose": {"code": "101", "refUri": "101.xml"}}, "InvalidConsentPurpose"),
    "data that live no day": ({"DataLife": {"unit": "DAY", "value": 0}}, "InvalidRequest"),
    "no fetch": ({"Frequency": {"unit": "MONTH", "value": 0}}, "InvalidRequest"),
    "an amount that is none": (
        {"DataFilter": [{"type": "TRANSACTIONAMOUNT", "operator": ">", "value": "much"}]},
        "InvalidRequest",
    ),
    "a type of transaction that is none": (
        {"DataFilter": [{"type": "TRANSACTIONTYPE", "operator": "=", "value": "BOTH"}]},
        "InvalidRequest",
    ),
}


@pytest.mark.conformance
def test_a_refusal_has_the_specifications_code(service: Service, document: dict[str, Any]) -> None:
    _, app = bank_and_app(service)
    client = service.as_(app)
    size = service.size
    for kind, (members, code) in WRONG.items():
        answer = post(client, "/Consent", wrapped(ConsentDetail=detail_of(service, **members)))
        assert code_of(answer) == (400, code), (kind, answer.text)
        _is_error(answer, document, "BadRequestConsent")
        assert "user@aa" not in answer.text
    unknown = post(client, "/Consent", wrapped(ConsentDetail=detail_of(service)) | {"ver": "9.9.9"})
    assert code_of(unknown) == (404, "NoSuchVersion")
    _is_error(unknown, document, "NotFound")
    assert service.size == size
    body = wrapped(ConsentDetail=detail_of(service))
    assert post(client, "/Consent", body).status_code == 200
    again = post(client, "/Consent", body)
    assert code_of(again) == (409, "IdempotencyError")
    _is_error(again, document, "Conflict")
    assert again.json()["txnid"] == body["txnid"]


@pytest.mark.conformance
def test_an_artefact_of_another_aggregator_is_taken_in(service: Service) -> None:
    fip_document = official(FIP, "swagger")
    bank, _app = bank_and_app(service)
    aggregator = service.world.join("other-aa", "technology-provider")
    delegate(service.node.ledger, "tpp-1", aggregator.id, ("consent.request",))
    assert aggregator.client_key is not None
    detail = detail_of(service) | {"DataProvider": {"id": "bank-a", "type": "FIP"}, "Accounts": []}

    def artefact(key: KeyPair) -> dict[str, Any]:
        jws = key.jws({"kid": key.kid}, json.dumps(detail).encode())
        return {
            "ver": "2.0.0",
            "txnid": str(uuid.uuid4()),
            "consentId": str(uuid.uuid4()),
            "status": "ACTIVE",
            "createTimestamp": "2026-06-26T11:39:57.153Z",
            "signedConsent": jws,
            "ConsentUse": {"logUri": "x", "count": 0, "lastUseDateTime": "2026-06-26T11:39:57.153Z"},
        }

    made = artefact(aggregator.client_key)
    conforms(made, fip_document, "#/definitions/ConsentArtefactRequestWrapper")
    answer = post(service.as_(bank), "/fip/Consent", made)
    assert answer.status_code == 200, answer.text
    conforms(answer.json(), fip_document, "#/definitions/ConsentNotificationResponse")
    [(_, consent)] = service.node.ledger.records.consents("tpp-1")
    assert (consent.status.value, consent.terms.holder, consent.terms.standard) == ("AWAITING", "bank-a", "india-aa")
    forged = KeyPair.generate("ES256", aggregator.client_key.kid)
    stranger = service.world.join("third-aa", "technology-provider")
    assert stranger.client_key is not None
    assert code_of(post(service.as_(bank), "/fip/Consent", artefact(stranger.client_key))) == (
        400,
        "SignatureDoesNotMatch",
    )
    strange = artefact(forged)
    assert code_of(post(service.as_(bank), "/fip/Consent", strange)) == (400, "SignatureDoesNotMatch")
    authorise(service, bank, consent.consent_id)


def test_a_consent_made_natively_has_an_artefact(service: Service) -> None:
    bank, app = bank_and_app(service)
    native = service.world.active_consent(app, bank, separate_consents=["provision", "sensitive"])
    answer = post(service.as_(app), "/Consent/fetch", wrapped(consentId=native.consent_id))
    assert answer.json()["status"] == "ACTIVE"


def _example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """The example that a Swagger schema gives member by member."""
    if "$ref" in schema:
        return _example(document["definitions"][schema["$ref"].rsplit("/", 1)[1]], document)
    if "properties" in schema:
        return {name: _example(member, document) for name, member in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_example(schema["items"], document)]
    found = schema.get("example", schema.get("enum", [1])[0])
    return str(found) if schema.get("type") == "string" else found


@pytest.mark.conformance
def test_the_official_examples_are_understood(document: dict[str, Any]) -> None:
    for name, kind in (
        ("ConsentsRequestWrapper", ConsentMessage),
        ("ConsentHandleRequestWrapper", HandleRequest),
        ("ConsentFetchRequestWrapper", FetchRequest),
        ("ConsentNotificationRequestWrapper", NotificationRequest),
    ):
        example = _example(document["definitions"][name], document)
        if isinstance(example.get("timestamp"), str):
            example["timestamp"] = example["timestamp"].replace(" ", "T")
        conforms(example, document, f"#/definitions/{name}")
        parse_body(json.dumps(example).encode(), kind)


@pytest.mark.conformance
def test_every_kind_of_data_and_every_unit_is_understood_or_refused_by_name(document: dict[str, Any]) -> None:
    kinds = set(document["definitions"]["FITypes"]["items"]["enum"])
    assert kinds == FI_TYPES | NOT_UNDERSTOOD
    properties = document["definitions"]["ConsentsRequestWrapper"]["properties"]["ConsentDetail"]["properties"]
    example = _example(document["definitions"]["ConsentsRequestWrapper"], document)
    base = example["ConsentDetail"] | {"consentExpiry": "2030-12-06T11:39:57.153Z"}
    base["FIDataRange"] = {"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}
    variants = [{"fiTypes": [kind]} for kind in sorted(FI_TYPES)]
    for member in ("consentMode", "fetchType"):
        variants += [{member: value} for value in properties[member]["enum"]]
    for member in ("DataLife", "Frequency"):
        units = properties[member]["properties"]["unit"]["enum"]
        variants += [{member: {"unit": unit, "value": value}} for unit in units for value in (0, 1, 2.5, 1e9)]
    shape = properties["DataFilter"]["items"]["properties"]
    variants += [
        {"DataFilter": [{"type": kind, "operator": operator, "value": "1"}]}
        for kind in shape["type"]["enum"]
        for operator in shape["operator"]["enum"]
    ]
    for variant in variants:
        message = parse_body(json.dumps(example | {"ConsentDetail": base | variant}).encode(), ConsentMessage)
        wish = wish_of(message.ConsentDetail, now=1_800_000_000, version="2.1.0")
        assert set(wish.permissions) <= set(CATALOGUES[2].grades), variant
        assert wish.terms("bank-a", "tpp-1", b"{}", CATALOGUES[2]).standard == "india-aa"
    other = parse_body(json.dumps(example | {"ConsentDetail": base | {"fiTypes": ["OTHER"]}}).encode(), ConsentMessage)
    with pytest.raises(DialectRefusal):
        permissions_of(other.ConsentDetail)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 3000, b'{"ver":"2.1.0"}', b"\xff", b'{"ver":2}'])
def test_bodies_that_are_none_are_refused_in_the_specifications_words(body: bytes) -> None:
    with pytest.raises(LedgerError) as refused:
        parse_body(body, ConsentMessage)
    assert isinstance(refused.value, DialectRefusal)
    assert refused.value.code == "InvalidRequest"


def test_a_compact_artefact_verifies_under_the_gateways_key(service: Service) -> None:
    bank, app = bank_and_app(service)
    handle = ask(service, app)
    authorise(service, bank, handle)
    jws = post(service.as_(app), "/Consent/fetch", wrapped(consentId=handle)).json()["signedConsent"]
    signed, _, signature = jws.rpartition(".")
    kid = json.loads(unb64u(jws.split(".")[0]))["kid"]
    verify_rs256(service, kid, signed.encode(), unb64u(signature))
