"""Open Finance Brasil, with clients generated from the files of the consents and the resources API."""

from __future__ import annotations

import uuid
from typing import Any, Final

from tests.stock.scene import BANK, Scene, StockApp, expect, refuses_refresh

PERMISSIONS: Final = ["ACCOUNTS_READ", "ACCOUNTS_BALANCES_READ", "RESOURCES_READ"]


def walk(scene: Scene) -> dict[str, int]:
    """It registers over its certificate with plain JSON, as the Brazilian profile has it. What the log must hold of it."""
    with scene.app("brazil") as app:
        metadata = {
            "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
            "redirect_uris": [scene.ports.back],
            "response_types": ["code"],
            "software_statement": app.statement(),
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_subject_dn": "UID=740c368f-ecf9-4d29-a2ea-0514a66b0cde,CN=ameixa.example",
        }
        expect(app.step("register", metadata=metadata)["client_id"], app.participant)
        own = app.step("client_credentials", scope="consents")["access_token"]
        consent = _ask(app, own)
        parameters = {"redirect_uri": scene.ports.back, "scope": f"openid consent:{consent}"}
        pushed = app.step("push", parameters=parameters)
        tokens = app.step("redeem", back=scene.customer.agrees(pushed["address"], scene.ports.back))
        token = tokens["access_token"]
        expect(_consent(app, own, "consents_get_consents_consent_id", consent)["said"]["data"]["status"], "AUTHORISED")
        read = _resources(app, token)
        expect(read["status"], 200, read)
        expect([one["status"] for one in read["said"]["data"]], ["AVAILABLE", "AVAILABLE"])
        ended = _consent(app, own, "consents_delete_consents_consent_id", consent)
        expect(ended["status"], 204, ended)
        said = _consent(app, own, "consents_get_consents_consent_id", consent)["said"]["data"]
        expect((said["status"], said["rejection"]["rejectedBy"]), ("REJECTED", "USER"), said)
        expect(_resources(app, token)["status"], 401)
        expect(app.step("introspect", token=token)["active"], False)
        refuses_refresh(app, tokens["refresh_token"])
    return {"consent.request": 1, "consent.authorise": 1, "consent.revoke": 1, "allow": 1}


def _ask(app: StockApp, token: str) -> str:
    """Without an end: generated clients write a date-time with «+00:00», which the file's own pattern refuses."""
    person = {"document": {"identification": "11111111111", "rel": "CPF"}}
    answer = app.generated("brazil").ask(
        host=_host(app),
        api="consents",
        call="consents_post_consents",
        token=token,
        parameters=_headers(token),
        model={"body": "CreateConsent"},
        body={"data": {"loggedUser": person, "permissions": PERMISSIONS}},
    )
    expect(answer["status"], 201, answer)
    expect(answer["said"]["data"]["status"], "AWAITING_AUTHORISATION", answer)
    return str(answer["said"]["data"]["consentId"])


def _host(app: StockApp) -> str:
    return f"{app.scene.ports.ledger_url}/holders/{BANK}/open-banking/consents/v3"


def _headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "x_fapi_interaction_id": str(uuid.uuid4())}


def _consent(app: StockApp, token: str, call: str, consent: str) -> dict[str, Any]:
    parameters = {**_headers(token), "consent_id": consent}
    return app.generated("brazil").ask(host=_host(app), api="consents", call=call, token=token, parameters=parameters)


def _resources(app: StockApp, token: str) -> dict[str, Any]:
    return app.generated("brazil_resources").ask(
        host=f"{app.scene.ports.bank_url}/open-banking/resources/v3",
        api="ResourcesApi",
        call="resources_get_resources",
        parameters=_headers(token),
    )
