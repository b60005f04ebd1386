"""The Consumer Data Right, with clients generated from the files of registration (DCR) and of the banking APIs."""

from __future__ import annotations

from typing import Any, Final

from tests.standards.registers import request_of
from tests.stock.scene import BANK, Scene, StockApp, expect, refuses_refresh

SCOPES: Final = "openid bank:accounts.basic:read"
CLIENT: Final = {"x_v": "4", "x_min_v": "1", "x_fapi_auth_date": "Mon, 30 Nov 2026 12:00:00 GMT"}


def walk(scene: Scene) -> dict[str, int]:
    """It registers by the generated client, and asks with a signed request object. What the log must hold of it."""
    with scene.app("cdr") as app:
        _register(app)
        own = app.step("client_credentials", scope="cdr:registration")["access_token"]
        shown = _registration(app, "get_client_registration", own)
        expect((shown["status"], shown["said"]["redirect_uris"]), (200, [scene.ports.back]), shown)
        metadata = app.metadata_at(f"/holders/{BANK}/cdr/.well-known/openid-configuration")
        parameters = {
            "claims": {
                "sharing_duration": 7_776_000,
                "id_token": {"acr": {"essential": True, "values": ["urn:cds.au:cdr:2"]}},
            },
            "redirect_uri": scene.ports.back,
            "scope": SCOPES,
        }
        pushed = app.step(
            "push", parameters=parameters, signed=True, at=metadata["pushed_authorization_request_endpoint"]
        )
        tokens = app.step("redeem", back=scene.customer.agrees(pushed["address"], scene.ports.back))
        token, arrangement = tokens["access_token"], tokens["grant_id"]
        accounts = _at_the_bank(app, token, "BankingAccountsApi", "list_banking_accounts")
        expect(accounts["status"], 200, accounts)
        ids = [one["accountId"] for one in accounts["said"]["data"]["accounts"]]
        balances = [_balance(app, token, one) for one in ids]
        expect(sorted(balances), ["1250.30", "8800.00"])
        expect(app.step("introspect", token=tokens["refresh_token"])["cdr_arrangement_id"], arrangement)
        app.step("form", at=metadata["cdr_arrangement_revocation_endpoint"], form={"cdr_arrangement_id": arrangement})
        expect(_read(app, token, ids[0])["status"], 401)
        expect(app.step("introspect", token=tokens["refresh_token"])["active"], False)
        refuses_refresh(app, tokens["refresh_token"])
        expect(_registration(app, "delete_client_registration", own)["status"], 204)
        expect(_registration(app, "get_client_registration", own)["status"], 401)
    return {"consent.request": 1, "consent.authorise": 1, "consent.revoke": 1, "allow": 3, "key.revoked": 2}


def _register(app: StockApp) -> None:
    assert app.register is not None
    text = request_of(
        app.register,
        app.signing,
        app.scene.ports.ledger_url,
        redirect_uris=[app.scene.ports.back],
        response_types=["code"],
        statement=app.statement(),
    )
    answer = app.generated("cdr_dcr").ask(
        host=f"{app.scene.ports.ledger_url}/oauth",
        api="DataHolderClientRegistrationApi",
        call="post_client_registration",
        model={"body": ""},
        body=text,
    )
    expect((answer["status"], answer["said"].get("client_id")), (201, app.participant), answer)


def _registration(app: StockApp, call: str, token: str) -> dict[str, Any]:
    return app.generated("cdr_dcr").ask(
        host=f"{app.scene.ports.ledger_url}/oauth",
        api="DataHolderClientRegistrationApi",
        call=call,
        parameters={"client_id": app.participant, "authorization": f"Bearer {token}"},
    )


def _at_the_bank(app: StockApp, token: str, api: str, call: str, **said: str) -> dict[str, Any]:
    """The file names no `Authorization`, which its prose demands: the client sends it with every request."""
    return app.generated("cdr").ask(
        host=f"{app.scene.ports.bank_url}/cds-au/v1",
        api=api,
        call=call,
        headers={"Authorization": f"Bearer {token}"},
        parameters={**CLIENT, **said},
    )


def _read(app: StockApp, token: str, account: str) -> dict[str, Any]:
    return _at_the_bank(app, token, "BankingAccountBalancesApi", "get_banking_balance", account_id=account)


def _balance(app: StockApp, token: str, account: str) -> str:
    answer = _read(app, token, account)
    expect(answer["status"], 200, answer)
    return str(answer["said"]["data"]["currentBalance"])
