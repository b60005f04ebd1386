"""UK Open Banking, with a client generated from the Account and Transaction API's own file."""

from __future__ import annotations

from typing import Any, Final

from tests.stock.scene import BANK, Scene, StockApp, expect, refuses_refresh

ASKED: Final = {"Data": {"Permissions": ["ReadAccountsBasic", "ReadBalances"]}, "Risk": {}}


def walk(scene: Scene) -> dict[str, int]:
    """Register, ask, authorise in a browser, read, end, and read once more; the numbers that the log must hold of it."""
    with scene.app("uk") as app:
        registered = app.registered()
        expect(registered["client_id"], app.participant)
        own = app.step("client_credentials", scope="accounts")["access_token"]
        consent = _ask(app, own)
        tokens = _authorised(app, consent)
        accounts = _accounts(app, tokens["access_token"])
        expect([len(one["AccountId"]) for one in accounts], [32, 32])
        balances = [_balance(app, tokens["access_token"], one["AccountId"]) for one in accounts]
        expect(sorted(balances), ["1250.30", "8800.00"])
        unasked = _read(app, tokens["access_token"], accounts[0]["AccountId"], what="transactions")
        expect((unasked["status"], unasked["said"]["reason"]), (403, "PERMISSION_MISSING"), unasked)
        again = app.step("refresh", token=tokens["refresh_token"])["access_token"]
        expect(_balance(app, again, accounts[0]["AccountId"]), balances[0])
        _end(app, own, consent)
        for token in (tokens["access_token"], again):
            expect(_read(app, token, accounts[0]["AccountId"])["status"], 401, "a token after the end")
            expect(app.step("introspect", token=token)["active"], False)
        refuses_refresh(app, tokens["refresh_token"])
    return {"consent.request": 1, "consent.authorise": 1, "consent.terminate": 1, "allow": 4, "deny": 1}


def _host(scene: Scene) -> str:
    return f"{scene.ports.ledger_url}/holders/{BANK}/open-banking/v4.0/aisp"


def _ask(app: StockApp, token: str) -> str:
    answer = app.generated("uk").ask(
        host=_host(app.scene),
        api="AccountAccessApi",
        call="create_account_access_consents",
        parameters={"authorization": f"Bearer {token}"},
        model={"ob_read_consent1": "OBReadConsent1"},
        body=ASKED,
    )
    expect(answer["status"], 201, answer)
    expect(answer["said"]["Data"]["Status"], "AWAU", answer)
    return str(answer["said"]["Data"]["ConsentId"])


def _authorised(app: StockApp, consent: str) -> dict[str, Any]:
    back = app.scene.ports.back
    wanted = {"id_token": {"openbanking_intent_id": {"value": consent, "essential": True}}}
    parameters = {"redirect_uri": back, "scope": "openid accounts", "claims": wanted}
    pushed = app.step("push", parameters=parameters, signed=True)
    return app.step("redeem", back=app.scene.customer.agrees(pushed["address"], back))


def _accounts(app: StockApp, token: str) -> list[dict[str, Any]]:
    answer = app.generated("uk").ask(
        host=f"{app.scene.ports.bank_url}/open-banking/v4.0/aisp",
        api="AccountsApi",
        call="get_accounts",
        parameters={"authorization": f"Bearer {token}"},
    )
    expect(answer["status"], 200, answer)
    return list(answer["said"]["Data"]["Account"])


def _read(app: StockApp, token: str, account: str, what: str = "balances") -> dict[str, Any]:
    return app.generated("uk").ask(
        host=f"{app.scene.ports.bank_url}/open-banking/v4.0/aisp",
        api=f"{what.title()}Api",
        call=f"get_accounts_account_id_{what}",
        parameters={"authorization": f"Bearer {token}", "account_id": account},
    )


def _balance(app: StockApp, token: str, account: str) -> str:
    answer = _read(app, token, account)
    expect(answer["status"], 200, answer)
    [balance] = answer["said"]["Data"]["Balance"]
    return str(balance["Amount"]["Amount"])


def _end(app: StockApp, token: str, consent: str) -> None:
    for call, status in (
        ("delete_account_access_consents_consent_id", 204),
        ("get_account_access_consents_consent_id", 400),
    ):
        answer = app.generated("uk").ask(
            host=_host(app.scene),
            api="AccountAccessApi",
            call=call,
            token="",
            parameters={"authorization": f"Bearer {token}", "consent_id": consent},
        )
        expect(answer["status"], status, answer)
