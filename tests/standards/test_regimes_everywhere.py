"""Three regimes, one log: each consent is shown and ended through another, and an auditor who knows none of them agrees."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from api.office.gateway import HOLDER_ACTS, delegate
from tests.standards.berlin import NEXT_YEAR
from tests.standards.kit import GATEWAY, stage
from tests.standards.served import HOLDERS_MORE
from tests.verdicts import audited

FDX: dict[str, Any] = {
    "durationType": "TIME_BOUND",
    "resources": [{"resourceType": "ACCOUNT", "dataClusters": ["ACCOUNT_DETAILED"]}],
    "authorizationDisclosure": {
        "productOrService": "A budget",
        "certified": True,
        "revocationMethod": "In the app",
        "purposeCode": "budgeting",
    },
}
PSR = {
    "purpose": {"code": "budgeting", "text": "A budget"},
    "dataCategories": ["account-details", "balances"],
    "validTo": NEXT_YEAR,
}
TWO = {
    "access": {"payments": [{"rights": ["accountDetails", "balances"]}]},
    "consentType": "aspspManaged",
    "recurringIndicator": True,
    "validTo": NEXT_YEAR,
    "frequencyPerDay": 4,
}


def test_each_regimes_consent_is_shown_and_ended_through_another_and_audited(tmp_path: Path) -> None:
    with stage(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "state") as played:
        ledger = played.service.node.ledger
        delegate(ledger, "bank-a", GATEWAY, (*HOLDER_ACTS, *HOLDERS_MORE))
        berlin = {"x-request-id": str(uuid.uuid4()), "psu-ip-address": "192.0.2.7"}
        psr = played.call("POST", "/psr/v1/permissions", json=PSR).json()["permissionId"]
        fdx = played.call("POST", "/fdx/v6/consents", json=FDX).json()["id"]
        two = played.call("POST", "/v2/consents/account-access", json=TWO, headers=berlin).json()["consentId"]
        consents = {one: played.authorise(one) for one in (psr, fdx, two)}
        for consent in consents.values():
            assert played.access(consent).outcome.decision == "allow"  # type: ignore[union-attr]

        for one in consents:  # all three, in the words of each
            told = played.call("GET", f"/psr/v1/permissions/{one}").json()
            assert told["dataCategories"] == ["account-details", "balances"]
            resources = played.call("GET", f"/fdx/v6/consents/{one}").json()["resources"]
            assert {"ACCOUNT_DETAILED"} <= set(resources[0]["dataClusters"])
            shown = played.call("GET", f"/v2/consents/account-access/{one}", headers=berlin).json()
            assert shown["access"]["payments"] == [{"rights": ["accountDetails", "balances"]}]

        bank = played.service.as_(played.banks["bank-a"])  # and each ended in another's
        said = {"customer": consents[fdx].customer}
        ended = bank.request("POST", f"/holders/bank-a/psr/v1/permissions/{fdx}/withdraw", json=said)
        assert ended.json()["status"] == "withdrawn"
        her = {"reason": "USER_ACTION", "initiator": "INDIVIDUAL"}
        assert played.call("PUT", f"/fdx/v6/consents/{two}/revocation", json=her).status_code == 204
        assert played.call("DELETE", f"/v2/consents/account-access/{psr}", headers=berlin).status_code == 204
        status = f"/v2/consents/account-access/{two}/status"
        assert played.call("GET", status, headers=berlin).json() == {"consentStatus": "revokedByPsu"}
        reasons = {one: played.access(consent).outcome.reasons for one, consent in consents.items()}  # type: ignore[union-attr]
        assert reasons == {
            fdx: ("CONSENT_REVOKED",),
            two: ("CONSENT_REVOKED",),
            psr: ("CONSENT_TERMINATED",),
        }
        audit = audited(ledger, tmp_path / "bundle")
        assert audit.verdict.name == "VALID", audit
