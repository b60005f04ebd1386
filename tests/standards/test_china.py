"""China's interface: who signed what, when, once; bodies that nobody else reads; consents that the one engine decides."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from api.node.building import build_node
from api.office.configuration import HolderOptions, read_gateway_file, write_gateway_file
from api.office.gateway import make_sm4_key
from api.server.app import create_app
from api.standards.china.codes import MESSAGES, china_time
from api.standards.china.requests import ITEMS, grade_of
from api.standards.words import words
from ledger.canonical import unb64u
from ledger.documents import ParticipantSuspended, document_of
from ledger.errors import Conflict, InvalidInput
from tests.api.service import Service, serving
from tests.keys import KeyPair
from tests.ports import loopback
from tests.standards.china_app import PLACE, App, encrypted
from tests.standards.served import authorise, bank_and_app, found, served
from tests.world import World


@pytest.fixture
def service(engine_url: str, tmp_path: Path) -> Iterator[Service]:
    with served(engine_url, tmp_path / "state") as running:
        bank_and_app(running)
        yield running


@contextmanager
def again(before: Service) -> Iterator[Service]:
    """The same log, served once more with what its gateway's file says now."""
    listening = loopback()
    settings = before.node.settings.model_copy(update={"port": listening.getsockname()[1]})
    node = build_node(settings)
    with (
        serving(create_app(node), listening),
        httpx2.Client(base_url=settings.base_url, timeout=30, trust_env=False) as http,
    ):
        http.get("/health/live").raise_for_status()
        yield Service(node, settings.base_url, http)


def applied(**change: Any) -> dict[str, Any]:
    return {
        "request_no": "LS20261130-0001",
        "data_items": ["ACCT_LIST", "ACCT_BALANCE"],
        "purpose_code": "credit-assessment",
        "purpose": "贷款申请的信用评估",
        "valid_to": "20991231",
        "frequency_per_day": 4,
        "retention_days": 180,
    } | change


def refused(answer: httpx2.Response) -> tuple[int, str]:
    told = answer.json()
    assert told["message"] == MESSAGES[told["code"]]
    assert told["detail"]
    return answer.status_code, told["code"]


def test_an_app_with_an_sm2_key_lives_a_whole_life_of_a_consent(service: Service) -> None:
    app = App.registered(service)
    made = app.data("/consents/apply", applied())
    assert (made["state"], made["valid_to"], made["data_grade"]) == ("WAIT_AUTH", "20991231", 3)
    assert made["separate_consents"] == ["provision", "sensitive"], "PIPL art. 23 and 29"
    assert made["approve_at"].endswith(f"/my/approve?consent={made['consent_id']}")
    terms = found(service, service.world.parties["bank-a"], made["consent_id"]).terms
    assert (terms["language"], terms["utc_offset"], terms["standard"]) == ("zh-CN", 480, "jrt-0185")
    assert terms["purpose"]["text"] == "贷款申请的信用评估"
    authorise(service, service.world.parties["bank-a"], made["consent_id"])
    named = {"request_no": "LS2", "consent_id": made["consent_id"]}
    told = app.data("/consents/query", named)
    assert told["state"] == "EFFECTIVE"
    assert "approve_at" not in told
    assert [one["consent_id"] for one in app.data("/consents/list", {"request_no": "LS3"})["consents"]] == [
        made["consent_id"]
    ]
    ended = app.data("/consents/withdraw", named)
    assert (ended["state"], ended["ended_by"]) == ("WITHDRAWN", "customer")
    assert refused(app.post("/consents/withdraw", named)) == (409, "300002")


def test_the_signed_text_is_the_one_that_the_page_describes(service: Service) -> None:
    """Another program's way to the same bytes: members of the query sorted, headers in their order, the hash of the body."""
    app = App.registered(service)
    body = json.dumps({"request_no": "LS1"}).encode()
    path = "/catalogue/query?b=2&a=1"
    assert app.send(path, body, app.headers(path, body)).status_code == 200
    der = app.headers("/catalogue/query", body)
    raw = base64.b64decode(der["x-signature"])
    der["x-signature"] = base64.b64encode(
        encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    ).decode()
    assert app.send("/catalogue/query", body, der).status_code == 200, "ASN.1, as many libraries write it"


CHANGES: dict[str, tuple[Callable[[dict[str, str], bytes], tuple[dict[str, str], bytes]], tuple[int, str]]] = {
    "another body": (lambda head, body: (head, body.replace(b"LS1", b"LS9")), (401, "200002")),
    "another nonce": (lambda head, body: (head | {"x-nonce": "z" * 20}, body), (401, "200002")),
    "another moment": (lambda head, body: (head | {"x-timestamp": "20990101000000"}, body), (401, "200002")),
    "another app": (lambda head, body: (head | {"x-app-id": "bank-a"}, body), (401, "200001")),
    "no signature": (lambda head, body: ({k: v for k, v in head.items() if k != "x-signature"}, body), (401, "200001")),
    "no Base64": (lambda head, body: (head | {"x-signature": "*" * 88}, body), (401, "200002")),
    "no signature's bytes": (lambda head, body: (head | {"x-signature": "AAAA"}, body), (401, "200002")),
    "an unknown key": (lambda head, body: (head | {"x-key-id": "nobody-1"}, body), (401, "200001")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_request_that_was_changed_on_its_way_is_refused_and_spends_no_nonce(name: str, service: Service) -> None:
    app, (change, expected) = App.registered(service), CHANGES[name]
    body = json.dumps({"request_no": "LS1"}).encode()
    head = app.headers("/catalogue/query", body)
    changed, other = change(head, body)
    assert refused(app.send("/catalogue/query", other, changed)) == expected
    assert app.send("/catalogue/query", body, head).status_code == 200, "the honest one still goes through"


def test_a_request_counts_once_and_only_near_its_moment(service: Service) -> None:
    app = App.registered(service)
    body = json.dumps({"request_no": "LS1"}).encode()
    head = app.headers("/catalogue/query", body)
    assert app.send("/catalogue/query", body, head).status_code == 200
    assert refused(app.send("/catalogue/query", body, head)) == (401, "200004")
    assert service.node.office is not None
    now = service.node.office.now // 1000
    for away, expected in ((299, 200), (-299, 200)):
        assert (
            app.post("/catalogue/query", {"request_no": "LS1"}, **{"x-timestamp": china_time(now + away)}).status_code
            == expected
        )
    for away in (330, -330):
        late = app.post("/catalogue/query", {"request_no": "LS1"}, **{"x-timestamp": china_time(now + away)})
        assert refused(late) == (401, "200003")
    for wrong in ("2026-11-30", "20261330000000", "1790000000000"):
        assert refused(app.post("/catalogue/query", {"request_no": "LS1"}, **{"x-timestamp": wrong})) == (401, "200003")
    for wrong in ("short", "has a blank in it!!", "x" * 65):
        assert refused(app.post("/catalogue/query", {"request_no": "LS1"}, **{"x-nonce": wrong})) == (401, "200004")


@pytest.mark.parametrize(("alg", "use"), [("ES256", "client"), ("ES256", "statement")])
def test_only_an_sm2_key_identifies_an_app(alg: str, use: str, service: Service) -> None:
    app = App.registered(service, "another-key", alg, use)
    assert refused(app.post("/catalogue/query", {"request_no": "LS1"})) == (401, "200001")


def test_a_suspended_app_is_refused_from_the_next_entry_on(service: Service) -> None:
    app = App.registered(service)
    app.data("/catalogue/query", {"request_no": "LS1"})
    service.node.ledger.record_documents(
        document_of(ParticipantSuspended, participant="tpp-1", reason="non-compliance")
    )
    assert refused(app.post("/catalogue/query", {"request_no": "LS1"})) == (403, "200008")


def test_answers_are_signed_by_the_gateway_refusals_too(service: Service) -> None:
    app = App.registered(service)
    for answer in (
        app.post("/catalogue/query", {"request_no": "LS1"}),
        app.post("/consents/query", {"request_no": "LS1", "consent_id": "none"}),
        app.send("/consents/query", b"{}", {}),
    ):
        head, _, signature = answer.headers["x-jws-signature"].partition("..")
        said = json.loads(unb64u(head))
        key = service.node.ledger.registry.keys[said["kid"]]
        key.verify(head.encode() + b"." + answer.content, unb64u(signature))
        assert answer.headers["cache-control"] == "no-store"


def test_the_catalogue_tells_both_gradings_and_offers_nothing_that_is_never_shared(service: Service) -> None:
    rows = App.registered(service).data("/catalogue/query", {"request_no": "LS1"})["data_items"]
    told = {row["data_item"]: (row["data_grade"], row["information_class"]) for row in rows}
    assert told.keys() == ITEMS.keys()
    assert told["PRODUCT"] == (1, "")
    assert told["ACCT_BALANCE"] == (3, "C2")
    assert "C3" not in {information for _, information in told.values()}
    assert all(grade_of(item) <= 3 for item in told)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown data item": ({"data_items": ["FINGERPRINT"]}, "300003"),
    "no data item": ({"data_items": []}, "100001"),
    "an end that is past": ({"valid_to": "20200101"}, "300005"),
    "no day of the calendar": ({"valid_to": "20270230"}, "300005"),
    "a day in another spelling": ({"valid_to": "2027-1-1"}, "300005"),
    "full-width digits": ({"valid_to": "２０２７１２３１"}, "300005"),
    "history backwards": ({"history_from": "20260301", "history_to": "20260101"}, "300005"),
    "an unknown member": ({"customer_name": "张三"}, "100001"),
    "a number for a text": ({"purpose": 1}, "100001"),
    "no request number": ({"request_no": ""}, "100001"),
    "a country twice": (
        {"cross_border": [{"country": "SG", "mechanism": "standard-contract", "receiver": "甲", "contact": "a"}] * 2},
        "300008",
    ),
    "abroad at home": (
        {"cross_border": [{"country": "CN", "mechanism": "standard-contract", "receiver": "甲", "contact": "a"}]},
        "300008",
    ),
    "no receiver": (
        {"cross_border": [{"country": "SG", "mechanism": "standard-contract", "receiver": "", "contact": "a"}]},
        "100001",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_application_that_cannot_be_granted_is_refused_by_name_and_recorded_nowhere(
    name: str, service: Service
) -> None:
    change, code = WRONG[name]
    app = App.registered(service)
    assert refused(app.post("/consents/apply", applied(**change))) == (400, code)
    assert app.data("/consents/list", {"request_no": "LS1"})["consents"] == []


def test_a_name_twice_in_one_object_has_no_meaning(service: Service) -> None:
    app = App.registered(service)
    body = (
        json.dumps(applied())
        .replace('"frequency_per_day": 4', '"frequency_per_day": 4, "frequency_per_day": 400')
        .encode()
    )
    assert refused(app.send("/consents/apply", body, app.headers("/consents/apply", body))) == (400, "100001")


def test_data_that_goes_abroad_needs_its_own_consent_and_stays_in_the_countries_named(service: Service) -> None:
    app = App.registered(service)
    receiver = {
        "country": "SG",
        "mechanism": "standard-contract",
        "receiver": "新加坡信用有限公司",
        "contact": "dpo@example.sg",
    }
    made = app.data("/consents/apply", applied(cross_border=[receiver], assessment_no="PIA-2026-17"))
    assert made["separate_consents"] == ["cross-border", "provision", "sensitive"]
    assert made["cross_border"] == [{"country": "SG", "mechanism": "standard-contract"}]
    assert made["assessment_no"] == "PIA-2026-17"
    consent = authorise(service, service.world.parties["bank-a"], made["consent_id"])
    party = service.world.parties["tpp-1"]
    decided = {}
    for region in ("SG", "US"):
        [recorded] = service.world.record(party.access(consent, purpose="credit-assessment", region=region))
        decided[region] = (recorded.outcome.decision, [str(reason) for reason in recorded.outcome.reasons])
    assert decided == {"SG": ("allow", []), "US": ("deny", ["REGION_NOT_CONSENTED"])}
    assert "新加坡" not in json.dumps(consent.terms, ensure_ascii=False), "receivers stand in the sealed note only"


def test_an_access_signed_with_sm2_is_decided_as_any_other(service: Service) -> None:
    app = App.registered(service)
    made = app.data("/consents/apply", applied())
    consent = authorise(service, service.world.parties["bank-a"], made["consent_id"])
    key = KeyPair.generate("SM2", "tpp-1-statements-sm2")
    service.node.ledger.record_documents(World.key_added("tpp-1", key, "statement"))
    party = replace(service.world.parties["tpp-1"], key=key)
    [recorded] = service.world.record(party.access(consent, purpose="credit-assessment"))
    assert recorded.outcome.decision == "allow"


def test_a_body_under_the_shared_key_is_read_by_nobody_else_and_answered_alike(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path / "state") as first:
        path = first.node.settings.gateway_file
    key_file = make_sm4_key(path, "tpp-1")
    assert key_file.stat().st_mode & 0o077 == 0
    with pytest.raises(Conflict, match="SM4 key already"):
        make_sm4_key(path, "tpp-1")
    file = read_gateway_file(path)
    write_gateway_file(
        path, msgspec.structs.replace(file, holders={"bank-a": HolderOptions(options={"china_encryption": "required"})})
    )
    key = bytes.fromhex(key_file.read_text())
    with again(first) as service:
        bank_and_app(service)
        app = App.registered(service)
        assert refused(app.post("/consents/apply", applied())) == (400, "200006")
        app.sm4 = key
        made = app.data("/consents/apply", applied())
        assert made["state"] == "WAIT_AUTH"
        place = f"POST {PLACE}/consents/apply"
        for body in (
            encrypted(b"{}", bytes(16), place),
            encrypted(json.dumps(applied()).encode(), key, f"POST {PLACE}/consents/withdraw"),
            b'{"encrypted":{"alg":"SM4-ECB","iv":"","data":"","tag":""}}',
            b'{"encrypted":7}',
        ):
            assert refused(app.send("/consents/apply", body, app.headers("/consents/apply", body))) == (400, "200005")
    key_file.chmod(0o644)
    with pytest.raises(InvalidInput, match="open to others"):
        build_node(first.node.settings)
    key_file.chmod(0o600)
    key_file.write_text("zz")
    with pytest.raises(InvalidInput, match="not an SM4 key"):
        build_node(first.node.settings)


def test_a_node_without_a_shared_key_says_so(service: Service) -> None:
    app = App.registered(service)
    app.sm4 = bytes(16)
    assert refused(app.post("/catalogue/query", {"request_no": "LS1"})) == (400, "200005")


def test_two_banks_do_not_show_each_others_consents(service: Service) -> None:
    app = App.registered(service)
    made = app.data("/consents/apply", applied())
    service.world.holder("bank-b")
    body = json.dumps({"request_no": "LS1", "consent_id": made["consent_id"]}).encode()
    head = app.headers("/consents/query", body)
    other = service.http.post(
        "/holders/bank-b/jrt/v1/consents/query", content=body, headers=head | {"content-type": "application/json"}
    )
    assert refused(other) == (401, "200002"), "the path is signed"


def test_every_code_has_a_message_and_every_word_a_code() -> None:
    said = words("china")
    codes = {one.code for one in (*said.problems.values(), *said.reasons.values())}
    assert codes <= MESSAGES.keys()
    assert said.tables[2].rows == {code: f"works: {message}" for code, message in MESSAGES.items()}
