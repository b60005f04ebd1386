"""NextGenPSD2, with a client generated from the XS2A framework's own file: in the OAuth2 SCA approach, then by its certificate
alone. openFinance 2, whose official file is in nobody's hands here, by plain HTTP and the certificate."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.stock.scene import BANK, Scene, StockApp, expect, refuses_refresh

API: Final = "AccountInformationServiceAISApi"


def walk(scene: Scene) -> dict[str, int]:
    """The certificate's key is known to the operator: nobody registers here. What the log must hold of it."""
    with scene.app("berlin") as app:
        own = app.step("client_credentials", scope="consents:read consents:write")["access_token"]
        consent, published = _ask(app, own)
        at = app.metadata_at(published)["pushed_authorization_request_endpoint"]
        pushed = app.step("push", parameters={"redirect_uri": scene.ports.back, "scope": f"AIS:{consent}"}, at=at)
        tokens = app.step("redeem", back=scene.customer.agrees(pushed["address"], scene.ports.back))
        token = tokens["access_token"]
        shown = _at_the_ledger(app, own, "get_consent_status", consent_id=consent)
        expect((shown["status"], shown["said"]["consentStatus"]), (200, "valid"), shown)
        accounts = _at_the_bank(app, token, consent, "get_account_list")
        expect(accounts["status"], 200, accounts)
        ids = [one["resourceId"] for one in accounts["said"]["accounts"]]
        balances = [_balance(app, token, consent, one) for one in ids]
        expect(sorted(balances), ["1250.30", "8800.00"])
        ended = _at_the_ledger(app, own, "delete_consent", consent_id=consent)
        expect(ended["status"], 204, ended)
        shown = _at_the_ledger(app, own, "get_consent_status", consent_id=consent)
        expect(shown["said"]["consentStatus"], "terminatedByTpp", shown)
        expect(_at_the_bank(app, token, consent, "get_balances", account_id=ids[0])["status"], 401)
        expect(app.step("introspect", token=token)["active"], False)
        refuses_refresh(app, tokens["refresh_token"])
        _without_oauth(scene, app)
        _in_version_2(scene, app)
    return {"consent.request": 3, "consent.authorise": 3, "consent.terminate": 3, "allow": 6, "deny": 1}


def _without_oauth(scene: Scene, app: StockApp) -> None:
    """A whole life with nothing but the certificate of the connection."""
    consent, address = _ask(app, "", "scaRedirect")
    scene.customer.agrees(address, scene.ports.back)
    expect(_at_the_ledger(app, "", "get_consent_status", consent_id=consent)["said"]["consentStatus"], "valid")
    accounts = _at_the_bank(app, "", consent, "get_account_list")
    expect(accounts["status"], 200, accounts)
    ids = [one["resourceId"] for one in accounts["said"]["accounts"]]
    expect(sorted(_balance(app, "", consent, one) for one in ids), ["1250.30", "8800.00"])
    expect(_at_the_ledger(app, "", "delete_consent", consent_id=consent)["status"], 204)
    expect(_at_the_bank(app, "", consent, "get_balances", account_id=ids[0])["status"], 403)


def _in_version_2(scene: Scene, app: StockApp) -> None:
    place = f"/holders/{BANK}/v2/consents/account-access"
    asked = {
        "access": {"payments": [{"rights": ["accountDetails", "balances"]}]},
        "consentType": "aspspManaged",
        "recurringIndicator": True,
        "validTo": (datetime.now(UTC) + timedelta(days=90)).date().isoformat(),
        "frequencyPerDay": 4,
    }
    with scene.http(app.certificate) as http:
        http.headers.update({"X-Request-ID": str(uuid.uuid4()), "PSU-IP-Address": "192.0.2.7"})
        made = http.post(place, json=asked, headers={"Client-Redirect-URI": scene.ports.back})
        expect(made.status_code, 201, made.text)
        scene.customer.agrees(made.json()["_links"]["scaRedirect"]["href"], scene.ports.back)
        one = f"{place}/{made.json()['consentId']}"
        expect(http.get(f"{one}/status").json(), {"consentStatus": "valid"})
        expect(http.delete(one).status_code, 204)
        expect(http.get(f"{one}/status").json(), {"consentStatus": "terminatedByTpp"})


def _ask(app: StockApp, token: str, link: str = "scaOAuth") -> tuple[str, str]:
    """The consent's id, and where the link leads."""
    until = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
    answer = _at_the_ledger(
        app,
        token,
        "create_consent",
        model={"consents": "Consents"},
        body={
            "access": {"accounts": [], "balances": []},
            "recurringIndicator": True,
            "validUntil": until,
            "frequencyPerDay": 4,
            "combinedServiceIndicator": False,
        },
        psu_ip_address="192.0.2.7",
        tpp_redirect_uri=app.scene.ports.back,
    )
    expect(answer["status"], 201, answer)
    expect(answer["said"]["consentStatus"], "received", answer)
    return str(answer["said"]["consentId"]), str(answer["said"]["_links"][link]["href"])


def _at_the_ledger(app: StockApp, token: str, call: str, **said: Any) -> dict[str, Any]:
    more = {name: said.pop(name) for name in ("model", "body") if name in said}
    return app.generated("berlin").ask(
        host=f"{app.scene.ports.ledger_url}/holders/{BANK}",
        api=API,
        call=call,
        token=token,
        parameters={"x_request_id": str(uuid.uuid4()), **said},
        **more,
    )


def _at_the_bank(app: StockApp, token: str, consent: str, call: str, **said: Any) -> dict[str, Any]:
    return app.generated("berlin").ask(
        host=app.scene.ports.bank_url,
        api=API,
        call=call,
        token=token,
        parameters={"x_request_id": str(uuid.uuid4()), "consent_id": consent, "psu_ip_address": "192.0.2.7", **said},
    )


def _balance(app: StockApp, token: str, consent: str, account: str) -> str:
    answer = _at_the_bank(app, token, consent, "get_balances", account_id=account)
    expect(answer["status"], 200, answer)
    [balance] = answer["said"]["balances"]
    return str(balance["balanceAmount"]["amount"])
