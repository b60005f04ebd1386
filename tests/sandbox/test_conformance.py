"""A conformance run: software that does as the list says passes all of it, and each mistake is found under its own name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from api.sandbox import judging_holders, judging_recipients
from api.sandbox.conformance import behaviours
from ledger.canonical import b64u, encode
from tests.conformance import ROOT
from tests.sandbox.bank import bank_of
from tests.sandbox.kit import Service, Visitor, running_sandboxes
from tests.sandbox.partner import App, run_through

LISTED = behaviours()
RECIPIENTS = [one.id for one in LISTED.of("recipient")]
HOLDERS = [one.id for one in LISTED.of("holder")]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_sandboxes(tmp_path_factory.mktemp("sandboxes") / "logs") as running:
        yield running


@pytest.fixture(scope="module")
def app(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """One sandbox for all tests of this file; the last two mistakes of the list leave its guest without a key."""
    return service.guest(tmp_path_factory.mktemp("app") / "own", "app-new")


@pytest.fixture(scope="module")
def bank(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    return service.guest(tmp_path_factory.mktemp("bank") / "own", "bank-new", "holder")


async def run_of_a_bank(bank: Visitor, flaw: str = "") -> dict[str, Any]:
    async with bank_of(bank, flaw) as (software, url):
        return await run_through(bank, software.does, url)


def failed(report: dict[str, Any]) -> dict[str, list[str]]:
    return {one["behaviour"]: one["problems"] for one in report["verdicts"] if not one["passed"]}


def test_the_list_says_of_each_behaviour_what_is_expected_and_why_and_where_it_stands() -> None:
    assert (len(RECIPIENTS), len(HOLDERS)) == (24, 16)
    assert len({one.id for one in LISTED.behaviours}) == 40
    for one in LISTED.behaviours:
        assert one.expected.endswith(".")
        assert one.why.endswith(".")
        assert one.remedy.endswith(".")
        assert (ROOT / one.spec).is_file(), one.id
    assert set(judging_recipients.JUDGES) == set(RECIPIENTS)
    assert set(judging_holders.JUDGES) == set(HOLDERS)


@pytest.mark.timeout(600)
def test_software_that_does_as_the_list_says_passes_all_of_it(app: Visitor) -> None:
    report = asyncio.run(run_through(app, App(app).does))
    assert failed(report) == {}
    assert (report["passed"], report["behaviours"], report["ended"]) == (24, 24, True)
    assert (report["suite"], report["suite_version"]) == ("partner-recipient", "1")
    bound = {name: value for name, value in report.items() if name != "log_hash"}
    assert report["log_hash"] == b64u(sha256(encode(bound)).digest())


@pytest.mark.timeout(600)
def test_a_bank_that_does_as_the_list_says_passes_all_of_it(bank: Visitor) -> None:
    report = asyncio.run(run_of_a_bank(bank))
    assert failed(report) == {}
    assert (report["passed"], report["suite"]) == (16, "partner-holder")


async def one_task(visitor: Visitor, behaviour: str, does: Any, url: str = "") -> Any:
    """Only one behaviour of the list, judged."""
    room = visitor.service.sandboxes.room(visitor.room["participant"], visitor.room["key"])
    await asyncio.to_thread(visitor.service.post, f"{visitor.here}/conformance", {"url": url})
    assert room.run is not None
    room.run._waiting = [one for one in room.run._waiting if one.id == behaviour]
    answer = await asyncio.to_thread(visitor.service.http.get, f"{visitor.here}/conformance/next")
    concluded = await does(answer.json())
    return await asyncio.to_thread(visitor.service.post, f"{visitor.here}/conformance/{behaviour}", concluded, 200)


def test_a_run_needs_its_guest_and_a_banks_routes_on_this_machine(service: Service, bank: Visitor) -> None:
    for url in ("", "https://169.254.169.254", "http://ledger.example:80", "file:///etc/passwd"):
        answer = service.http.post(f"{bank.here}/conformance", json={"url": url})
        assert (answer.status_code, answer.json()["member"]) == (400, "url")
    service.post("/rooms", {"participant": "app-absent"})
    answer = service.http.post("/rooms/app-absent/conformance", json={})
    assert answer.status_code == 409
    assert service.http.get("/rooms/app-absent/conformance").status_code == 404


def test_another_partners_consent_passes_nothing(app: Visitor, service: Service) -> None:
    """A partner that names a consent of somebody else's is not judged by it."""

    async def names(_: dict[str, Any]) -> dict[str, Any]:
        room = service.sandboxes.room("app-new", app.room["key"])
        theirs = await asyncio.to_thread(service.post, f"{app.here}/requests", {"holder": "bank-north"})
        assert room.run is not None
        return {"answer": "declined", "consent_id": theirs["consent_id"]}

    verdict = asyncio.run(one_task(app, "takes-no-for-no", names))
    assert verdict["passed"] is False


@pytest.mark.timeout(600)
@pytest.mark.parametrize("behaviour", RECIPIENTS)
def test_a_mistake_of_an_app_is_found_under_its_name(app: Visitor, behaviour: str) -> None:
    verdict = asyncio.run(one_task(app, behaviour, App(app, behaviour).does))
    assert verdict["behaviour"] == behaviour
    assert verdict["passed"] is False
    assert verdict["problems"]
    assert verdict["remedy"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("behaviour", HOLDERS)
def test_a_mistake_of_a_bank_is_found_under_its_name(bank: Visitor, behaviour: str) -> None:
    async def judged() -> Any:
        async with bank_of(bank, behaviour) as (software, url):
            return await one_task(bank, behaviour, software.does, url)

    verdict = asyncio.run(judged())
    assert (verdict["behaviour"], verdict["passed"]) == (behaviour, False)
    assert verdict["problems"]
