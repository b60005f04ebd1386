"""One log, four more ways to ask: shown natively, ended natively and by the standards, audited by the independent verifier."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from api.office.gateway import HOLDER_ACTS, delegate
from api.standards.brazil.answers import brazil_time
from api.standards.india.requests import aa_time
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from tests.api.service import ASSERTION_TYPE, assertion
from tests.standards.kit import GATEWAY, Stage, stage
from tests.standards.served import CODE, HOLDERS_MORE, consent_of
from tests.verdicts import verdict
from tests.world import DAY

BRAZIL = "/open-banking/consents/v3/consents"


def _client_form(played: Stage, **form: str) -> dict[str, str]:
    app = played.recipients["tpp-1"]
    assert app.client_key is not None
    signed = assertion(app.client_key, app.id, played.service.base_url)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed} | form


def _brazil(played: Stage) -> str:
    """Asked for, agreed to, renewed by the gateway for the bank."""

    def call(method: str, path: str, **kwargs: Any) -> Any:
        headers = {
            "x-fapi-interaction-id": str(uuid.uuid4()),
            "x-fapi-customer-ip-address": "192.0.2.1",
            "x-customer-user-agent": "Browser",
        }
        return played.call(method, BRAZIL + path, headers=headers, **kwargs)

    now = played.world.clock.now() // 1000
    user = {"document": {"identification": "11111111111", "rel": "CPF"}}
    data = {
        "loggedUser": user,
        "permissions": ["ACCOUNTS_READ", "ACCOUNTS_BALANCES_READ", "RESOURCES_READ"],
        "expirationDateTime": brazil_time(now + 30 * DAY),
    }
    outward = call("POST", "", json={"data": data}).json()["data"]["consentId"]
    consent_id = str(outward).removeprefix("urn:consent-ledger:")
    played.authorise(consent_id)
    longer = {"loggedUser": user, "expirationDateTime": brazil_time(now + 90 * DAY)}
    renewed = call("POST", f"/{outward}/extends", json={"data": longer})
    assert renewed.status_code == 201, renewed.text
    return consent_id


def _india(played: Stage) -> str:
    """Asked for, agreed to, paused and resumed by the bank's notifications."""
    now = played.world.clock.now()

    def wrapped(**members: Any) -> dict[str, Any]:
        return {"ver": "2.1.0", "timestamp": aa_time(now), "txnid": str(uuid.uuid4())} | members

    detail = {
        "consentStart": aa_time(now),
        "consentExpiry": aa_time(now + 90 * DAY * 1000),
        "consentMode": "STORE",
        "fetchType": "PERIODIC",
        "consentTypes": ["SUMMARY", "TRANSACTIONS"],
        "fiTypes": ["DEPOSIT", "MUTUAL_FUNDS"],
        "DataConsumer": {"id": "tpp-1", "type": "FIU"},
        "Customer": {"id": "user@aa"},
        "Purpose": {"code": "102"},
        "FIDataRange": {"from": "2025-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"},
        "DataLife": {"unit": "MONTH", "value": 3},
        "Frequency": {"unit": "HOUR", "value": 1},
        "DataFilter": [{"type": "TRANSACTIONAMOUNT", "operator": ">", "value": "100"}],
    }
    handle = str(played.call("POST", "/aa/v2/Consent", json=wrapped(ConsentDetail=detail)).json()["ConsentHandle"])
    played.authorise(handle)
    bank = played.service.as_(played.banks["bank-a"])
    for status in ("PAUSED", "ACTIVE"):
        told = {"consentId": handle, "consentStatus": status}
        body = wrapped(Notifier={"type": "FIP", "id": "bank-a"}, ConsentStatusNotification=told)
        answer = bank.request("POST", "/holders/bank-a/aa/v2/Consent/Notification", json=body)
        assert answer.status_code == 200, answer.text
    return handle


def _australia(played: Stage) -> str:
    """Pushed and agreed to."""
    app, now = played.recipients["tpp-1"], played.world.clock.now() // 1000
    assert app.client_key is not None
    claims = {
        "iss": app.id,
        "client_id": app.id,
        "aud": played.service.base_url,
        "exp": now + 300,
        "nbf": now,
        **CODE,
        "scope": "openid bank:accounts.basic:read",
        "claims": {"sharing_duration": 90 * DAY},
    }
    request = app.client_key.jws({"kid": app.client_key.kid}, json.dumps(claims).encode())
    form = _client_form(played, request=request)
    arrangement = consent_of(played.service.http.post("/holders/bank-a/cdr/par", data=form))
    played.authorise(arrangement)
    return arrangement


def _oauth(played: Stage) -> str:
    """Pushed and agreed to."""
    details = json.dumps([{"type": "account_information", "actions": ["list_accounts", "read_balances"]}])
    form = _client_form(played, authorization_details=details)
    grant = str(played.service.http.post("/holders/bank-a/oauth/par", data=form).json()["grant_id"])
    played.authorise(grant)
    return grant


def test_four_more_ways_to_ask_lead_to_one_kind_of_consent_that_an_auditor_can_check(
    sqlite_url: str, tmp_path: Path
) -> None:
    with stage(sqlite_url, tmp_path / "state") as played:
        delegate(played.service.node.ledger, "bank-a", GATEWAY, (*HOLDER_ACTS, *HOLDERS_MORE))
        made = {
            "brazil-of": _brazil(played),
            "india-aa": _india(played),
            "au-cds": _australia(played),
            "oauth-rar": _oauth(played),
        }
        client = played.client()
        listed = {one["consent_id"]: one for one in client.get("/consents").json()["consents"]}
        assert {made[standard] for standard in made} == set(listed)
        assert {listed[made[standard]]["terms"]["standard"] for standard in made} == set(made)
        assert {one["status"] for one in listed.values()} == {"ACTIVE"}
        assert listed[made["brazil-of"]]["version"] == 2

        # each is decided on like any other: the renewed one too, with the separate consents that go on
        for consent_id in made.values():
            permission = next(name for name in listed[consent_id]["terms"]["permissions"] if name != "ReadInvestments")
            access = played.access(played.known(consent_id), permissions=[permission], accounts=[])
            assert access.outcome is not None
            assert access.outcome.decision == "allow", access.outcome  # type: ignore[union-attr]

        # ended by one standard, natively, and by another's words; told by each as its own
        headers = {"x-fapi-interaction-id": str(uuid.uuid4())}
        outward = f"urn:consent-ledger:{made['brazil-of']}"
        played.world.record(played.banks["bank-a"].step("revoke", played.known(made["brazil-of"])))
        read = played.call("GET", f"{BRAZIL}/{outward}", headers=headers).json()["data"]
        assert read["rejection"]["reason"]["code"] == "CUSTOMER_MANUALLY_REVOKED"
        form = _client_form(played, cdr_arrangement_id=made["au-cds"])
        assert played.service.http.post("/holders/bank-a/cdr/arrangements/revoke", data=form).status_code == 204
        assert client.request("DELETE", f"/grants/{made['oauth-rar']}").status_code == 204

        # both sides hold the same history, receipts included, of all that the gateway said
        bank = played.service.as_(played.banks["bank-a"])
        for consent_id in made.values():
            path = f"/consents/{consent_id}/history?limit=100"
            assert client.get(path).json() == bank.get(path).json()
            assert client.get(f"/consents/{consent_id}/receipt").status_code == 200

        audit = verdict(played.service.node.ledger, tmp_path / "bundle", "--jobs", "1", "--lang", "en")
        assert audit.returncode == 0, audit.stdout + audit.stderr
        said = audit.stdout
        assert "VALID" in said.upper()


def test_no_datum_of_the_customer_leaves_the_sealed_notes(sqlite_url: str, tmp_path: Path) -> None:
    with stage(sqlite_url, tmp_path / "state") as played:
        delegate(played.service.node.ledger, "bank-a", GATEWAY, (*HOLDER_ACTS, *HOLDERS_MORE))
        _brazil(played)
        _india(played)
        ledger = played.service.node.ledger
        folder = tmp_path / "bundle"
        export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(folder), disclose=Disclose.full())
        files = [path for path in folder.rglob("*") if path.is_file()]
        stored = [path for path in tmp_path.glob("*.sqlite*") if "keys" not in path.name]
        assert files
        assert stored
        for path in files + stored:
            data = path.read_bytes()
            for datum in (b"11111111111", b"user@aa", b"192.0.2.1"):
                assert datum not in data, path.name
