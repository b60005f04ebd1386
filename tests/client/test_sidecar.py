"""The sidecar, asked as nginx and as Envoy ask, against a real ledger. The proxies themselves: scripts/test-sidecar."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.client import Directory, LedgerClient, Patience, Pseudonyms, open_receipt, request_digest
from api.guard import RECEIPT_HEADER, STATEMENT_HEADER, ConsentGuard, DataMap, KnownAccounts, LedgerBook
from api.guard.sidecar import ACCESS_HEADER, REFUSAL_HEADER, GuardedRoute, Sidecar, sidecar_app, told
from api.guard.sidecar_command import main, read_config
from ledger.canonical import unb64u
from ledger.errors import InvalidInput
from tests.client.service import Service, active_consent, balance_item, running_service
from tests.datamaps import bank_map

ROUTES = (
    GuardedRoute("GET", "/accounts/{account}/balances", ("ReadBalances",), "account"),
    GuardedRoute("GET", "/accounts/{account}/transactions", ("ReadTransactionsDetail",), "account"),
    GuardedRoute("POST", "/accounts/{account}/balances", ("ReadBalances",), "account"),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("sidecar")
    with running_service(f"sqlite:///{folder / 'ledger.sqlite'}", folder) as running:
        yield running


@dataclass
class Scene:
    bank: LedgerClient
    app: LedgerClient
    sidecar: httpx2.AsyncClient
    pseudonyms: Pseudonyms
    consent_id: str
    account: str

    def path(self, what: str = "balances") -> str:
        return f"/accounts/{self.account}/{what}"

    def statement(self, what: str = "balances", permission: str = "ReadBalances", **replaced: Any) -> str:
        method, body = replaced.pop("method", "GET"), replaced.pop("body", b"")
        query = replaced.pop("query", [])
        members = {
            "permissions": [permission],
            "request_digest": request_digest("bank-a", method, self.path(what), query, body),
            "interaction": str(uuid.uuid4()),
        }
        return self.app.statements.access(balance_item(self.consent_id, self.account, **(members | replaced))).text

    async def nginx(self, statement: str, address: str | None = None, **headers: str) -> httpx2.Response:
        said = {
            "X-Original-Method": "GET",
            "X-Original-URI": address or self.path(),
            "X-Original-Body": "/",
            STATEMENT_HEADER: statement,
        }
        return await self.sidecar.get(
            "/nginx", headers=said | {name.replace("_", "-"): headers[name] for name in headers}
        )

    async def envoy(self, statement: str, address: str | None = None, **options: Any) -> httpx2.Response:
        headers = {STATEMENT_HEADER: statement} | options.pop("headers", {})
        method = options.pop("method", "GET")
        return await self.sidecar.request(method, f"/envoy{address or self.path()}", headers=headers, **options)


def play(
    service: Service,
    story: Callable[[Scene], Coroutine[Any, Any, None]],
    *,
    data_map: DataMap | None = None,
    routes: tuple[GuardedRoute, ...] = ROUTES,
    **terms: Any,
) -> None:
    async def run() -> None:
        pseudonyms, consent_id = Pseudonyms.generate(), str(uuid.uuid4())
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, pseudonyms, **terms)
            book = LedgerBook(bank, KnownAccounts(pseudonyms, ["account-0", "account-1"]), fresh=0)
            sidecar = Sidecar(ConsentGuard(bank, Directory(bank), book, data_map=data_map), routes)
            transport = httpx2.ASGITransport(sidecar_app(sidecar))
            async with httpx2.AsyncClient(transport=transport, base_url="http://sidecar") as http:
                await story(Scene(bank, app, http, pseudonyms, consent_id, account))

    asyncio.run(run())


def refused(answer: httpx2.Response) -> tuple[int, str]:
    assert ACCESS_HEADER not in answer.headers
    assert answer.headers[REFUSAL_HEADER] == answer.json()["reason"]
    return answer.status_code, answer.json()["reason"]


def test_both_proxies_are_told_what_may_be_given_out(service: Service) -> None:
    async def story(scene: Scene) -> None:
        for ask in (scene.nginx, scene.envoy):
            answer = await ask(scene.statement("transactions", "ReadTransactionsDetail"), scene.path("transactions"))
            assert answer.status_code == 200
            receipt = open_receipt(unb64u(answer.headers[RECEIPT_HEADER]), service.trust)
            access = json.loads(answer.headers[ACCESS_HEADER])
            assert receipt.allowed
            assert access["entry"] == receipt.index
            assert access["accounts"] == {scene.account: "account-1"}
            assert access["from"] == 60
            assert access["directions"] == ["credit"]
            assert "pan" in access["masks"]
            assert access["recipient"] == "app-1"

    play(
        service,
        story,
        history_from=60,
        permissions=["ReadAccountsBasic", "ReadTransactionsCredits", "ReadTransactionsDetail"],
    )


def test_with_a_data_map_the_application_is_told_which_fields_to_mask_and_which_to_leave_out(service: Service) -> None:
    async def story(scene: Scene) -> None:
        answer = await scene.nginx(
            scene.statement("transactions", "ReadTransactionsDetail"), scene.path("transactions")
        )
        assert answer.status_code == 200
        access = json.loads(answer.headers[ACCESS_HEADER])
        assert access["masked"] == {"pan": ["/*/card"]}
        assert access["withheld"] == ["/*/kyc"]

    play(service, story, data_map=bank_map(kyc="ReadParty"), routes=ROUTES[:2], permissions=["ReadTransactionsDetail"])


def test_once_the_customer_has_stopped_the_next_request_is_refused(service: Service) -> None:
    async def story(scene: Scene) -> None:
        for ask in (scene.nginx, scene.envoy):
            assert (await ask(scene.statement())).status_code == 200
        revoked = await scene.bank.revoke(scene.consent_id)
        for ask in (scene.nginx, scene.envoy):
            answer = await ask(scene.statement())
            assert refused(answer) == (403, "CONSENT_REVOKED")
            assert open_receipt(unb64u(answer.headers[RECEIPT_HEADER]), service.trust).index > revoked.index

    play(service, story)


def test_a_consent_that_another_channel_agreed_on_is_found_without_being_told_of(service: Service) -> None:
    """The bank's pages sign with the bank's key; this process has never heard of the consent before it is used."""

    async def story(scene: Scene) -> None:
        second = str(uuid.uuid4())
        async with service.client("bank-a") as pages:
            account = await active_consent(pages, scene.app, second, scene.pseudonyms)
        item = balance_item(second, account, str(uuid.uuid4()))
        answer = await scene.nginx(scene.app.statements.access(item).text, f"/accounts/{account}/balances")
        assert json.loads(answer.headers[ACCESS_HEADER])["accounts"] == {account: "account-1"}

    play(service, story)


def test_the_book_knows_nothing_of_a_consent_that_waits_or_is_held_by_another_bank(service: Service) -> None:
    async def story(scene: Scene) -> None:
        book = LedgerBook(scene.bank, fresh=0)
        assert await book.accounts(scene.consent_id) == {scene.account: scene.account}
        assert await book.accounts(str(uuid.uuid4())) is None
        if "bank-b" not in service.members:
            service.join("bank-b", "holder")
        async with service.client("bank-b") as other:
            assert await LedgerBook(other, fresh=0).accounts(scene.consent_id) is None
        foreign = LedgerBook(scene.bank, KnownAccounts(Pseudonyms.generate(), ["account-1"]), fresh=0)
        assert await foreign.accounts(scene.consent_id) == {}

    play(service, story)


def test_the_book_asks_once_while_its_answer_is_fresh(service: Service) -> None:
    async def story(scene: Scene) -> None:
        now = [0.0]
        book = LedgerBook(scene.bank, fresh=5.0, monotonic=lambda: now[0])
        late = str(uuid.uuid4())
        assert await book.accounts(late) is None
        await active_consent(scene.bank, scene.app, late, scene.pseudonyms)
        assert await book.accounts(late) is None
        now[0] = 5.0
        assert await book.accounts(late) is not None

    play(service, story)


@pytest.mark.parametrize(
    "spelling",
    [
        "/accounts/{account}/balances/",
        "//accounts/{account}/balances",
        "/accounts/{account}//balances",
        "/accounts/x/../{account}/balances",
        "/accounts/./{account}/balances",
        "/accounts/{account}/%62alances",
        "/accounts/{account}/balances;v=1",
        "/accounts/{account}%2Fbalances",
        "/accounts\\{account}/balances",
        "/accounts/…/balances",
        "http://bank.example/accounts/{account}/balances",
        "accounts/{account}/balances",
        "",
        "/",
    ],
)
def test_an_address_with_two_readings_is_refused_before_anybody_is_asked(service: Service, spelling: str) -> None:
    async def story(scene: Scene) -> None:
        before = (await scene.app.checkpoint()).size
        address = spelling.format(account=scene.account)
        headers = [
            (b"x-original-method", b"GET"),
            (b"x-original-uri", address.encode()),
            (b"x-original-body", b"/"),
            (STATEMENT_HEADER.encode(), scene.statement().encode()),
        ]
        status, reason = refused(await scene.sidecar.get("/nginx", headers=headers))
        assert (status, reason) in {(403, "REQUEST_MALFORMED"), (403, "ROUTE_UNKNOWN")}
        assert (await scene.app.checkpoint()).size == before

    play(service, story)


def test_anything_but_a_guarded_route_is_refused(service: Service) -> None:
    async def story(scene: Scene) -> None:
        assert refused(await scene.nginx(scene.statement(), "/admin")) == (403, "ROUTE_UNKNOWN")
        assert refused(await scene.nginx(scene.statement(), X_Original_Method="PUT")) == (403, "ROUTE_UNKNOWN")
        assert refused(await scene.envoy(scene.statement(), "/admin")) == (403, "ROUTE_UNKNOWN")

    play(service, story)


def test_a_body_that_the_proxy_keeps_to_itself_is_refused(service: Service) -> None:
    async def story(scene: Scene) -> None:
        for body in ("5/", "/chunked", ""):
            assert refused(await scene.nginx(scene.statement(), X_Original_Body=body)) == (403, "REQUEST_MALFORMED")
        unbound = await scene.envoy(scene.statement(method="POST"), method="POST")
        assert refused(unbound) == (400, "REQUEST_MALFORMED")
        cut = await scene.envoy(
            scene.statement(method="POST"), method="POST", headers={"X-Envoy-Auth-Partial-Body": "true"}
        )
        assert refused(cut) == (400, "REQUEST_MALFORMED")
        whole: dict[str, Any] = {
            "method": "POST",
            "content": b"asked",
            "headers": {"X-Envoy-Auth-Partial-Body": "false"},
        }
        assert (await scene.envoy(scene.statement(method="POST", body=b"asked"), **whole)).status_code == 200
        other = await scene.envoy(scene.statement(method="POST", body=b"other"), **whole)
        assert refused(other) == (403, "REQUEST_MISMATCH")

    play(service, story)


def test_a_proxy_that_does_not_say_what_was_asked_gets_no_yes(service: Service) -> None:
    async def story(scene: Scene) -> None:
        answer = await scene.sidecar.get("/nginx", headers={STATEMENT_HEADER: scene.statement()})
        assert refused(answer) == (403, "REQUEST_MALFORMED")

    play(service, story)


def test_nginx_gets_a_status_it_knows_and_the_caller_the_true_one(service: Service) -> None:
    async def story(scene: Scene) -> None:
        for _ in range(2):
            answer = await scene.nginx(scene.statement(customer_present=False))
        assert refused(answer) == (403, "FREQUENCY_EXCEEDED")
        shown = await scene.sidecar.get("/refusals/FREQUENCY_EXCEEDED")
        assert (shown.status_code, shown.json()["reason"]) == (429, "FREQUENCY_EXCEEDED")
        assert "retry-after" not in shown.headers, "only the refusal itself knows the consent"
        assert int(answer.headers["retry-after"]) > 0
        assert (await scene.sidecar.get("/refusals/NONSENSE")).status_code == 503
        same = await scene.envoy(scene.statement(customer_present=False))
        assert refused(same) == (429, "FREQUENCY_EXCEEDED")

    play(service, story, frequency_per_day=1)


def test_the_query_counts_as_the_recipient_sent_it(service: Service) -> None:
    async def story(scene: Scene) -> None:
        address = scene.path() + "?b=2&a=%C3%A9"
        statement = scene.statement(query=[("a", "é"), ("b", "2")])
        assert (await scene.nginx(statement, address)).status_code == 200
        assert refused(await scene.envoy(scene.statement(), address)) == (403, "REQUEST_MISMATCH")

    play(service, story)


def test_the_door_stays_shut_while_the_ledger_is_away(service: Service) -> None:
    async def story(scene: Scene) -> None:
        hurry = Patience(tries=1, first_pause=0.001, longest_pause=0.001)
        async with service.client("bank-a", url="http://127.0.0.1:9", patience=hurry) as cut_off:
            sidecar = Sidecar(ConsentGuard(cut_off, Directory(scene.bank), LedgerBook(cut_off)), ROUTES)
            transport = httpx2.ASGITransport(sidecar_app(sidecar))
            async with httpx2.AsyncClient(transport=transport, base_url="http://sidecar") as http:
                answer = await http.get(f"/envoy{scene.path()}", headers={STATEMENT_HEADER: scene.statement()})
        assert refused(answer) == (503, "LEDGER_UNAVAILABLE")
        assert "retry-after" in answer.headers

    play(service, story)


def test_the_application_is_told_in_one_line_of_ascii_json(service: Service) -> None:
    async def story(scene: Scene) -> None:
        access = await Sidecar(
            ConsentGuard(scene.bank, Directory(scene.bank), LedgerBook(scene.bank, _strange, fresh=0)), ROUTES
        ).decide(_request(scene.path(), scene.statement()))
        value = told(access)
        assert value.isascii()
        assert value.isprintable()
        assert json.loads(value)["accounts"] == {scene.account: "Zürich 🏦\r\nX: 1"}

    play(service, story)


async def _strange(consent: Any) -> dict[str, str]:
    return dict.fromkeys(consent.references, "Zürich 🏦\r\nX: 1")


def _request(path: str, statement: str) -> Any:
    from starlette.requests import Request

    headers = [(b"host", b"x"), (STATEMENT_HEADER.lower().encode(), statement.encode())]
    return Request(
        {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers, "scheme": "http"}
    )


@pytest.mark.parametrize(
    "route",
    [
        ("GET", "accounts", ("ReadBalances",), None),
        ("GET", "/a/../b", ("ReadBalances",), None),
        ("GET", "/a", (), None),
        ("GET", "/a/{account}", ("ReadBalances",), "acount"),
        ("get", "/a", ("ReadBalances",), None),
    ],
)
def test_a_route_that_would_guard_nothing_is_refused(route: tuple[str, str, tuple[str, ...], str | None]) -> None:
    with pytest.raises(ValueError, match=r"route|path|method"):
        GuardedRoute(*route)


CONFIG = """
ledger = "https://ledger.example"
vkey = "{vkey}"
participant = "bank-a"
statement_key = {{ kid = "bank-a-1", file = "statement.pem" }}
client_key = {{ kid = "bank-a-c", file = "client.pem" }}

[[routes]]
method = "GET"
path = "/accounts/{{account}}/balances"
permissions = ["ReadBalances"]
account = "account"
"""


def test_the_command_says_whether_its_configuration_is_fit(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member = service.members["bank-a"]
    member.signer.save(tmp_path / "statement.pem")
    member.client_key.save(tmp_path / "client.pem")
    file = tmp_path / "guard.toml"
    file.write_text(CONFIG.format(vkey=service.node.ledger.vkey.format()))
    main(["--config", str(file), "--check"])
    assert "1 guarded routes for bank-a" in capsys.readouterr().out
    (tmp_path / "client.pem").chmod(0o644)
    with pytest.raises(SystemExit) as ended:
        main(["--config", str(file), "--check"])
    assert ended.value.code == 1
    assert "client.pem" in capsys.readouterr().err


def test_an_unknown_name_in_the_configuration_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "guard.toml"
    file.write_text("fail_open = true\n" + CONFIG.format(vkey="x"))
    with pytest.raises(InvalidInput, match="fail_open"):
        read_config(file)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_config(tmp_path / "missing.toml")
