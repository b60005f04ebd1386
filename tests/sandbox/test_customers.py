"""Customers of a sandbox answer as their scripts say, and the banks' guards let out what the log allows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from api.client import RefusedByLedger
from tests.sandbox.kit import Read, Service, Visitor, asked, read, running_sandboxes


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_sandboxes(tmp_path_factory.mktemp("sandboxes") / "logs") as running:
        yield running


@pytest.fixture(scope="module")
def visitor(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    return service.guest(tmp_path_factory.mktemp("guest") / "app-new")


async def reads_after(visitor: Visitor, script: str, times: int = 1, **terms: int) -> tuple[str, list[Read]]:
    """The consent's state after a customer's answer, and what the bank answers then."""
    async with visitor.client() as client:
        consent_id = await asked(client, **terms)
        told = await visitor.answers(script, consent_id)
        account = (told["accounts"] or ["A" * 22])[0]
        found = [await read(client, visitor.room, consent_id, account) for _ in range(times)]
        state = (await client.consent(consent_id))["status"]
        return state, found


def test_a_customer_agrees_and_shares_sample_data(visitor: Visitor) -> None:
    state, [found] = asyncio.run(reads_after(visitor, "yes"))
    assert state == "ACTIVE"
    assert (found.status, len(found.rows)) == (200, 1)
    assert found.receipt.allowed


def test_a_customer_declines_and_shares_nothing(visitor: Visitor) -> None:
    state, [found] = asyncio.run(reads_after(visitor, "no"))
    assert state == "REJECTED"
    assert (found.status, found.reason) == (403, "CONSENT_UNKNOWN")


def test_both_owners_agree(visitor: Visitor) -> None:
    state, [found] = asyncio.run(reads_after(visitor, "joint", authorisers_required=2))
    assert (state, found.status) == ("ACTIVE", 200)


@pytest.mark.parametrize(
    ("required", "state", "reason"), [(2, "PARTIAL", "CONSENT_PARTIAL"), (1, "ACTIVE", "ACCOUNT_APPROVAL_PENDING")]
)
def test_one_of_two_owners_is_not_enough(visitor: Visitor, required: int, state: str, reason: str) -> None:
    became, [found] = asyncio.run(reads_after(visitor, "partial", authorisers_required=required))
    assert (became, found.status, found.reason) == (state, 403, reason)


def test_a_withdrawal_in_mid_fetch_counts_at_once(visitor: Visitor) -> None:
    state, [first, second] = asyncio.run(reads_after(visitor, "stops", times=2))
    assert state == "REVOKED"
    assert (first.status, second.status, second.reason) == (200, 403, "CONSENT_REVOKED")


def test_a_late_customer_answers_after_the_seconds_that_were_named(visitor: Visitor) -> None:
    async def waited() -> tuple[str, list[str]]:
        async with visitor.client() as client:
            consent_id = await asked(client)
            told = await visitor.answers("late", consent_id, seconds=1)
            assert (told["entries"], told["after"]) == ([], 1)
            states = [(await client.consent(consent_id))["status"]]
            while states[-1] == "AWAITING":
                states.append((await client.consent(consent_id))["status"])
            return states[0], states

    first, states = asyncio.run(waited())
    assert (first, states[-1]) == ("AWAITING", "ACTIVE")


def test_an_answer_that_no_customer_can_give_is_refused_with_its_reason(visitor: Visitor) -> None:
    http, here = visitor.service.http, visitor.here
    unknown = http.post(f"{here}/customers/yes/answer", json={"consent_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7"})
    assert (unknown.status_code, unknown.json()["type"].rpartition("/")[2]) == (404, "not-found")
    stranger = http.post(f"{here}/customers/maybe/answer", json={"consent_id": "x"})
    assert stranger.status_code == 404
    assert "yes, no, late" in stranger.json()["detail"]

    async def twice() -> httpx2.Response:
        async with visitor.client() as client:
            consent_id = await asked(client)
            await visitor.answers("no", consent_id)
            return await asyncio.to_thread(http.post, f"{here}/customers/yes/answer", json={"consent_id": consent_id})

    assert asyncio.run(twice()).status_code == 409


def test_a_bank_of_a_sandbox_refuses_what_is_not_signed(visitor: Visitor) -> None:
    answer = httpx2.get(f"{visitor.room['banks']['bank-north']}/accounts", trust_env=False)
    assert (answer.status_code, answer.json()["reason"]) == (401, "HEADER_MISSING")


def test_two_guests_share_nothing(service: Service, visitor: Visitor, tmp_path: Path) -> None:
    other = service.guest(tmp_path / "other", "app-other")
    assert other.room["ledger"]["vkey"] != visitor.room["ledger"]["vkey"]

    async def crossing() -> None:
        async with visitor.client() as mine, other.client() as theirs:
            consent_id = await asked(mine)
            with pytest.raises(RefusedByLedger):
                await theirs.consent(consent_id)

    asyncio.run(crossing())
    wrong = httpx2.post(
        f"{service.url}{other.here}/reset", headers={"authorization": f"Bearer {visitor.room['key']}"}, trust_env=False
    )
    assert wrong.status_code == 401
