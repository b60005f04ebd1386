"""The guard before a bank's application, against a real ledger, over real sockets."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator

import httpx2
import pytest

from api.client import Directory, Patience, Pseudonyms, request_digest
from api.guard import (
    RECEIPT_HEADER,
    REFUSALS,
    STATEMENT_HEADER,
    AlreadyUsed,
    ConsentGuard,
    NoRoom,
    UsedInMemory,
    mask_pan,
    receipt_header,
)
from ledger.canonical import b64u
from ledger.documents import ParticipantSuspended, activation, document_of
from ledger.entries.asserted import ASSERTED
from ledger.orders import About, AlertRaised, ScoringActivated
from ledger.policy.reasons import Reason
from tests.client.bank import Book, Scene, bank_application, play, reason, receipt_in
from tests.client.service import Service, active_consent, balance_item, running_service


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("guard")
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = f"guard_{uuid.uuid4().hex}"
        with server.connect() as admin:
            admin.execute(f"CREATE DATABASE {name}")
        url = server.url(name)
    with running_service(url, folder) as running:
        yield running


def test_an_allowed_access_gets_its_data_and_its_receipt(service: Service) -> None:
    async def story(scene: Scene) -> None:
        answer = await scene.online(scene.item())
        assert (answer.status_code, answer.json()) == (200, {"account": "account-1", "present": True})
        assert receipt_in(answer, service).allowed
        assert answer.headers["cache-control"] == "no-store"

    play(service, story)


def test_rows_are_narrowed_to_window_and_direction_and_cards_are_masked(service: Service) -> None:
    async def story(scene: Scene) -> None:
        item = scene.item("transactions", "ReadTransactionsDetail", from_=50, to=250)
        answer = await scene.online(item, scene.path("transactions"))
        assert answer.json() == [{"booked": 100, "direction": "credit", "card": "************1234"}]

    play(service, story, history_from=60)


def test_a_fresh_receipt_is_enough_and_the_ledger_is_not_asked(service: Service) -> None:
    async def story(scene: Scene) -> None:
        warm = await scene.online(scene.item())
        assert warm.status_code == 200
        receipt = await scene.app.access(scene.item())
        before = await scene.app.checkpoint()
        answer = await scene.get(receipt_header(receipt))
        assert answer.status_code == 200
        assert receipt_in(answer, service).index == receipt.index
        assert (await scene.app.checkpoint()).size == before.size
        assert reason(await scene.get(receipt_header(receipt))) == (409, "REPLAYED")

    play(service, story)


def test_receipts_out_of_a_batch_open_the_same_door(service: Service) -> None:
    async def story(scene: Scene) -> None:
        receipts = await scene.app.access_many([scene.item(customer_present=False) for _ in range(3)])
        for receipt in receipts:
            assert (await scene.get(receipt_header(receipt))).status_code == 200

    play(service, story)


def test_a_statement_lets_data_out_once(service: Service) -> None:
    async def story(scene: Scene) -> None:
        headers = {STATEMENT_HEADER: scene.app.statements.access(scene.item()).text}
        assert (await scene.get(headers)).status_code == 200
        assert reason(await scene.get(headers)) == (409, "REPLAYED")
        # Not even when its decision has been forgotten, and the consent is gone: then it is too old.
        await scene.app.revoke(scene.consent_id)
        scene.clock.ahead = 60_000
        assert reason(await scene.get(headers)) == (401, "RECEIPT_STALE")

    play(service, story)


def test_a_receipt_that_is_old_or_from_the_future_is_refused(service: Service) -> None:
    async def story(scene: Scene) -> None:
        receipt = await scene.app.access(scene.item())
        for ahead in (31_000, -10_000):
            scene.clock.ahead = ahead
            assert reason(await scene.get(receipt_header(receipt))) == (401, "RECEIPT_STALE")

    play(service, story)


def test_after_revocation_nothing_goes_out(service: Service) -> None:
    async def story(scene: Scene) -> None:
        revoked = await scene.bank.revoke(scene.consent_id)
        answer = await scene.online(scene.item())
        assert reason(answer) == (403, "CONSENT_REVOKED")
        denial = receipt_in(answer, service)
        assert not denial.allowed
        assert denial.index > revoked.index
        denied = await scene.app.access(scene.item())
        assert reason(await scene.get(receipt_header(denied))) == (403, "CONSENT_REVOKED")

    play(service, story)


def test_while_the_bank_lets_an_alert_deny_nothing_goes_out_and_the_answer_says_so(service: Service) -> None:
    async def story(scene: Scene) -> None:
        ledger, app = service.node.ledger, scene.app.participant
        documents = [document_of(ScoringActivated, scoring=1, approved_by=("a", "b"))]
        if ledger.registry.ruleset < 3:
            documents = [activation(3), *documents]
        ledger.record_documents(*documents)
        about = About(id=app, kind="recipient")
        at_index = ledger.tree.size() - 1
        ledger.record_documents(
            document_of(AlertRaised, about=about, at_index=at_index, features=(60, 3), rule="rate", score=700)
        )
        assert (await scene.online(scene.item())).status_code == 200, "an alert denies nothing by itself"
        said = {"about": "recipient", "level": 500, "rule": "rate", "seconds": 3_600}
        await scene.bank.ask("/supervision/blocks", await scene.bank.statements.sign("risk.block", **said))
        answer = await scene.online(scene.item())
        assert reason(answer) == (403, "RISK_BLOCKED")
        assert answer.json()["title"] == "The access was stopped as a risk"
        assert not receipt_in(answer, service).allowed
        over = await scene.bank.statements.sign("risk.unblock", rule="rate", reason="looked-at")
        await scene.bank.ask("/supervision/blocks/end", over)
        assert (await scene.online(scene.item())).status_code == 200
        ledger.record_documents(document_of(ScoringActivated, scoring=0, approved_by=("a", "b")))

    play(service, story)


def test_another_recipients_consent_looks_like_none(service: Service) -> None:
    async def story(scene: Scene) -> None:
        theirs = await scene.online(scene.item(), client=scene.other)
        scene.book.clear()
        nobodys = await scene.online(scene.item())
        assert reason(theirs) == reason(nobodys) == (403, "CONSENT_UNKNOWN")
        assert theirs.content == nobodys.content
        assert RECEIPT_HEADER not in theirs.headers

    play(service, story)


@pytest.mark.parametrize("utc_offset", [None, 330, -600])
def test_too_many_accesses_without_the_customer_are_told_when_the_consents_day_ends(
    service: Service, utc_offset: int | None
) -> None:
    async def story(scene: Scene) -> None:
        answers = [await scene.online(scene.item(customer_present=False)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert reason(answers[-1]) == (429, "FREQUENCY_EXCEEDED")
        refused_at = receipt_in(answers[-1], service).time
        day = 86_400_000
        midnight = refused_at + day - (refused_at + (utc_offset or 0) * 60_000) % day
        free_at = scene.clock.now() + int(answers[-1].headers["retry-after"]) * 1000
        assert midnight <= free_at <= midnight + 30_000

    play(service, story, frequency_per_day=2, utc_offset=utc_offset)


def test_a_refusal_without_a_retry_time_is_still_a_refusal(service: Service) -> None:
    async def story(scene: Scene) -> None:
        refused = [await scene.app.access(scene.item(customer_present=False)) for _ in range(2)][-1]
        hurry = Patience(tries=1, first_pause=0.001, longest_pause=0.001)
        async with service.client("bank-a", url="http://127.0.0.1:9", patience=hurry) as cut_off:
            guard = ConsentGuard(cut_off, Directory(scene.bank), Book(scene.book))
            transport = httpx2.ASGITransport(bank_application(guard))
            async with httpx2.AsyncClient(transport=transport, base_url="http://bank.example") as http:
                answer = await http.get(scene.path(), headers=receipt_header(refused))
        assert reason(answer) == (429, "FREQUENCY_EXCEEDED")
        assert "retry-after" not in answer.headers

    play(service, story, frequency_per_day=1)


def test_a_statement_about_another_request_is_refused_before_the_ledger_is_asked(service: Service) -> None:
    async def story(scene: Scene) -> None:
        before = await scene.app.checkpoint()
        query = scene.path() + "?from=1"
        elsewhere = request_digest("bank-b", "GET", scene.path())
        for item, path in (
            (scene.item(), query),
            (scene.item(request_digest=elsewhere), scene.path()),
            (scene.item("transactions", "ReadTransactionsDetail"), scene.path()),
            (scene.item(permissions=["ReadAccountsBasic", "ReadBalances"]), scene.path()),
        ):
            assert reason(await scene.online(item, path)) == (403, "REQUEST_MISMATCH")
        other_account = request_digest("bank-a", "GET", "/accounts/" + "a" * 22 + "/balances")
        answer = await scene.online(scene.item(request_digest=other_account), "/accounts/" + "a" * 22 + "/balances")
        assert reason(answer) == (403, "REQUEST_MISMATCH")
        strange = scene.item(accounts=["b" * 22], request_digest=request_digest("bank-a", "GET", scene.path()))
        assert reason(await scene.online(strange)) == (403, "REQUEST_MISMATCH")
        assert (await scene.app.checkpoint()).size == before.size

    play(service, story)


def test_the_order_of_a_query_does_not_matter_and_its_content_does(service: Service) -> None:
    one = request_digest("bank-a", "get", "/x", [("b", "2"), ("a", "1")])
    assert one == request_digest("bank-a", "GET", "/x", [("a", "1"), ("b", "2")])
    others = [
        request_digest("bank-a", "GET", "/x", [("a", "1")]),
        request_digest("bank-a", "POST", "/x", [("a", "1"), ("b", "2")]),
        request_digest("bank-b", "GET", "/x", [("a", "1"), ("b", "2")]),
        request_digest("bank-a", "GET", "/x", [("a", "2")]),
        request_digest("bank-a", "GET", "/x", [("a", "1"), ("b", "2")], b"body"),
    ]
    assert len({one, *others}) == 6


def test_a_request_without_a_known_signature_is_refused(service: Service) -> None:
    async def story(scene: Scene) -> None:
        text = scene.app.statements.access(scene.item()).text
        changed = text[:-8] + ("AAAAAAAA" if text[-8:] != "AAAAAAAA" else "BBBBBBBB")
        for headers, expected in (
            ({}, (401, "HEADER_MISSING")),
            ({STATEMENT_HEADER: changed}, (401, "SIGNATURE_INVALID")),
            ({STATEMENT_HEADER: "x"}, (401, "SIGNATURE_INVALID")),
            ({STATEMENT_HEADER: text, RECEIPT_HEADER: "x"}, (401, "HEADER_MISSING")),
            ({RECEIPT_HEADER: "not base64"}, (401, "RECEIPT_INVALID")),
            ({RECEIPT_HEADER: "e30"}, (401, "RECEIPT_INVALID")),
        ):
            assert reason(await scene.get(headers)) == expected
        by_the_bank = scene.bank.statements.access(scene.item()).text
        assert reason(await scene.get({STATEMENT_HEADER: by_the_bank})) == (403, "ROLE_NOT_PERMITTED")
        asked = scene.app.statements.make("consent.revoke", consent_id=scene.consent_id, by="customer", reason="x").text
        assert reason(await scene.get({STATEMENT_HEADER: asked})) == (400, "REQUEST_MALFORMED")
        twice = [(STATEMENT_HEADER, text), (STATEMENT_HEADER, text)]
        assert reason(await scene.http.get(scene.path(), headers=twice)) == (400, "REQUEST_MALFORMED")

    play(service, story)


def test_a_receipt_of_something_else_or_with_changed_evidence_is_refused(service: Service) -> None:
    async def story(scene: Scene) -> None:
        denied = await scene.app.access(scene.item(permission="ReadOffers"))
        file = json.loads(denied.file)
        file["evidence"] = file["evidence"].replace('"deny"', '"allow"').replace('["PERMISSION_MISSING"]', "[]")
        forged = {RECEIPT_HEADER: b64u(json.dumps(file).encode())}
        assert reason(await scene.get(forged)) == (401, "RECEIPT_INVALID")
        leg = await scene.app.receive(await scene.app.access(scene.item()), rows=1, content=b"", digest=bytes(32))
        assert reason(await scene.get(receipt_header(leg))) == (401, "RECEIPT_INVALID")

    play(service, story)


def test_the_door_stays_shut_while_the_ledger_is_away(service: Service) -> None:
    async def run() -> None:
        pseudonyms, consent_id = Pseudonyms.generate(), str(uuid.uuid4())
        async with (
            service.client("bank-a") as bank,
            service.client("app-1") as app,
            service.client("bank-a", url="http://127.0.0.1:9") as cut_off,
        ):
            account = await active_consent(bank, app, consent_id, pseudonyms)
            directory = Directory(bank)
            await directory.refresh()
            held = Book({consent_id: {account: "account-1"}})
            item = balance_item(consent_id, account)
            headers = {STATEMENT_HEADER: app.statements.access(item).text}
            for known, expected in ((directory, 503), (Directory(cut_off), 503)):
                guard = ConsentGuard(cut_off, known, held)
                transport = httpx2.ASGITransport(bank_application(guard))
                async with httpx2.AsyncClient(transport=transport, base_url="http://bank.example") as http:
                    answer = await http.get(f"/accounts/{account}/balances", headers=headers)
                    assert reason(answer) == (expected, "LEDGER_UNAVAILABLE")
                    assert int(answer.headers["retry-after"]) > 0
            # The offline way stays open: that is what it is for.
            guard = ConsentGuard(cut_off, directory, held)
            receipt = await app.access(balance_item(consent_id, account, "interaction-2"))
            transport = httpx2.ASGITransport(bank_application(guard))
            async with httpx2.AsyncClient(transport=transport, base_url="http://bank.example") as http:
                answer = await http.get(f"/accounts/{account}/balances", headers=receipt_header(receipt))
                assert answer.status_code == 200

    asyncio.run(run())


def test_every_reason_of_the_ledger_has_its_answer() -> None:
    assert {reason.value for reason in Reason} - {"CONSENT_NOT_YOURS"} <= set(REFUSALS)
    assert set(ASSERTED) <= set(REFUSALS)
    assert all(400 <= refusal.status <= 503 for refusal in REFUSALS.values())


def test_used_decisions_are_remembered_as_long_as_they_could_be_used() -> None:
    async def story() -> None:
        used = UsedInMemory(room=2)
        await used.use(1, now=0, until=10)
        with pytest.raises(AlreadyUsed):
            await used.use(1, now=10, until=20)
        await used.use(2, now=10, until=20)
        with pytest.raises(NoRoom):
            await used.use(3, now=10, until=20)
        await used.use(3, now=11, until=20)

    asyncio.run(story())


def test_cards_show_four_digits_at_most() -> None:
    assert mask_pan("4000 1234 1234 1234") == "**** **** **** 1234"
    assert mask_pan("1234") == "****"
    assert mask_pan("12345") == "*2345"


def test_a_key_registered_later_is_found_and_a_suspended_recipient_is_not_served(service: Service) -> None:
    async def story(scene: Scene) -> None:
        now = [0.0]
        directory = Directory(scene.bank, monotonic=lambda: now[0])
        await directory.refresh()
        name = f"app-{uuid.uuid4().hex[:8]}"
        service.join(name, "recipient")
        async with service.client(name) as late:
            text = late.statements.access(scene.item()).text
            now[0] = 6.0
            read = await directory.check_statement(text)
            assert read.payload.iss == name
            assert directory.may_ask(read.payload)
            service.node.ledger.record_documents(
                document_of(ParticipantSuspended, participant=name, reason="licence-withdrawn")
            )
            await directory.refresh()
            assert not directory.may_ask(read.payload)

    play(service, story)


def test_figures_and_reasons_name_no_consent_no_account_and_no_customer(service: Service) -> None:
    async def story(scene: Scene) -> None:
        assert (await scene.online(scene.item())).status_code == 200
        operator = service.operator()
        async with operator:
            figures = (await operator.text("/metrics")).encode()
        assert b"consent_ledger_http_requests" in figures
        for word in (scene.consent_id, scene.account, "account-1", "customer-1", "app-1", "bank-a"):
            assert word.encode() not in figures

    play(service, story)
