"""Two people of one joint account, each in a browser of their own, see the truth about who did what, on every page and file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import virtual_authenticator
from tests.web.browsing import sign_in, tick_separately
from tests.web.site import MEI, WEI, Site, open_site
from tests.world import ConsentInWorld

pytestmark = pytest.mark.browser

ACCOUNTS = {
    MEI: [{"id": "m", "label": "Mei's salary"}, {"id": "j", "label": "Household", "joint": True}],
    WEI: [{"id": "w", "label": "Wei's savings"}, {"id": "j", "label": "Household", "joint": True}],
}
NAMES = {MEI: "Mei Lin", WEI: "Wei Chen"}
YOU = {"en": "You", "zh-CN": "您"}
OTHER = {"en": "The other holder", "zh-CN": "另一位持有人"}
AGREED = {"en": "{who} agreed", "zh-CN": "{who}已同意"}
PAUSED = {"en": "{who} paused sharing", "zh-CN": "{who}已暂停共享"}
RESUMED = {"en": "{who} resumed sharing", "zh-CN": "{who}已恢复共享"}
STOPPED = {
    "en": {"you": "You stopped sharing", "other": "The other holder stopped sharing"},
    "zh-CN": {"you": "您主动停止", "other": "另一位持有人已停止共享"},
}
SIGNED = {
    "en": {"you": "signed by you", "other": "signed by the other holder"},
    "zh-CN": {"you": "由您签署", "other": "由另一位持有人签署"},
}
OWN_KEY = {
    "en": {"you": "Your own passkey signed", "other": "The other holder's own passkey signed"},
    "zh-CN": {"you": "您本人的通行密钥签署了", "other": "另一位持有人本人的通行密钥签署了"},
}
FALSE_YOU = re.compile(
    r"您(已暂停|已恢复|主动停止|本人的通行密钥签署)|由您|\b(by you|your own passkey|you (paused|resumed|stopped))\b",
    re.IGNORECASE,
)
LANGUAGES = ("en", "zh-CN")


@dataclass
class Household:
    """The two people's pages, and the consent that they have in common."""

    site: Site
    pages: dict[str, Page]
    consent: ConsentInWorld
    agreed: int
    """The entry of Mei's agreement."""

    @property
    def key(self) -> int:
        return self.site.key(self.consent)

    def speak(self, who: str, language: str) -> Page:
        page = self.pages[who]
        page.goto(f"{self.site.url}/language?to={language}&next=/my/connections")
        return page

    def text(self, page: Page, path: str) -> str:
        page.goto(f"{self.site.url}{path}")
        return page.locator("main").inner_text()


@contextmanager
def household(browser: Browser, folder: Path) -> Iterator[Household]:
    """Mei has agreed with her passkey, Wei has given the joint account too."""
    with open_site(folder / "site", accounts=ACCOUNTS) as site:
        contexts = {who: browser.new_context(locale="en-GB", timezone_id="UTC") for who in (MEI, WEI)}
        pages = {who: context.new_page() for who, context in contexts.items()}
        try:
            mei = pages[MEI]
            virtual_authenticator(mei)
            sign_in(mei, site, NAMES[MEI], "/my/settings")
            mei.get_by_label("Name of this device").fill("Mei's phone")
            mei.get_by_role("button", name="Add a passkey").click()
            expect(mei.get_by_text("Mei's phone", exact=True).first).to_be_visible()
            request = site.ask()
            mei.goto(f"{site.url}/my/approve?consent={request.consent_id}")
            expect(mei.get_by_label("Wei's savings")).to_have_count(0)
            mei.get_by_label("Mei's salary").check()
            mei.get_by_label("Household").check()
            tick_separately(mei)
            mei.get_by_role("button", name="Continue").click()
            mei.get_by_role("button", name="Agree and sign with your passkey").click()
            expect(mei.get_by_text("Your agreement is recorded")).to_be_visible()
            agreed = site.world.ledger.records.consent(site.bank.id, request.consent_id).basis

            wei = pages[WEI]
            sign_in(wei, site, NAMES[WEI])
            wei.get_by_role("link", name=re.compile("a joint account waits")).click()
            expect(wei.get_by_label("Mei's salary")).to_have_count(0)
            expect(wei.get_by_label("Wei's savings")).to_have_count(0)  # only what waits for his answer
            wei.get_by_label("Household").check()
            tick_separately(wei)
            wei.get_by_role("button", name="Continue").click()
            wei.get_by_role("button", name="Agree without a passkey").click()
            expect(wei.get_by_text("Your agreement is recorded")).to_be_visible()
            accounts = site.world.ledger.records.consent(site.bank.id, request.consent_id).accounts
            consent = ConsentInWorld(request.consent_id, request.terms, 1, accounts)
            site.read(consent)
            yield Household(site, pages, consent, agreed)
        finally:
            for context in contexts.values():
                context.close()


def step(home: Household, who: str, path: str, button: str) -> None:
    """One of them does something, in English."""
    page = home.speak(who, "en")
    page.goto(f"{home.site.url}/my/connections/{home.key}/{path}")
    page.get_by_role("button", name=button).click()
    page.wait_for_load_state()


def pages_of(home: Household) -> tuple[str, ...]:
    return (
        "/my/connections",
        "/my/connections?tab=ended",
        f"/my/connections/{home.key}",
        f"/my/connections/{home.key}/history",
        "/my/receipts",
        "/my/settings",
        f"/my/receipts/{home.agreed}",
    )


def test_two_people_of_one_account_see_who_did_what_on_every_page_and_file(browser: Browser, tmp_path: Path) -> None:
    with household(browser, tmp_path) as home:
        step(home, WEI, "pause", "Pause")
        basis = home.site.world.ledger.records.consent(home.site.bank.id, home.consent.consent_id).basis
        for language in LANGUAGES:
            _sees_the_pause(home, basis, language)
        step(home, MEI, "resume", "Resume sharing")
        step(home, WEI, "stop", "Stop sharing")
        for language in LANGUAGES:
            _sees_the_end(home, language)
            _reads_it_in_files(home, language)
            _prints_it(home, language)
        _reads_the_settings(home)


def _sees_the_pause(home: Household, entry: int, language: str) -> None:
    you, other = (PAUSED[language].format(who=who[language]) for who in (YOU, OTHER))
    for who, told, untold in ((MEI, other, you), (WEI, you, other)):
        page = home.speak(who, language)
        for path in (
            "/my/connections",
            f"/my/connections/{home.key}",
            f"/my/connections/{home.key}/history",
            f"/my/receipts/{entry}",
            "/my/receipts",
        ):
            shown = home.text(page, path)
            assert told in shown, (who, path)
            assert untold not in shown, (who, path)


def _sees_the_end(home: Household, language: str) -> None:
    for who, me, them in ((MEI, "other", "you"), (WEI, "you", "other")):
        page = home.speak(who, language)
        for path in (
            "/my/connections?tab=ended",
            f"/my/connections/{home.key}",
            f"/my/connections/{home.key}/stopped",
            f"/my/connections/{home.key}/history",
            "/my/receipts",
        ):
            shown = home.text(page, path)
            assert STOPPED[language][me] in shown, (who, path)
            assert STOPPED[language][them] not in shown, (who, path)
        signed, unsigned = ("you", "other") if who == MEI else ("other", "you")
        for path in (
            f"/my/connections/{home.key}",
            f"/my/connections/{home.key}/history",
            f"/my/receipts/{home.agreed}",
        ):
            shown = home.text(page, path)
            assert SIGNED[language][signed].casefold() in shown.casefold(), (who, path)
            assert SIGNED[language][unsigned].casefold() not in shown.casefold(), (who, path)
        assert OWN_KEY[language][signed] in shown
        foreign = {MEI: "Wei's savings", WEI: "Mei's salary"}[who]
        for path in pages_of(home):
            assert foreign not in home.text(page, path), (who, path)


def _reads_it_in_files(home: Household, language: str) -> None:
    for who in (MEI, WEI):
        page = home.speak(who, language)
        table = page.request.get(f"{home.site.url}/my/export/csv").text().removeprefix("\ufeff")
        rows = {row["entry"]: row for row in csv.DictReader(io.StringIO(table))}
        answer = page.request.get(f"{home.site.url}/my/export/json").json()
        events = {str(one["entry"]): one for one in answer["events"]}
        agreed = str(home.agreed)
        mine = who == MEI
        assert rows[agreed]["event"] == AGREED[language].format(who=(YOU if mine else OTHER)[language])
        assert rows[agreed]["customer_signature"] == SIGNED[language]["you" if mine else "other"]
        assert events[agreed]["actor"] == events[agreed]["signature"] == ("you" if mine else "other")
        told = [(one["event"], one["actor"]) for one in events.values()]
        assert (RESUMED[language].format(who=(YOU if mine else OTHER)[language]), "you" if mine else "other") in told
        assert (STOPPED[language]["other" if mine else "you"], "other" if mine else "you") in told
        others = [row for row in rows.values() if events[row["entry"]]["actor"] != "you"]
        assert not [row for row in others if FALSE_YOU.search(" ".join(row.values()))]


def _prints_it(home: Household, language: str) -> None:
    page = home.speak(WEI, language)
    page.emulate_media(media="print")
    shown = home.text(page, f"/my/receipts/{home.agreed}")
    assert OWN_KEY[language]["other"] in shown
    assert "如需打印" not in shown
    assert "To print" not in shown
    home.text(page, f"/my/connections/{home.key}/history")
    # The first sheet holds more than the heading: the list may break between its rows.
    assert page.locator(".events").first.evaluate("e => getComputedStyle(e.closest('.card')).breakInside") == "auto"
    assert page.locator(".event").first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
    page.emulate_media(media="screen")


def test_a_passkey_that_the_bank_took_out_of_use_lets_nobody_in(browser: Browser, tmp_path: Path) -> None:
    with household(browser, tmp_path) as home:
        mei = home.pages[MEI]
        [passkey] = home.site.office.store.passkeys_of(home.site.people[MEI])
        gone = home.site.agent.unenrol(home.site.people[MEI], passkey.credential_id, "device-lost")
        home.site.world.ledger.record(gone.statement)
        assert "No longer valid in the log" in home.text(mei, "/my/settings")
        mei.get_by_role("button", name="Sign out here").click()
        mei.goto(f"{home.site.url}/sign-in")
        mei.get_by_role("button", name="Use a passkey").click()
        expect(mei.get_by_role("alert").first).to_contain_text("The passkey was not accepted")


def _reads_the_settings(home: Household) -> None:
    mine, his = (home.text(home.speak(who, "en"), "/my/settings") for who in (MEI, WEI))
    assert "Mei's phone" in mine
    assert "Mei's phone" not in his
    assert "A passkey of the other holder" in his
    page = home.pages[WEI]
    expect(page.get_by_role("button", name=re.compile("^Remove"))).to_have_count(0)


def test_a_file_that_is_checked_is_genuine_anothers_altered_or_nothing(browser: Browser, tmp_path: Path) -> None:
    with household(browser, tmp_path) as home, open_site(tmp_path / "elsewhere") as elsewhere:
        page = home.pages[MEI]
        genuine = page.request.get(f"{home.site.url}/my/receipts/{home.agreed}/file").text()
        foreign = elsewhere.shared()
        with elsewhere.client() as client:
            another = client.get(f"/my/receipts/{elsewhere.key(foreign)}/file").text
        altered = json.dumps({**json.loads(genuine), "opening": json.loads(another)["opening"]})
        cases = {
            "This receipt is genuine": genuine,
            "This receipt was altered or forged": altered,
            "This receipt is of another log or key": another,
            "This file is not a receipt": '{"a": 1}',
        }
        page.goto(f"{home.site.url}/verify")
        for number, (told, content) in enumerate(cases.items()):
            file = tmp_path / f"{number}.json"
            file.write_text(content)
            page.get_by_label("Drop a receipt file here").set_input_files(file)
            expect(page.locator("[data-verdict]:visible h2")).to_have_text(told)
