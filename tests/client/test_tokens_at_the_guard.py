"""Recipients that sign no statements: a token bound to a consent and to a key, and what must not go out against one."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from api.client import Directory, Pseudonyms
from api.guard import BoundToken, ConsentGuard, LedgerTokens, TokenWay
from api.guard.bound import read_introspection
from api.guard.sidecar import ACCESS_HEADER, GuardedRoute, Sidecar, sidecar_app
from api.guard.sidecar_command import build, read_config
from ledger.canonical import b64u, unb64u
from ledger.errors import InvalidInput
from tests.client.bank import Book, reason, receipt_in
from tests.client.service import Service, active_consent, running_service
from tests.client.token_scene import BANK, Issued, Scene, play
from tests.clocks import ClockAhead
from tests.keys import KeyPair

CERTIFICATE = b"pretended DER of a certificate"


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("tokens")
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    if request.param == "postgresql":
        server, name = request.getfixturevalue("postgres_server"), f"tokens_{uuid.uuid4().hex}"
        with server.connect() as admin:
            admin.execute(f"CREATE DATABASE {name}")
        url = server.url(name)
    with running_service(url, folder) as running:
        yield running


# -- what goes out ----------------------------------------------------------------------------------------------------


def test_a_token_of_the_ledgers_own_lets_data_out_and_the_bank_signs_the_access(service: Service) -> None:
    async def story(scene: Scene) -> None:
        headers = scene.headers(scene.token()) | {"x-fapi-customer-ip-address": "192.0.2.1"}
        answer = await scene.get(headers)
        assert (answer.status_code, answer.json()) == (200, {"account": "account-1", "present": True})
        receipt = receipt_in(answer, service)
        assert (receipt.allowed, receipt.payload.iss, receipt.payload.relayed) == (True, "bank-a", True)  # type: ignore[union-attr]
        assert receipt.item is not None
        assert (receipt.item.accounts, receipt.item.purpose) == ((scene.account,), "budgeting")
        # The recipient sees it in its own history.
        history = await scene.app.history(scene.consent_id)
        assert history[-1].index == receipt.index

    play(service, story)


def test_obligations_are_those_of_any_other_access(service: Service) -> None:
    async def story(scene: Scene) -> None:
        answer = await scene.get(scene.headers(scene.token(), "transactions"), "transactions")
        assert answer.json() == [{"booked": 100, "direction": "credit", "card": "************1234"}]
        assert receipt_in(answer, service).item.customer_present is False  # type: ignore[union-attr]

    play(service, story, history_from=60, history_to=250)


def test_the_commit_that_ends_the_consent_ends_the_token(service: Service) -> None:
    async def story(scene: Scene) -> None:
        token = scene.token()
        assert (await scene.get(scene.headers(token))).status_code == 200
        await scene.app.revoke(scene.consent_id)
        assert reason(await scene.get(scene.headers(token))) == (401, "TOKEN_INVALID")

    play(service, story)


def test_a_standards_own_header_brings_the_token_where_the_bank_says_so(service: Service) -> None:
    async def story(scene: Scene) -> None:
        headers = scene.headers(scene.token())
        token = headers.pop("authorization").removeprefix("DPoP ")
        assert (await scene.get({**headers, "client_api_key": token})).status_code == 200
        assert (await scene.get({**headers, "client_api_key": token})).status_code == 409, "a proof is good once"
        assert reason(await scene.get({"client_api_key": token})) == (401, "TOKEN_BINDING_MISMATCH")
        assert reason(await scene.get({"client_api_key": token, "authorization": "Basic x"})) == (401, "TOKEN_MISSING")

    async def elsewhere(scene: Scene) -> None:
        headers = scene.headers(scene.token())
        token = headers.pop("authorization").removeprefix("DPoP ")
        assert reason(await scene.get({**headers, "client_api_key": token})) == (401, "HEADER_MISSING")

    play(service, story, key_header="client_api_key")
    play(service, elsewhere)


def test_of_a_server_that_has_not_heard_of_the_end_the_log_still_denies_and_records_it(service: Service) -> None:
    async def story(scene: Scene) -> None:
        token = scene.own("t", cnf={"jkt": scene.key.thumbprint})
        assert (await scene.get(scene.headers(token))).status_code == 200
        await scene.app.revoke(scene.consent_id)
        answer = await scene.get(scene.headers(token))
        assert reason(answer) == (403, "CONSENT_REVOKED")
        assert not receipt_in(answer, service).allowed

    play(service, story, own=True)


@pytest.mark.parametrize("told", ["nginx", "envoy"])
def test_a_token_bound_to_a_certificate_needs_that_certificate(service: Service, told: str) -> None:
    def header(der: bytes) -> dict[str, str]:
        if told == "envoy":
            return {"x-told-certificate": f'By=spiffe://bank;Hash={sha256(der).hexdigest()};Subject="CN=app-1"'}
        lines = base64.encodebytes(der).decode()
        return {"x-told-certificate": quote(f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")}

    async def story(scene: Scene) -> None:
        token = scene.own("t", cnf={"x5t#S256": b64u(sha256(CERTIFICATE).digest())})
        bearer = {"authorization": f"Bearer {token}"}
        assert (await scene.get(bearer | header(CERTIFICATE))).status_code == 200
        before = len(await scene.recorded())
        for wrong in ({}, header(b"another"), {"x-told-certificate": "Hash=00"}, {"x-told-certificate": "x"}):
            answer = await scene.get(bearer | wrong)
            assert reason(answer) == (401, "TOKEN_BINDING_MISMATCH")
            assert answer.headers["www-authenticate"] == 'DPoP error="invalid_token"'
        denied = (await scene.recorded())[before:]
        assert [one.decision.asserted for one in denied] == [("TOKEN_BINDING_MISMATCH",)] * 4, "each is on record"

    play(service, story, own=True, certificate="X-Told-Certificate")


# -- what does not ----------------------------------------------------------------------------------------------------


def test_a_stolen_token_opens_nothing_and_each_try_is_on_record(service: Service) -> None:
    async def story(scene: Scene) -> None:
        token, thief = scene.token(), KeyPair.generate("ES256")
        old = int(time.time()) - 120
        tries = [
            scene.headers(token, key=thief),
            scene.headers(token, method="POST"),
            scene.headers(token, htu=f"https://other.example{scene.path()}"),
            scene.headers(token, htu=f"{BANK}/accounts/other/balances"),
            scene.headers(token, iat=old),
            scene.headers(token, iat=int(time.time()) + 60),
            scene.headers(token, ath=b64u(sha256(b"another").digest())),
            scene.headers(token, ath=None),
            scene.headers(token) | {"authorization": f"Bearer {token}"},
            {"authorization": f"DPoP {token}"},
            scene.headers(token) | {"dpop": "x.y.z"},
        ]
        before = len(await scene.recorded())
        for headers in tries:
            assert reason(await scene.get(headers)) == (401, "TOKEN_BINDING_MISMATCH"), headers
        denied = (await scene.recorded())[before:]
        assert len(denied) == len(tries)
        assert {one.decision.decision for one in denied} == {"deny"}
        assert (await scene.get(scene.headers(token))).status_code == 200, "its owner is not kept out"

    play(service, story)


def test_a_proof_is_for_one_request(service: Service) -> None:
    async def story(scene: Scene) -> None:
        headers = scene.headers(scene.token())
        assert (await scene.get(headers)).status_code == 200
        assert reason(await scene.get(headers)) == (409, "REPLAYED")

    play(service, story)


def test_a_token_for_less_than_the_consent_opens_less(service: Service) -> None:
    async def story(scene: Scene) -> None:
        token = scene.token(actions=["read_balances"])
        assert (await scene.get(scene.headers(token))).status_code == 200
        answer = await scene.get(scene.headers(token, "transactions"), "transactions")
        assert reason(answer) == (403, "SCOPE_INSUFFICIENT")
        assert receipt_in(answer, service).decision.asserted == ("SCOPE_INSUFFICIENT",)

    play(service, story)


def test_a_token_of_another_recipient_for_this_consent_opens_nothing(service: Service) -> None:
    async def story(scene: Scene) -> None:
        token = scene.own("t", client_id="app-2", cnf={"jkt": scene.key.thumbprint})
        answer = await scene.get(scene.headers(token))
        assert reason(answer) == (403, "TOKEN_CONSENT_MISMATCH")

    play(service, story, own=True)


def test_an_account_that_is_not_in_the_consent_is_denied_by_the_log(service: Service) -> None:
    async def story(scene: Scene) -> None:
        token = scene.own("t", cnf={"jkt": scene.key.thumbprint})
        scene.account = b64u(b"x" * 32)
        assert reason(await scene.get(scene.headers(token))) == (403, "ACCOUNT_NOT_IN_CONSENT")

    play(service, story, own=True)


def test_a_false_token_or_one_of_a_stranger_is_refused_and_not_recorded(service: Service) -> None:
    async def story(scene: Scene) -> None:
        before = len(await scene.recorded())
        jkt = {"cnf": {"jkt": scene.key.thumbprint}}
        for said in (
            {"active": False, **jkt},
            {"cnf": {}},  # bound to no key
            {"cnf": {"jkt": scene.key.thumbprint, "x5t#S256": "x"}},  # to two
            {"consent_id": None, **jkt},
            {"grant_id": str(uuid.uuid4()), **jkt},  # of two consents
            {"client_id": 7, **jkt},
        ):
            token = scene.own("t", **said)
            assert reason(await scene.get(scene.headers(token))) == (401, "TOKEN_INVALID"), said
        assert reason(await scene.get(scene.headers("unknown"))) == (401, "TOKEN_INVALID")
        token = scene.own("t", consent_id=str(uuid.uuid4()), **jkt)
        assert reason(await scene.get(scene.headers(token))) == (403, "CONSENT_UNKNOWN")
        assert reason(await scene.get({"authorization": "Basic eDp5"})) == (401, "TOKEN_MISSING")
        assert reason(await scene.get({})) == (401, "HEADER_MISSING")
        assert len(await scene.recorded()) == before

    play(service, story, own=True)


def test_while_nobody_can_say_whether_a_token_is_good_the_door_stays_shut(service: Service) -> None:
    async def story(scene: Scene) -> None:
        token = scene.own("t", cnf={"jkt": scene.key.thumbprint})
        scene.issued.status = 500
        assert reason(await scene.get(scene.headers(token))) == (503, "LEDGER_UNAVAILABLE")

    play(service, story, own=True)


def test_a_strict_guard_takes_no_tokens(service: Service) -> None:
    client = service.client("bank-a")
    with pytest.raises(ValueError, match="guard of their own"):
        ConsentGuard(client, Directory(client), Book({}), strict=True, tokens=TokenWay(LedgerTokens(client), BANK))


def test_an_answer_about_a_token_is_read_in_one_way() -> None:
    consent = str(uuid.uuid4())
    said = {
        "active": True,
        "client_id": "app-1",
        "cnf": {"jkt": "k"},
        "authorization_details": [{"consent_id": consent}],
    }
    assert read_introspection(said) == BoundToken("app-1", consent, "k")
    assert read_introspection(said | {"permissions": ["ReadBalances"]}) == BoundToken(
        "app-1", consent, "k", permissions=frozenset({"ReadBalances"})
    )
    for broken in (
        {"active": "true"},
        {"client_id": ""},
        {"authorization_details": [{"consent_id": "a"}, {"consent_id": "b"}]},
    ):
        assert read_introspection(said | broken) is None


# -- the sidecar ------------------------------------------------------------------------------------------------------


def test_behind_a_proxy_a_token_opens_the_same_door(service: Service) -> None:
    async def run() -> None:
        pseudonyms, consent_id = Pseudonyms.generate(), str(uuid.uuid4())
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, pseudonyms)
            way = TokenWay(LedgerTokens(bank), BANK, fresh=0)
            guard = ConsentGuard(bank, Directory(bank), Book({consent_id: {account: "account-1"}}), tokens=way)
            route = GuardedRoute("GET", "/accounts/{account}/balances", ("ReadBalances",), "account")
            transport = httpx2.ASGITransport(sidecar_app(Sidecar(guard, (route,))))
            async with httpx2.AsyncClient(transport=transport, base_url="http://sidecar") as http:
                scene = Scene(bank, app, http, consent_id, account, ClockAhead(), service, Issued())
                token = scene.token()
                said = {"X-Original-Method": "GET", "X-Original-URI": scene.path(), "X-Original-Body": "/"}
                answer = await http.get("/nginx", headers=said | scene.headers(token))
                assert answer.status_code == 200
                access = json.loads(answer.headers[ACCESS_HEADER])
                assert (access["recipient"], access["accounts"]) == ("app-1", {account: "account-1"})
                answer = await http.get(f"/envoy{scene.path()}", headers=scene.headers(token))
                assert answer.status_code == 200
                stolen = await http.get("/nginx", headers=said | scene.headers(token, key=KeyPair.generate("ES256")))
                assert (stolen.status_code, stolen.json()["reason"]) == (401, "TOKEN_BINDING_MISMATCH")

    asyncio.run(run())


def test_the_sidecars_configuration_says_whose_tokens_are_taken(service: Service, tmp_path: Path) -> None:
    member = service.members["bank-a"]
    member.signer.save(tmp_path / "statement.pem")
    member.client_key.save(tmp_path / "client.pem")
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text("secret\n")
    common = (
        f'ledger = "{service.url}"\nvkey = "{service.node.ledger.vkey.format()}"\nparticipant = "bank-a"\n'
        f'statement_key = {{ kid = "{member.signer.kid}", file = "statement.pem" }}\n'
        f'client_key = {{ kid = "{member.client_key.kid}", file = "client.pem" }}\n'
        '[[routes]]\nmethod = "GET"\npath = "/a"\npermissions = ["ReadBalances"]\n'
    )

    def built(tokens: str) -> None:
        (tmp_path / "guard.toml").write_text(common + tokens)
        build(read_config(tmp_path / "guard.toml"), tmp_path)

    built(f'[tokens]\npublic_url = "{BANK}"\n')
    own = 'introspection = "https://as.bank.example/introspect"\n'
    built(f'[tokens]\npublic_url = "{BANK}"\n{own}client_id = "bank"\nsecret_file = "secret"\n')
    with pytest.raises(InvalidInput, match="needs client_id and secret_file"):
        built(f'[tokens]\npublic_url = "{BANK}"\n{own}')
    with pytest.raises(InvalidInput, match="are for an address"):
        built(f'[tokens]\npublic_url = "{BANK}"\nclient_id = "bank"\n')


def test_the_thumbprint_is_the_one_of_rfc_7638() -> None:
    key = KeyPair.generate("ES256")
    said = json.dumps({name: key.jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    assert key.thumbprint == b64u(sha256(said.encode()).digest())
    assert len(unb64u(key.thumbprint)) == 32
