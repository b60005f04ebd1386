"""A newcomer with a browser and one SDK: invited, let in by a second person, attested, certified, billed, its key rotated,
suspended by itself and let in again. Nobody touches a database or a file of the ledger in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from typer.testing import CliRunner

from api.cli.main import app
from api.client import LedgerClient, LocalSigner, Pseudonyms, RefusedByLedger
from api.client.tokens import sign_jwt
from ledger.billing.months import month_with, name_of
from ledger.clock import SystemClock
from tests.client.service import Service, balance_item, released, running_service
from tests.clocks import HandClock
from tests.sandbox.kit import Service as Sandboxes
from tests.sandbox.kit import Visitor, running_sandboxes
from tests.sandbox.partner import App, run_through

pytestmark = pytest.mark.browser

NEW, OFFSET, DAY = "app-new", 480, 86_400
STAFF = {
    "olaf": ("operator", "operator"),
    "oda": ("operator", "operator"),
    "nia": (NEW, "recipient"),
    "bea": ("bank-a", "holder"),
    "rex": ("app-2", "recipient"),
}
CONSENT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def apart(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it on another thread: while a browser is driven, its event loop runs on this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@dataclass
class Place:
    """The ledger with its pages, and the newcomer's folder."""

    service: Service
    browser: Browser
    folder: Path
    clock: HandClock
    sandboxes: Sandboxes

    @contextmanager
    def at_work(self, who: str) -> Iterator[Page]:
        """A browser of one's own, signed in just now."""
        context = self.browser.new_context(locale="en-GB", timezone_id="UTC", accept_downloads=True)
        page = context.new_page()
        page.goto(f"{self.service.url}/sign-in/start?fresh=true&next=/console")
        page.get_by_role("button", name=who.title()).click()
        try:
            yield page
        finally:
            context.close()

    def told(self, *arguments: str) -> Any:
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(CliRunner().invoke, app, [*arguments, "--json"]).result()
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def own(self, *arguments: str) -> Any:
        return self.told(*arguments, "--as", str(self.folder))


@pytest.fixture
def place(browser: Browser, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", sqlite_url)
    begin = month_with(SystemClock().now() // 1000, OFFSET).first
    clock = HandClock((begin - 15 * DAY) * 1000)  # in the middle of the month before this one
    staff = tmp_path / "staff.json"
    members = [{"sub": sub, "participant": of, "role": role, "name": sub.title()} for sub, (of, role) in STAFF.items()]
    staff.write_text(json.dumps({"staff": members}))
    with running_sandboxes(tmp_path / "sandboxes") as sandboxes:
        token = tmp_path / "sandbox.token"
        token.touch(0o600)
        token.write_text(sandboxes.sandboxes.token)
        at = {"sandbox_url": sandboxes.url, "sandbox_token_file": token}
        web = {"environment": "development", "staff_file": staff, **at}
        with running_service(sqlite_url, tmp_path / "operator", clock=clock, web=web) as service:
            yield Place(service, browser, tmp_path / "newcomer", clock, sandboxes)


@pytest.mark.timeout(600)
def test_from_an_invitation_to_a_partner_that_is_certified_billed_rotated_suspended_and_let_in_again(
    place: Place,
) -> None:
    link = invited(place)
    joined(place, link)
    assert refused_as(place, link) == "the participant is registered already"
    let_in(place, by="olaf", refused=True)
    let_in(place, by="oda")
    releases = apart(a_month_of(place, 3))
    month = name_of(place.clock.now() // 1000, OFFSET)
    place.clock.time = SystemClock().now()
    tried_out(place)
    attested_and_certified(place)
    billed(place, month, releases)
    read_by_both(place, month)
    rotated(place)
    suspended(place)
    let_in(place, by="olaf")
    assert place.own("usage", "list")["statements"][0]["state"] == "agreed"


# -- its steps ------------------------------------------------------------------------------------------------------------


def invited(place: Place) -> str:
    """One person at the operator makes an invitation on the console."""
    with place.at_work("olaf") as page:
        page.goto(f"{place.service.url}/console/operator/admissions")
        page.get_by_label("Id in the log").fill(NEW)
        page.get_by_label("Name", exact=True).fill("A new app")
        page.get_by_role("button", name="Make an invitation").click()
        return page.locator("#link").inner_text()


def joined(place: Place, link: str) -> None:
    """The newcomer opens it, makes keys in the browser and saves them."""
    context = place.browser.new_context(locale="en-GB", accept_downloads=True)
    page = context.new_page()
    page.goto(link)
    expect(page.get_by_text(f"A new app · {NEW} · recipient")).to_be_visible()
    keys_made(page, place.folder)
    context.close()


def keys_made(page: Page, folder: Path) -> None:
    """On the page of an invitation: keys are made in the browser and saved."""
    page.get_by_role("button", name="Make keys and join").click()
    expect(page.get_by_role("heading", name="You are registered")).to_be_visible()
    folder.mkdir(mode=0o700)
    for name in ("statement.pem", "client.pem", "participant.toml"):
        with page.expect_download() as coming:
            page.get_by_role("link", name=name).click()
        coming.value.save_as(folder / name)
        (folder / name).chmod(0o600)


def refused_as(place: Place, link: str) -> str:
    """What somebody reads who uses the invitation a second time."""
    context = place.browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Make keys and join").click()
    expect(page.locator("#refused")).to_be_visible()
    why = page.locator("#why").inner_text()
    context.close()
    return why.replace(f"participant {NEW!r} is", "the participant is")


def let_in(place: Place, *, by: str, refused: bool = False) -> None:
    """Somebody at the operator lets it in; who invited it cannot."""
    with place.at_work(by) as page:
        page.goto(f"{place.service.url}/console/operator/admissions")
        button = page.get_by_role("button", name="Let it in")
        if refused:
            expect(page.get_by_text("a second person lets it in")).to_be_visible()
            expect(button).to_have_count(0)
            return
        button.click()
        expect(page.get_by_text("Nobody waits.")).to_be_visible()
    assert not place.service.node.ledger.registry.is_suspended(NEW)


def newcomer(place: Place, **options: Any) -> LedgerClient:
    from api.cli.folder import ParticipantFolder

    own = ParticipantFolder.read(place.folder)
    keys = [
        LocalSigner.load(kid, place.folder / f"{use}.pem")
        for use, kid in (("statement", own.statement_kid), ("client", own.client_kid))
    ]
    return LedgerClient(own.url, own.participant, keys[0], own.trust(), client_key=keys[1], **options)


async def a_month_of(place: Place, many: int) -> list[int]:
    """Its own system reads data with the SDK; the bank records what it gave out."""
    async with place.service.client("bank-a", clock=place.clock) as bank, newcomer(place, clock=place.clock) as own:
        return await released(bank, own, place.clock, CONSENT, many)


def tried_out(place: Place) -> None:
    """It opens a sandbox on its console, comes in there with keys of its own, and its software passes the list."""
    with place.at_work("nia") as page:
        page.goto(f"{place.service.url}/console/partner/sandbox")
        page.get_by_role("button", name="Open a sandbox").click()
        page.get_by_role("link", name="Make keys for it and join").click()
        expect(page.get_by_text("Sandbox: nothing here happened to anybody.")).to_be_visible()
        folder = place.folder.with_name("sandbox")
        keys_made(page, folder)
    room = place.sandboxes.sandboxes.room(NEW, place.sandboxes.sandboxes.token)
    visitor = Visitor(place.sandboxes, room.described(place.sandboxes.url), folder)
    report = apart(run_through(visitor, App(visitor).does))
    assert {one["behaviour"]: one["problems"] for one in report["verdicts"] if not one["passed"]} == {}
    assert (report["passed"], report["behaviours"]) == (24, 24)


def attested_and_certified(place: Place) -> None:
    """Its licence is approved, and its conformance run certified, by two officers on the console."""
    document = place.folder / "licence.pdf"
    document.write_bytes(b"%PDF-")
    until = str(SystemClock().now() // 1000 + 365 * DAY)
    place.own(
        "attestation",
        "give",
        "licence-1",
        "--kind",
        "licence",
        "--issuer",
        "The authority",
        "--document",
        str(document),
        "--valid-until",
        until,
    )
    here = f"{place.service.url}/console/operator/attestations"
    with place.at_work("olaf") as page:
        page.goto(here)
        page.get_by_role("button", name="licence-1").click()
        page.get_by_label("Id in the log").fill("bank-a")
        page.get_by_role("button", name="Take its run").click()
        expect(page.get_by_text("bank-a has made no conformance run")).to_be_visible()
        page.get_by_label("Id in the log").fill(NEW)
        page.get_by_role("button", name="Take its run").click()
        expect(page.get_by_text("24 of 24 behaviours")).to_be_visible()
        expect(page.get_by_role("button", name="Put it on record")).to_have_count(0)
    with place.at_work("oda") as page:
        page.goto(here)
        for left in (1, 0):
            page.get_by_role("button", name="Put it on record").first.click()
            expect(page.get_by_role("button", name="Put it on record")).to_have_count(left)
    shown = place.own("attestation", "list")
    assert [(one["participant"], one["state"]) for one in shown["attestations"]] == [(NEW, "approved")]
    [certificate] = shown["certificates"]
    assert (certificate["passed"], certificate["total"], certificate["suite"]) == (24, 24, "partner-recipient")
    assert certificate["valid_until"] - certificate["time"] == 365 * DAY * 1000


def billed(place: Place, month: str, releases: list[int]) -> None:
    """The bank offers and states with its own SDK; the newcomer accepts and agrees."""
    lines = [{"free": 0, "tiers": [{"from": 0, "price": 100_000}]}]

    async def bank(act: str, path: str, **members: Any) -> int:
        async with place.service.client("bank-a") as client:
            [receipt] = await client.ask(path, await client.statements.sign(act, **members))
            return int(receipt.index)

    async def counted(offer: int) -> Any:
        async with place.service.client("bank-a") as client:
            query = {"month": month, "offer": offer, "recipient": NEW}
            return await client.read("/partners/usage/count", query)

    tariff = {"currency": "CNY", "from": 0, "lines": lines, "recipient": NEW, "tariff": "t-1", "utc_offset": OFFSET}
    offer = apart(bank("tariff.offer", "/partners/tariffs", **tariff))
    place.own("tariff", "accept", str(offer))
    members = apart(counted(offer))
    assert (members["count"], members["total"]) == (len(releases), 300)
    stated = apart(bank("usage.state", "/partners/usage", **members))
    place.own("usage", "answer", str(stated))


def read_by_both(place: Place, month: str) -> None:
    """The same month on the pages of both sides, with the same invoice; a stranger's page has none of it."""
    found = []
    for who in ("nia", "bea"):
        with place.at_work(who) as page:
            page.goto(f"{place.service.url}/console/partner/billing")
            row = page.locator("li", has_text=month)
            expect(row).to_contain_text("3 releases, 3.00 CNY")
            expect(row).to_contain_text("Agreed by both")
            with page.expect_download() as coming:
                row.get_by_role("link", name="CSV").click()
            found.append(Path(coming.value.path()).read_bytes())
    assert found[0] == found[1]
    assert b"total,,3,3.00,CNY" in found[0]
    with place.at_work("rex") as page:
        page.goto(f"{place.service.url}/console/partner/billing")
        expect(page.get_by_text("No month was stated yet.")).to_be_visible()
        [stated] = place.service.node.ledger.registry.partners.statements
        answer = page.request.get(f"{place.service.url}/console/partner/billing/{stated}/invoice.csv")
        assert answer.status == 404


def rotated(place: Place) -> None:
    """A new key for statements, with its proof; the old one signs nothing any more."""
    old = newcomer(place)
    kid = place.own("partner", "rotate")["kid"]
    keys = place.service.node.ledger.registry.keys
    assert keys[kid].revoked_at is None
    stranger = LocalSigner.generate("stolen-1", "EdDSA")
    claims = {"aud": place.service.node.ledger.origin, "kid": "stolen-2", "participant": NEW, "use": "statement"}
    forged = {
        "alg": "EdDSA",
        "jwk": dict(stranger.jwk),
        "kid": "stolen-2",
        "use": "statement",
        "proof": sign_jwt(LocalSigner.generate("other-1", "EdDSA"), {"typ": "key-proof+jwt"}, claims),
    }

    async def tried() -> None:
        async with old, newcomer(place) as new:
            with pytest.raises(RefusedByLedger):
                await old.revoke(CONSENT, by="recipient")
            with pytest.raises(RefusedByLedger, match="proof"):
                await new.send("POST", "/partners/keys", forged)
            with pytest.raises(RefusedByLedger, match="last key"):
                await new.send("DELETE", f"/partners/keys/{kid}")

    apart(tried())


def suspended(place: Place) -> None:
    """Somebody who works there stops it on the console: its accesses are denied at once."""
    with place.at_work("nia") as page:
        page.goto(f"{place.service.url}/console/partner/keys")
        page.get_by_role("button", name="Suspend it now").click()
        expect(page.get_by_text("You are suspended.")).to_be_visible()

    async def asked() -> Any:
        async with newcomer(place) as own:
            account = Pseudonyms(bytes(32)).account("a-1", CONSENT)
            item = balance_item(CONSENT, account, "interaction-late")
            return (await own.ask("/accesses", await own.statements.sign_access(item)))[0].outcome

    assert "PARTICIPANT_SUSPENDED" in apart(asked()).reasons
