"""The client against a real ledger on a real socket."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from api.client import (
    InFile,
    LedgerUnavailable,
    Patience,
    Pseudonyms,
    RefusedByLedger,
    Trust,
    make_terms,
    open_receipt,
)
from ledger.catalogue import CATALOGUES
from ledger.documents import DelegationGranted, document_of
from ledger.entries.evidence import AccessOutcome
from ledger.errors import BadStatement
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.keys import Cosigner
from ledger.notes.note import Note, NoteSignature, parse_note
from tests.client.service import SHOWN, Service, active_consent, balance_item, sca, terms_for


def test_a_consent_lives_and_ends_with_a_verified_receipt_for_each_step(service: Service) -> None:
    async def story() -> None:
        pseudonyms, consent_id = Pseudonyms.generate(), str(uuid.uuid4())
        async with service.client("bank-a") as bank, service.client("app-1") as app, service.client("app-2") as other:
            account = await active_consent(bank, app, consent_id, pseudonyms)
            allowed = await app.access(balance_item(consent_id, account))
            assert allowed.allowed
            assert allowed.level == "logged"
            released = await bank.release(allowed, rows=1, content=b"{}", digest=bytes(32))
            received = await app.receive(allowed, rows=1, content=b"{}", digest=bytes(32))
            assert [released.act, received.act] == ["access.release", "access.receive"]
            assert (await other.access(balance_item(consent_id, account))).decision.reasons == ("CONSENT_NOT_YOURS",)
            proposed = terms_for(retention_days=30)
            amended = await app.amend(consent_id, proposed, previous_version=1)
            assert amended.act == "consent.amend"
            first, second = await bank.authorise(
                consent_id,
                proposed,
                customer="customer-1",
                accounts=["account-1"],
                pseudonyms=pseudonyms,
                sca=sca(),
                version=2,
                separate_consents=SHOWN,
            )
            assert [first.act, second.act] == ["consent.authorise", "subject.consent"]
            paused = await bank.step("pause", consent_id, by="customer", reason="holiday")
            await bank.step("resume", consent_id, by="customer", reason="back")
            revoked = await app.revoke(consent_id)
            assert paused.index < revoked.index
            denied = await app.access(balance_item(consent_id, account))
            assert denied.decision.reasons == ("CONSENT_REVOKED",)
            history = await bank.history(consent_id)
            assert [receipt.act for receipt in history][-2:] == ["consent.revoke", "access.request"]
            assert len(history) == 12
            assert (await app.consent(consent_id))["status"] == "REVOKED"
            again = await app.receipt(denied.index)
            assert again.file == denied.file

    asyncio.run(story())


def test_a_consent_is_changed_in_part_by_its_people(sqlite_service: Service) -> None:
    async def story() -> None:
        consent_id, other, pseudonyms = str(uuid.uuid4()), str(uuid.uuid4()), Pseudonyms.generate()
        async with sqlite_service.client("bank-a") as bank, sqlite_service.client("app-1") as app:
            terms = terms_for(authorisers_required=2, reauthenticate_days=90, reconfirm_days=90)
            await app.request_consent(consent_id, terms)
            for customer, joint in (("customer-1", ["account-2"]), ("customer-2", [])):
                await bank.authorise(
                    consent_id,
                    terms,
                    customer=customer,
                    owner="customer-1",
                    accounts=["account-1", "account-2"],
                    joint_accounts=joint,
                    acting_role="joint",
                    suppress_notify=True,
                    pseudonyms=pseudonyms,
                    sca=sca(),
                    separate_consents=SHOWN,
                )
            first, second = (pseudonyms.account(name, consent_id) for name in ("account-1", "account-2"))
            assert (await app.consent(consent_id))["accounts"] == sorted([first, second])
            await bank.withdraw_accounts(consent_id, [second])
            state = await app.consent(consent_id)
            assert (state["accounts"], state["withdrawn"]) == ([first], [second])
            await bank.reauthenticate(consent_id, sca())
            await app.reconfirm(consent_id)
            await app.withdraw_separate(consent_id, "sensitive")
            denied = await app.access(balance_item(consent_id, first))
            assert denied.decision.reasons == ("SEPARATE_CONSENT_MISSING",)
            explained = await app.read(f"/receipts/{denied.index}/explanation")
            assert explained["reasons"][0]["facts"] == {"terms.separate_consents": ["provision", "sensitive"]}
            await bank.withdraw_approval(consent_id, pseudonyms.authoriser("customer-2", consent_id))
            assert (await app.consent(consent_id))["status"] == "PARTIAL"
            await active_consent(bank, app, other, pseudonyms)
            await bank.supersede(consent_id, other)
            assert (await app.consent(consent_id))["status"] == "SUPERSEDED"

    asyncio.run(story())


def test_a_technology_provider_signs_for_a_bank_and_both_have_the_receipt(sqlite_service: Service) -> None:
    service = sqlite_service
    service.join("provider-x", "technology-provider")
    service.node.ledger.record_documents(
        document_of(
            DelegationGranted,
            participant="bank-a",
            delegate="provider-x",
            acts=("consent.authorise", "consent.revoke", "subject.consent"),
        )
    )

    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with (
            service.client("provider-x", on_behalf_of="bank-a") as provider,
            service.client("bank-a") as bank,
            service.client("app-1") as app,
        ):
            account = await active_consent(provider, app, consent_id, Pseudonyms.generate(), holder="bank-a")
            assert (await app.access(balance_item(consent_id, account))).allowed
            revoked = await provider.revoke(consent_id)
            for party in (bank, app, provider):
                assert (await party.receipt(revoked.index)).file == revoked.file
            for party in (bank, app):
                acts = [receipt.act for receipt in await party.history(consent_id)]
                assert acts == ["consent.request", "consent.authorise", "access.request", "consent.revoke"]
            assert (await bank.receipt(revoked.index - 2)).act == "subject.consent"

    asyncio.run(story())


def test_many_accesses_under_one_signature_come_back_in_their_order(sqlite_service: Service) -> None:
    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with sqlite_service.client("bank-a") as bank, sqlite_service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            items = [
                balance_item(consent_id, account, f"interaction-{number}", customer_present=False)
                for number in range(9)
            ]
            receipts = await app.access_many(items)
            assert [receipt.item for receipt in receipts] == items
            assert [receipt.position for receipt in receipts] == list(range(9))
            decisions = [receipt.decision.decision for receipt in receipts]
            assert decisions == ["allow"] * 4 + ["deny"] * 5

    asyncio.run(story())


def test_the_same_question_twice_is_recorded_once(sqlite_service: Service) -> None:
    async def story() -> None:
        async with sqlite_service.client("app-1") as app:
            question = app.statements.make("consent.request", consent_id=str(uuid.uuid4()), terms=_terms())
            first = await app.ask("/consents", question)
            second = await app.ask("/consents", question)
            assert first[0].file == second[0].file

    asyncio.run(story())


def _terms() -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(terms_for())
    return made


def test_a_refusal_by_the_ledger_is_told_at_once(sqlite_service: Service) -> None:
    async def story() -> None:
        async with sqlite_service.client("app-1") as app:
            with pytest.raises(RefusedByLedger) as refused:
                await app.revoke(str(uuid.uuid4()))
            assert refused.value.status == 404
            with pytest.raises(BadStatement):
                app.statements.make("consent.revoke", consent_id="not an id", by="customer", reason="x")

    asyncio.run(story())


def test_times_out_with_a_clear_word_when_nobody_answers(sqlite_service: Service) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def story() -> None:
        patience = Patience(tries=5, first_pause=0.1, longest_pause=0.5)
        async with sqlite_service.client("app-1", url="http://127.0.0.1:9", patience=patience, sleep=sleep) as app:
            with pytest.raises(LedgerUnavailable, match="after 5 tries"):
                await app.request_consent(str(uuid.uuid4()), terms_for())

    asyncio.run(story())
    assert len(pauses) == 4
    assert all(0 <= pause <= ceiling for pause, ceiling in zip(pauses, (0.1, 0.2, 0.4, 0.5), strict=True))


def test_a_busy_ledger_is_asked_again_with_the_same_bytes_after_the_time_it_names(sqlite_service: Service) -> None:
    bodies: list[bytes] = []
    pauses: list[float] = []

    class BusyAtFirst(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.method == "POST":
                bodies.append(await request.aread())
                if len(bodies) <= 2:
                    return httpx2.Response(503, headers={"Retry-After": "2"}, json={"detail": "queue full"})
            return await super().handle_async_request(request)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def story() -> None:
        async with sqlite_service.client("app-1", transport=BusyAtFirst(), sleep=sleep) as app:
            await app.request_consent(str(uuid.uuid4()), terms_for())

    asyncio.run(story())
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert pauses == [2.0, 2.0]


def test_the_newest_checkpoint_survives_a_restart(sqlite_service: Service, tmp_path: Path) -> None:
    async def story() -> int:
        async with sqlite_service.client("app-1", memory=InFile(tmp_path / "checkpoint")) as app:
            await app.request_consent(str(uuid.uuid4()), terms_for())
            return (await app.checkpoint()).size

    first, second = asyncio.run(story()), asyncio.run(story())
    assert first < second
    kept = open_checkpoint((tmp_path / "checkpoint").read_text(), sqlite_service.trust.vkey)
    assert kept.size == second


def test_a_crowd_of_receipts_needs_few_proofs(sqlite_service: Service) -> None:
    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with sqlite_service.client("bank-a") as bank, sqlite_service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            asked = [app.access(balance_item(consent_id, account, f"interaction-{number}")) for number in range(60)]
            receipts = await asyncio.gather(*asked)
            assert len({receipt.index for receipt in receipts}) == 60
            newest = app.watch.newest
            assert newest is not None
            assert newest.size >= max(receipt.index for receipt in receipts)

    asyncio.run(story())


def test_a_receipt_is_witnessed_when_enough_witnesses_cosigned(sqlite_service: Service) -> None:
    async def ask() -> bytes:
        async with sqlite_service.client("app-1") as app:
            return (await app.request_consent(str(uuid.uuid4()), terms_for())).file

    witnesses = [Cosigner(f"witness-{number}.example", bytes([number]) * 32) for number in (1, 2)]
    file = json.loads(asyncio.run(ask()))
    head, _, note = file["proof"].partition("\n\n")
    signed = parse_note(note)
    lines = [
        NoteSignature(w.vkey.name, w.vkey.key_id, w.cosign(signed.text.encode(), 1_800_000_000)) for w in witnesses
    ]
    for given, level in ((lines[:1], "logged"), (lines, "witnessed")):
        cosigned = Note(signed.text, (*signed.signatures, *given)).format()
        receipt = json.dumps(file | {"proof": f"{head}\n\n{cosigned}"}).encode()
        trust = Trust(sqlite_service.trust.vkey, tuple(w.vkey for w in witnesses), quorum=2)
        assert open_receipt(receipt, trust).level == level


def test_pseudonyms_of_one_customer_join_nowhere() -> None:
    mine, theirs = Pseudonyms.generate(), Pseudonyms.generate()
    references = [
        mine.customer("c"),
        mine.customer_for("c", "app-1"),
        mine.customer_for("c", "app-2"),
        mine.account("c", "app-1"),
        mine.authoriser("c", "app-1"),
        theirs.customer("c"),
        mine.customer_for("ca", "pp-1"),
    ]
    assert len(set(references)) == len(references)
    assert mine.customer_for("c", "app-1") == mine.customer_for("c", "app-1")
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"short")


def test_terms_are_sorted_graded_and_bounded() -> None:
    terms = terms_for(permissions=["ReadBalances", "ReadAccountsBasic", "ReadBalances"])
    assert terms.permissions == ("ReadAccountsBasic", "ReadBalances")
    assert terms.grade == 3
    assert make_terms(**(_basic() | {"permissions": ["ReadOffers"]})).grade == 2
    with pytest.raises(ValueError, match="catalogue"):
        terms_for(permissions=["ReadEverything"])


def _basic() -> dict[str, Any]:
    return {
        "holder": "bank-a",
        "recipient": "app-1",
        "permissions": [],
        "purpose": "offers",
        "purpose_text": "Offers",
        "notice": b"n",
    }


def test_decisions_are_read_as_they_were_proved(sqlite_service: Service) -> None:
    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with sqlite_service.client("bank-a") as bank, sqlite_service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            receipt = await app.access(balance_item(consent_id, account))
            outcome = receipt.outcome
            assert isinstance(outcome, AccessOutcome)
            assert outcome.obligations.masks == CATALOGUES[2].masks_for(terms_for().permissions)
            assert outcome.obligations.directions == ("credit",)

    asyncio.run(story())


def test_a_receipt_is_shown_in_one_short_line_that_discloses_nothing(service: Service) -> None:
    async def story() -> None:
        consent_id = str(uuid.uuid4())
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            question = app.statements.access(balance_item(consent_id, account))
            receipt = await app.submit_access(question)
        shown = repr(receipt)
        assert f"{receipt.index} access.request allow (logged)" in shown
        for line in (shown, repr(question)):
            assert len(line) < 100
            assert account not in line
            assert consent_id not in line

    asyncio.run(story())
