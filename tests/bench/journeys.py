"""What people come for, walked in a real browser on a phone: taps and seconds. `python -m tests.bench.journeys` prints a table.

A tap is a click on a link or control, or a field that is filled in. Seconds are the machine's: from the first page until the
last one has what was wanted; reading and thinking come on top. A journey that cannot be walked stops the run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from api.web.subscriptions import KINDS
from tests.browser import FLAGS, chromium
from tests.events.kit import receiving
from tests.web.banks import ANNA, NAMES, NORTH, PEOPLE, SOUTH, Banks, open_banks
from tests.web.consoles import Consoles, as_site, open_consoles
from tests.web.reporting import report
from tests.web.site import MEI, Site


@dataclass
class Walk:
    """A browser that counts taps."""

    page: Page
    base: str
    taps: int = 0

    def open(self, path: str) -> None:
        """Where the journey begins."""
        self.page.goto(self.base + path)

    def tap(self, selector: str) -> None:
        """Click the first of these that can be seen."""
        self.taps += 1
        self.page.locator(f"{selector} >> visible=true").first.click()
        self.page.wait_for_load_state()

    def write(self, selector: str, text: str) -> None:
        """Fill in a field."""
        self.taps += 1
        self.page.locator(selector).first.fill(text)

    def choose(self, selector: str, value: str) -> None:
        """Choose from a list."""
        self.taps += 1
        self.page.locator(selector).first.select_option(value)

    def copy_number(self) -> None:
        """Type the number that the page asks for."""
        asked = self.page.locator("label:has(input[name=typed])").inner_text()
        self.write("input[name=typed]", asked.rpartition(":")[2].strip().replace(",", ""))

    def sees(self, text: str) -> None:
        """Wait until the page says what was wanted."""
        self.page.get_by_text(text).first.wait_for()


Journey = Callable[[Walk], None]


def customers(site: Site) -> dict[str, Journey]:
    """The journeys of a customer; each begins at her overview."""
    live, other, doomed = site.shared(accounts=3), site.shared(), site.shared()
    access = site.read(live)
    key, also, last = site.key(live), site.key(other), site.key(doomed)
    number = report(site, access.index, "Who was this?")

    def see(walk: Walk) -> None:
        walk.open("/my/connections")
        walk.sees("apps can read")

    def often(walk: Walk) -> None:
        walk.open("/my/connections")
        walk.tap(f'a[href="/my/connections/{key}"]')
        walk.sees("14 days")

    def stop(walk: Walk) -> None:
        walk.open(f"/my/connections/{last}")
        walk.tap(f'a[href="/my/connections/{last}/stop"]')
        walk.tap("main form button")
        walk.sees("May we ask why you stopped?")

    def why(walk: Walk) -> None:
        walk.open(f"/my/connections/{last}/stopped")
        walk.tap('input[value="not-used"]')
        walk.tap('main form[action$="stopped"] button')
        walk.sees("After you stopped sharing")

    def pause(walk: Walk) -> None:
        walk.open(f"/my/connections/{also}")
        walk.tap(f'a[href="/my/connections/{also}/pause"]')
        walk.tap("main form button")
        walk.tap("main form[data-for-seconds] button")
        walk.sees("Sharing")

    def part(walk: Walk) -> None:
        walk.open(f"/my/connections/{key}")
        walk.tap("a.apart-link[href*='accounts']")
        walk.tap("main form button")
        walk.sees("Since")

    def unexpected(walk: Walk) -> None:
        walk.open(f"/my/connections/{key}")
        walk.tap(f'a[href="/my/receipts/{access.index}/report"]')
        walk.write("#words", "I was asleep")
        walk.tap("main form button")
        walk.sees("Recorded in the log")

    def answered(walk: Walk) -> None:
        walk.open("/my/connections")
        walk.tap('nav.main a[href="/my/receipts"]')
        walk.tap('a[href="/my/feedback"]')
        walk.tap(f'a[href="/my/feedback/{number}"]')
        walk.sees("Answers so far")

    def check(walk: Walk) -> None:
        walk.open(f"/my/receipts/{access.index}")
        walk.tap(f'a[href="/verify?entry={access.index}"]')
        walk.tap("main button")
        walk.sees("This receipt is genuine")

    def told(walk: Walk) -> None:
        walk.open("/my/connections")
        walk.tap('nav.main a[href="/my/settings"]')
        walk.tap('a[href="/my/notices"]')
        assert len(KINDS) == 10
        walk.sees("Being told")

    def all_of_them(walk: Walk) -> None:
        walk.open("/my/connections")
        walk.tap('a[href="/my/stop-all"]')
        walk.tap("main form button")
        walk.sees("topped")

    return {
        "who reads my data": see,
        "how often": often,
        "stop one app": stop,
        "say why": why,
        "pause and undo": pause,
        "take one account out": part,
        "«I did not expect this»": unexpected,
        "what was answered": answered,
        "check a receipt": check,
        "find where I am told": told,
        "stop everything": all_of_them,
    }


def answers(site: Site) -> dict[str, Journey]:
    """Journeys of a customer whom an app has sent, and of one who wants to know whether this is all."""
    asked, wide, key = site.ask(), site.ask(), site.key(site.shared())

    def agree(walk: Walk) -> None:
        walk.open(f"/my/approve?consent={asked.consent_id}")
        walk.tap("input[name=account]")
        for place in range(walk.page.locator("input[name=separate]").count()):
            walk.tap(f"input[name=separate] >> nth={place}")
        walk.tap('form[action="/my/approve/review"] button')
        walk.tap('form[action="/my/approve/agree"] button')
        walk.sees("Sharing")

    def less(walk: Walk) -> None:
        walk.open(f"/my/approve?consent={wide.consent_id}")
        walk.tap("main details.alone:has(input[name=less]) summary")
        walk.tap('input[value="frequency"]')
        walk.tap('details button[formaction$="decline"]')
        walk.sees("was told that you would agree to")

    def everything(walk: Walk) -> None:
        walk.open(f"/my/connections/{key}")
        walk.tap(f'a[href="/my/connections/{key}/complete"]')
        walk.sees("complete")

    return {"is this everything?": everything, "agree to one account": agree, "agree to less than was asked": less}


def at_work(site: Site) -> dict[str, tuple[str, Journey]]:
    """Journeys of people at work: account and steps."""
    number = report(site, site.read(site.shared()).index, "Who was that?")
    other = report(site, site.read(site.shared()).index, "And that?")

    def answer(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/partner/feedback"]')
        walk.tap(f'a[href="/console/partner/feedback/{number}"]')
        walk.tap('input[value="answered"]')
        walk.write("#words", "It was the nightly update.")
        walk.tap('form[action$="answer"] button')
        walk.sees("Answered")

    def close(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/partner/feedback"]')
        walk.tap(f'a[href="/console/partner/feedback/{other}"]')
        walk.tap('form[action$="assign"] button')
        walk.tap('input[value="closed"]')
        walk.write("#words", "You agreed to it in May.")
        walk.tap('form[action$="answer"] button')
        walk.sees("This feedback is closed")

    def counts(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/audit/feedback"]')
        walk.sees("Customer feedback by bank")

    def export(walk: Walk) -> None:
        walk.open("/console/partner/feedback")
        walk.write("input[name=q]", number)
        walk.tap("main form.find button")
        walk.page.locator(f'td a[href$="{number}"] >> visible=true').wait_for()
        with walk.page.expect_download():
            walk.page.locator("a[href*='feedback.csv']").first.click()
        walk.taps += 1

    def refused(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/partner/calls"]')
        walk.sees("Ask for less, or propose an amendment with the permission.")

    def figures(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('main a[href*="/supervision/refusals"]')
        walk.sees("PURPOSE_MISMATCH")

    def health(walk: Walk) -> None:
        walk.open("/console")
        walk.sees("Health")

    return {
        "bank: answer a customer": ("Bea", answer),
        "bank: take a customer's feedback on, and close it": ("Bea", close),
        "supervisor: are customers answered": ("Rita", counts),
        "bank: find one customer's feedback, and export it": ("Bea", export),
        "app: why was I refused, and what to do": ("Pia", refused),
        "supervisor: why was one app refused": ("Rita", figures),
        "operator: is all well": ("Olaf", health),
    }


def settling(url: str) -> dict[str, tuple[str, Journey]]:
    """Journeys of people at work that change something for their employer: account and steps. `url`: where an app listens."""

    def tell(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/partner/sandbox"]')
        walk.tap('nav.tabs a[href="/console/partner/endpoint"]')
        walk.write("input[name=url]", url)
        walk.tap('form[action$="endpoint"] button')
        walk.tap('form[action$="test"] button')
        walk.sees("Acknowledged after")

    def delegate(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/partner/sandbox"]')
        walk.tap('nav.tabs a[href="/console/partner/delegations"]')
        walk.choose("select[name=delegate]", "sign-co")
        walk.tap('input[value="consent.suspend"]')
        walk.tap('form[action$="preview"] button')
        walk.copy_number()
        walk.tap('form[action$="delegations"] button')
        walk.sees("in force")

    def end(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/partner/sandbox"]')
        walk.tap('nav.tabs a[href="/console/partner/delegations"]')
        walk.tap('main a[href$="/end"]')
        walk.tap('form[action$="end"] button')
        walk.sees("ended")

    def ask(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/audit/bundles"]')
        for name, said in (("case", "case-7"), ("from_index", "30"), ("to_index", "32")):
            walk.write(f"input[name={name}]", said)
        walk.tap('form[action$="preview"] button')
        walk.copy_number()
        walk.tap('form[action$="cases"] button')
        walk.sees("You have asked for this")

    def confirm(walk: Walk) -> None:
        walk.open("/console")
        walk.tap('nav.main a[href="/console/audit/bundles"]')
        walk.copy_number()
        walk.tap('form[action$="confirm"] button')
        walk.sees("It is on record")

    return {
        "app: be told of events, and try it": ("Pia", tell),
        "bank: let a provider sign": ("Bea", delegate),
        "bank: end that": ("Bea", end),
        "supervisor: ask for the evidence of a case": ("Rita", ask),
        "supervisor: open it, as the second person": ("Rose", confirm),
    }


def at_several(banks: Banks) -> dict[str, Journey]:
    """Journeys of a woman with two banks: she links them, and stops at the one where she is not."""
    consent = banks.shared(ANNA[NORTH], "plum")
    banks.shared(ANNA[SOUTH], "quince")
    names = {one["sub"]: one["name"] for one in PEOPLE}

    def link(walk: Walk) -> None:
        walk.open("/my/connections")
        walk.tap('a[href="/my/together"]')
        walk.tap('form[action="/my/together/add"] button')
        walk.tap(f'button:has-text("{names[ANNA[SOUTH]]}")')
        walk.tap('form[action="/my/together/join"] button')
        walk.sees(NAMES[NORTH])

    def stop(walk: Walk) -> None:
        walk.open("/my/together")
        walk.tap(f'section.bank:has-text("{NAMES[NORTH]}") form:has(input[value$="/stop"]) button')
        walk.tap("main form button")
        walk.sees("May we ask why you stopped?")
        assert banks.status(consent) == "REVOKED"

    return {"all my banks on one page": link, "stop one app at another bank": stop}


def walked(browser: Browser, consoles: Consoles | Banks, who: str, journeys: dict[str, Journey]) -> None:
    """Walk journeys as somebody, and print a row for each."""
    page = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844}).new_page()
    page.set_default_timeout(8_000)
    page.goto(f"{consoles.url}/sign-in/start")
    page.get_by_role("button", name=who).first.click()
    page.wait_for_load_state()
    for name, journey in journeys.items():
        walk, begun = Walk(page, consoles.url), time.perf_counter()
        journey(walk)
        print(f"| {name} | {walk.taps} | {time.perf_counter() - begun:.1f} |", flush=True)


def main() -> None:
    """Walk all of them on one site."""
    with tempfile.TemporaryDirectory() as folder, open_consoles(Path(folder) / "site") as consoles:
        site = as_site(consoles)
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
            print("| journey | taps | seconds |\n|---|---|---|")
            with receiving() as receiver:
                for name, (who, journey) in (at_work(site) | settling(receiver.url)).items():
                    walked(browser, consoles, who, {name: journey})
            walked(browser, consoles, site.people[MEI].name, answers(site) | customers(site))
            with open_banks(Path(folder) / "banks") as banks:
                walked(browser, banks, "Anna Nowak", at_several(banks))
            browser.close()


if __name__ == "__main__":
    main()
