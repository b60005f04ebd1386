"""Consumer Data Right: request objects, arrangements revoked from both sides, metrics counted from the log."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from api.http.refusals import BadRequest
from api.standards.cdr.dialect import TITLES
from api.standards.cdr.requests import DAY, SCOPES, YEAR, parse_scopes, parse_sharing, scopes_of, wish_of
from api.standards.notices import OutwardNotices
from api.standards.served import STANDARDS
from api.standards.words import words
from api.tokens.jwt import read_jwt
from api.tokens.keys import PublicKey
from ledger.catalogue import CATALOGUES
from ledger.documents import activation
from ledger.queries.events import Notice
from tests.api.service import ASSERTION_TYPE, Service, assertion
from tests.conformance import files
from tests.standards.served import CODE, authorise, bank_and_app, consent_of, found, official, served
from tests.standards.validation import conforms, fits
from tests.world import Party

HERE = "/holders/bank-a/cdr"
ADMIN = "standards/au-cds/*/cds_admin.yaml"
INVALID = "urn:au-cds:error:cds-all:Authorisation/InvalidArrangement"


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with served(sqlite_url, tmp_path / "state") as running:
        yield running


def _authenticated(service: Service, party: Party, **form: str) -> dict[str, str]:
    assert party.client_key is not None
    said = {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(party.client_key, party.id, service.base_url),
    }
    return said | form


def _jwt(party: Party, claims: dict[str, Any]) -> str:
    assert party.client_key is not None
    return party.client_key.jws({"kid": party.client_key.kid, "typ": "JWT"}, json.dumps(claims).encode())


def _claims(service: Service, party: Party, *, duration: Any = 7_776_000, **claims: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": party.id,
        "client_id": party.id,
        "aud": service.base_url,
        "exp": now + 300,
        "nbf": now,
        **CODE,
        "scope": "openid profile bank:accounts.basic:read bank:transactions:read",
        "nonce": "n-0S6_WzA2Mj",
        "claims": {
            "sharing_duration": duration,
            "id_token": {"acr": {"essential": True, "values": ["urn:cds.au:cdr:3"]}},
        },
    } | claims


def _par(service: Service, party: Party, **claims: Any) -> httpx2.Response:
    form = _authenticated(service, party, request=_jwt(party, _claims(service, party, **claims)))
    return service.http.post(HERE + "/par", data=form)


def _arrangement(service: Service, bank: Party, app: Party, **claims: Any) -> str:
    answer = _par(service, app, **claims)
    assert answer.status_code == 201, answer.text
    arrangement = consent_of(answer)
    authorise(service, bank, arrangement)
    return str(arrangement)


def _revoke(service: Service, app: Party, arrangement: str) -> httpx2.Response:
    form = _authenticated(service, app, cdr_arrangement_id=arrangement)
    return service.http.post(HERE + "/arrangements/revoke", data=form)


def _is_error(answer: httpx2.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    conforms(answer.json(), official(ADMIN, "openapi"), "#/components/schemas/ResponseErrorListV2")
    assert [error["code"] for error in answer.json()["errors"]] == [code]


def test_a_pushed_request_becomes_an_arrangement(service: Service) -> None:
    bank, app = bank_and_app(service)
    answer = _par(service, app)
    assert answer.status_code == 201, answer.text
    assert 10 <= answer.json()["expires_in"] <= 90
    arrangement = consent_of(answer)
    consent = service.node.ledger.records.consent(app.id, arrangement)
    assert consent.terms.permissions == (
        "ReadAccountsBasic",
        "ReadBalances",
        "ReadPartyPSU",
        "ReadTransactionsCredits",
        "ReadTransactionsDebits",
        "ReadTransactionsDetail",
    )
    assert abs(consent.terms.expires_at - int(time.time()) - 7_776_000) < 60
    authorise(service, bank, arrangement)
    assert service.as_(app).get(f"/grants/{arrangement}").status_code == 200


def test_an_amendment_is_a_new_version_of_the_same_arrangement(service: Service) -> None:
    bank, app = bank_and_app(service)
    arrangement = _arrangement(service, bank, app)
    inner = {"sharing_duration": 86_400 * 30, "cdr_arrangement_id": arrangement}
    answer = _par(service, app, claims=inner)
    assert consent_of(answer) == arrangement
    before = service.node.ledger.records.consent(app.id, arrangement)
    assert (before.version, before.status.value) == (1, "ACTIVE"), "the old one goes on until the new one is authorised"
    authorise(service, bank, arrangement)
    assert service.node.ledger.records.consent(app.id, arrangement).version == 2
    stranger = service.world.recipient("tpp-2")
    for who in (stranger,):
        refused = _par(service, who, claims=inner)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request_object")


def test_request_objects_that_do_not_hold_are_refused_as_oauth_says(service: Service) -> None:
    _, app = bank_and_app(service)
    size = service.size
    for claims, error in (
        ({"aud": "https://elsewhere.example"}, "invalid_request_object"),
        ({"exp": 1}, "invalid_request_object"),
        ({"iss": "bank-a"}, "invalid_request_object"),
        ({"duration": -1}, "invalid_request_object"),
        ({"duration": "long"}, "invalid_request_object"),
        ({"scope": "bank:accounts.basic:read"}, "invalid_scope"),
        ({"scope": "openid energy:billing:read"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"claims": []}, "invalid_request_object"),
    ):
        answer = _par(service, app, **claims)
        assert (answer.status_code, answer.json()["error"]) == (400, error), claims
    answer = service.http.post(HERE + "/par", data={"request": "x"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert service.size == size


@pytest.mark.conformance
def test_a_recipient_revokes_at_the_holder_and_every_token_dies(service: Service) -> None:
    bank, app = bank_and_app(service)
    stranger = service.world.recipient("tpp-2")
    arrangement = _arrangement(service, bank, app)
    _is_error(_revoke(service, stranger, arrangement), 422, INVALID)
    _is_error(_revoke(service, app, str(uuid.uuid4())), 422, INVALID)
    assert _revoke(service, app, arrangement).status_code == 204
    again = _revoke(service, app, arrangement)
    _is_error(again, 422, INVALID)
    assert again.json()["errors"][0]["detail"] == arrangement
    assert again.json()["errors"][0]["title"] == "Invalid Consent Arrangement"
    assert service.as_(app).get(f"/grants/{arrangement}").status_code == 404
    missing = service.http.post(HERE + "/arrangements/revoke", data=_authenticated(service, app))
    _is_error(missing, 400, "urn:au-cds:error:cds-all:Field/Missing")


@pytest.mark.conformance
def test_a_holder_revokes_at_a_recipient_that_is_served_here(service: Service) -> None:
    bank, app = bank_and_app(service)
    other = service.world.holder("bank-b")
    path = f"/recipients/{app.id}/cdr/arrangements/revoke"
    arrangement = _arrangement(service, bank, app)

    def tell(
        who: Party, named: str = arrangement, form: dict[str, str] | None = None, **claims: Any
    ) -> httpx2.Response:
        now = int(time.time())
        said = {
            "cdr_arrangement_id": named,
            "iss": who.id,
            "sub": who.id,
            "aud": service.base_url + path,
            "iat": now,
            "exp": now + 200,
            "jti": str(uuid.uuid4()),
        } | claims
        return service.http.post(path, data={"cdr_arrangement_jwt": _jwt(who, said)} | (form or {}))

    _is_error(tell(other), 422, INVALID)
    assert tell(bank, aud="https://elsewhere.example").status_code == 401
    assert tell(bank, sub="bank-b").status_code == 401
    assert tell(bank, exp=1).status_code == 401
    _is_error(tell(bank, form={"cdr_arrangement_id": "other"}), 400, "urn:au-cds:error:cds-all:Field/Invalid")
    assert tell(bank, form={"cdr_arrangement_id": arrangement}).status_code == 204
    assert service.node.ledger.records.consent(app.id, arrangement).status.value == "REVOKED"
    _is_error(tell(bank), 422, INVALID)


def test_a_once_off_arrangement_collects_everything_once(service: Service) -> None:
    """Under ruleset 3: each resource of each account, within a window (docs/spec/ruleset-3.md, 5)."""
    ledger = service.node.ledger
    if ledger.registry.ruleset < 3:
        ledger.record_documents(activation(3))
    bank, app = bank_and_app(service)
    consent = ledger.records.consent(app.id, _arrangement(service, bank, app, duration=0))
    known = found(service, app, consent.consent_id)

    def collected() -> list[str]:
        wanted = ("ReadAccountsBasic", "ReadBalances", "ReadTransactionsDetail")
        asked = {"accounts": [], "purpose": consent.terms.purpose.code, "customer_present": True}
        told = [service.world.record(app.access(known, **asked, permissions=[one]))[0].outcome for one in wanted]
        return [outcome.decision for outcome in told]  # type: ignore[union-attr]

    assert (collected(), collected()) == (["allow"] * 3, ["deny"] * 3)


@pytest.mark.conformance
def test_metrics_are_counted_from_the_log_and_valid(service: Service) -> None:
    document = official(ADMIN, "openapi")
    bank, app = bank_and_app(service)
    regulator = service.world.join("regulator", "regulator")
    kept = _arrangement(service, bank, app)
    _revoke(service, app, _arrangement(service, bank, app))
    _arrangement(service, bank, app, duration=0)
    _par(service, app, claims={"sharing_duration": 5_000_000, "cdr_arrangement_id": kept})
    authorise(service, bank, kept)
    path = HERE + "/cds-au/v1/admin/metrics"
    for reader in (bank, regulator):
        answer = service.as_(reader).get(path, headers={"x-v": "5"})
        assert answer.status_code == 200, answer.text
        conforms(answer.json(), document, "#/components/schemas/ResponseMetricsListV5")
        said = answer.json()["data"]["authorisations"]
        assert said["activeAuthorisationCount"] == {"individual": 1, "nonIndividual": 0}
        today = {name: count["currentDay"] for name, count in said.items() if "currentDay" in count}
        assert today["newAuthorisationCount"]["ongoing"]["individual"] == 2
        assert today["newAuthorisationCount"]["onceOff"]["individual"] == 1
        assert today["revokedAuthorisationCount"]["individual"] == 1
        assert today["amendedAuthorisationCount"]["individual"] == 1
        assert (answer.json()["data"]["recipientCount"], answer.json()["data"]["customerCount"]) == (1, 2)
    service.world.active_consent(app, bank)
    with_native = service.as_(bank).get(path, headers={"x-v": "5"}).json()["data"]["authorisations"]
    assert with_native["activeAuthorisationCount"] == {"individual": 2, "nonIndividual": 0}
    assert with_native["newAuthorisationCount"]["currentDay"]["ongoing"]["individual"] == 3
    historic = service.as_(bank).get(path + "?period=HISTORIC", headers={"x-v": "6", "x-min-v": "4"}).json()
    conforms(historic, document, "#/components/schemas/ResponseMetricsListV5")
    assert "currentDay" not in historic["data"]["authorisations"]["revokedAuthorisationCount"]
    assert service.as_(service.world.holder("bank-b")).get(path, headers={"x-v": "5"}).status_code == 403
    for headers, status, code in (
        ({}, 400, "Header/Missing"),
        ({"x-v": "foo"}, 400, "Header/InvalidVersion"),
        ({"x-v": "0"}, 400, "Header/InvalidVersion"),
        ({"x-v": "4"}, 406, "Header/UnsupportedVersion"),
        ({"x-v": "9", "x-min-v": "6"}, 406, "Header/UnsupportedVersion"),
    ):
        _is_error(service.as_(bank).get(path, headers=headers), status, f"urn:au-cds:error:cds-all:{code}")


@pytest.mark.parametrize(
    ("asked", "once", "seconds"),
    [
        (None, True, DAY),
        (0, True, DAY),
        (0.0, True, DAY),
        (1, False, 1),
        (DAY, False, DAY),
        (YEAR, False, YEAR),
        (YEAR + 1, False, YEAR),
        (10**12, False, YEAR),
    ],
)
def test_durations_of_sharing_are_read_as_the_standard_says(asked: Any, once: bool, seconds: int) -> None:
    sharing = parse_sharing(asked)
    assert (sharing.once, sharing.seconds) == (once, seconds)


@pytest.mark.parametrize("asked", [-1, "7776000", True, [], {}])
def test_other_durations_fail(asked: Any) -> None:
    with pytest.raises(BadRequest):
        parse_sharing(asked)


@pytest.mark.conformance
def test_every_scope_of_banking_and_common_data_is_known() -> None:
    for path in files("standards/au-cds/*/scopes.md"):
        named = set(re.findall(r"`((?:bank|common):[a-z_.:]+|profile)`", path.read_text()))
        assert named == set(SCOPES)
    for scope, permissions in SCOPES.items():
        assert set(permissions) <= set(CATALOGUES[2].grades)
        assert scope in scopes_of(permissions)
    assert parse_scopes("openid profile profile") == ("profile",)


@pytest.mark.conformance
def test_the_official_request_objects_are_understood() -> None:
    texts = [path.read_text() for path in files("standards/au-cds/*/security/*.md")]
    blocks = [block for text in texts for block in re.findall(r"\{\n  \"iss\".*?\n\}", text, re.DOTALL)]
    found = [json.loads(block) for block in blocks if '"sharing_duration"' in block]
    assert found
    for claims in found:
        wish = wish_of(claims, now=1_700_000_000)
        assert wish.expires_at == 1_700_000_000 + claims["claims"]["sharing_duration"]


@pytest.mark.conformance
def test_codes_and_titles_are_those_of_the_standard() -> None:
    for path in files("standards/au-cds/*/errors.md"):
        rows = re.findall(r"`([^`]+)` \| <code>(urn:au-cds:error:[a-z-]+:)<br/>([A-Za-z/]+)</code>", path.read_text())
        official_titles = {place + name: title for title, place, name in rows}
        for code, title in TITLES.items():
            assert official_titles[code] == title
    said = words("cdr")
    sent = {one.code for one in (*said.problems.values(), *said.reasons.values())} - {""}
    assert sent <= official_titles.keys()
    assert said.reasons["PERMISSION_MISSING"].code.endswith("Authorisation/InvalidConsent")
    assert said.reasons["CONSENT_REVOKED"].code.endswith("Authorisation/RevokedConsent")


def _notice(act: str, standard: str = "au-cds") -> Notice:
    return Notice(
        index=7,
        seq=2,
        time=1,
        leaf_hash=bytes(32),
        act=act,
        consent_id=str(uuid.uuid4()),
        signer="bank-a",
        by="customer",
        reason="x",
        status="REVOKED",
        version=1,
        holder="bank-a",
        recipient="tpp-1",
        standard=standard,
        standard_version="1",
    )


def test_a_recipient_with_an_arrangement_endpoint_is_told_by_a_signed_jwt(service: Service) -> None:
    bank_and_app(service)
    assert service.node.office is not None
    gateway = service.node.office.gateway
    notices = OutwardNotices(STANDARDS, gateway)
    url = "https://adr.example.com/arrangements/revoke"
    assert notices.speaks_at(url)
    assert not notices.speaks_at("https://adr.example.com/events")
    notice = _notice("consent.revoke")
    message = notices.message(url, notice, "tpp-1")
    assert message is not None
    form = parse_qs(message.body.decode())
    key = service.node.ledger.registry.keys[gateway.messages.kid]
    [jwt] = form["cdr_arrangement_jwt"]
    claims = read_jwt(jwt, typ=frozenset({"jwt"}), members=frozenset({"kid"})).verified(
        PublicKey(key.alg, dict(key.jwk), key.verify)
    )
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("bank-a", "bank-a", url)
    assert claims["cdr_arrangement_id"] == form["cdr_arrangement_id"][0] == notice.consent_id
    assert {204, 422} <= message.acknowledged_by
    for act, participant, standard in (
        ("consent.authorise", "tpp-1", "au-cds"),
        ("consent.revoke", "bank-a", "au-cds"),
        ("consent.revoke", "tpp-1", "uk-ob"),
        ("consent.expire", "tpp-1", "au-cds"),
    ):
        assert notices.message(url, _notice(act, standard), participant) is None


@pytest.mark.conformance
def test_an_fiu_and_an_fip_are_told_by_the_specifications_notification(service: Service) -> None:
    bank_and_app(service)
    assert service.node.office is not None
    notices = OutwardNotices(STANDARDS, service.node.office.gateway)
    url = "https://fiu.example.com/v2/Consent/Notification"
    documents = [official(f"standards/india-aa/{name}-*.yaml", "swagger") for name in ("FIU", "FIP")]
    for act in ("consent.revoke", "consent.pause", "consent.resume", "consent.expire", "consent.reject"):
        for participant, document in zip(("tpp-1", "bank-a"), documents, strict=True):
            message = notices.message(url, _notice(act, "india-aa"), participant)
            if message is None:
                assert (act, participant) == ("consent.reject", "bank-a")
                continue
            conforms(json.loads(message.body), document, "#/definitions/ConsentNotificationRequestWrapper")
            assert dict(message.headers)["x-jws-signature"].count(".") == 2
    assert fits({}, documents[0], "#/definitions/ErrorResponse") is False
