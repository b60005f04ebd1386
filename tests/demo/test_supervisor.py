"""A supervisor's morning: from an empty session to her answers, and home with the proof. What she reads is held against the
exported log, counted here; she is told nothing that the pages do not say."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page

from api.demo.oversight import INCIDENT
from api.web.locale import CATALOGUES
from tests.conformance import ROOT
from tests.demo.counting import Wrong, wrong_between
from tests.demo.running import RunningDemo

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600)]
NAMES = {
    "app-purse": "Purse (budgets)",
    "app-ledgerly": "Ledgerly (book-keeping)",
    "app-lendwell": "Lendwell (loans)",
    "bank-north": "North Bank",
    "bank-south": "South Bank",
}
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1180, "height": 900}


def command(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.fixture(scope="module")
def exported(demo: RunningDemo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole log with evidence, as the operator has it: what is true."""
    folder = tmp_path_factory.mktemp("truth") / "bundle"
    done = command("api.cli.main", "export", folder, "--state", demo.folder / "ledger", "--reason", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def truth_of(page: Page, exported: Path, zone: str) -> Wrong:
    """What is true of the period that the page says it is about."""
    days = [dt.date.fromisoformat(page.locator(f"input[name={name}]").input_value()) for name in ("from", "to")]
    first, last = (
        int(dt.datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
        for day in (days[0], days[1] + dt.timedelta(days=1))
    )
    assert (days[1] - days[0]).days == 6, "a week, without a click"
    return wrong_between(exported, first, last)


def in_words(language: str, seconds: int) -> str:
    unit, size = next((one for one in (("days", 86_400), ("hours", 3_600)) if seconds >= 2 * one[1]), ("minutes", 60))
    return CATALOGUES[language].counted(f"con.for.{unit}", seconds // size).format(count=seconds // size)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_supervisor_reads_her_answers_and_takes_the_proof_home(
    demo: RunningDemo, exported: Path, browser: Browser, tmp_path: Path, language: str, size: dict[str, int]
) -> None:
    catalogue = CATALOGUES[language]
    name, address = demo.doors["regulator"]
    context = browser.new_context(locale=language, viewport=size, accept_downloads=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address.replace("to=en", f"to={language}"))  # the demo's door: nobody is signed in yet
    page.get_by_role("button", name=name).click()
    page.wait_for_url("**/console/supervision")
    assert page.locator("html").get_attribute("lang") == language
    true = truth_of(page, exported, catalogue.text("language.zone"))

    # Which recipients were refused most last week, and why?
    rows = page.locator("section[aria-labelledby=most] .most > li")
    shown = [(row.locator(".row-head a").inner_text(), int(row.locator("strong").inner_text())) for row in rows.all()]
    assert dict(shown) == {NAMES[who]: count for who, count in true.refused.items()}
    assert [count for _, count in shown] == sorted((count for _, count in shown), reverse=True)
    worst = max(true.refused, key=lambda who: true.refused[who])
    reason, times = true.reasons[worst].most_common(1)[0]
    why = rows.first.locator(".why li").first.inner_text()
    assert re.match(rf"{times} × \S", why), why
    assert reason in why

    # Is any bank late with notices, and by how much?
    assert set(true.late) == {"bank-south"}, "the demo plants one"
    late = page.locator("section[aria-labelledby=notices] li", has=page.locator(".chip.bad"))
    assert [one.locator(".row-head strong").inner_text() for one in late.all()] == ["South Bank"]
    much = catalogue.text("con.sup.notices.late").format(time=in_words(language, true.late["bank-south"]))
    assert late.locator(".chip.bad").inner_text() == much

    # Which incidents are open, and what is due when?
    incident = page.locator("section[aria-labelledby=incidents] .rows > li")
    assert incident.count() == 1
    assert INCIDENT in incident.inner_text()
    assert "South Bank" in incident.inner_text()
    assert incident.locator(".clocks li").count() == incident.locator(".clocks .chip.wait").count() == 3
    save = os.environ.get("LEDGER_PICTURES")
    if save:
        page.screenshot(path=f"{save}/supervisor-{language}-{size['width']}.png", full_page=True)

    # What stands behind a figure is an entry with its proof.
    page.locator("section[aria-labelledby=most] .row-head a").first.click()
    page.locator("main a[href*='proof?index=']").first.click()
    page.wait_for_url("**/console/audit/proof?index=*")
    entry = f"{int(page.url.rpartition('=')[2]):,}"
    assert entry in page.locator("main .notice.good").inner_text()
    page.goto(f"{demo.url}/console/supervision")
    incident.locator("a").first.click()
    page.wait_for_url("**/console/incidents/*")
    assert page.locator(".clocks .chip.wait").count() == 3

    # Home with the proof, and the independent program says so there.
    page.goto(f"{demo.url}/console/supervision")
    with page.expect_download() as coming:
        page.locator("section[aria-labelledby=home] a[href='/console/audit/bundle']").click()
    coming.value.save_as(tmp_path / "log.zip")
    told = page.locator("section[aria-labelledby=home] pre").inner_text().split()
    assert told[:3] == ["consent-verify", "bundle", "log.zip"]
    checked = command("verifier", "bundle", tmp_path / "log.zip", "--policy", demo.folder / "policy")
    assert checked.returncode == 0, checked.stdout
    assert "VALID" in checked.stdout
    with page.expect_download() as coming:
        page.locator("section[aria-labelledby=home] a[href^='/console/supervision/figures.csv']").click()
    coming.value.save_as(tmp_path / "figures.csv")
    assert f"{worst}," in (tmp_path / "figures.csv").read_text(encoding="utf-8")
    context.close()
