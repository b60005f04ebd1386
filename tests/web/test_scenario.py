"""What the pages are for, in a real browser: enrol, agree, watch, stop, prove; by keyboard; without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ledger.canonical import b64u
from ledger.entries.evidence import decode_evidence
from tests.browser import virtual_authenticator
from tests.web.browsing import sign_in, tick_separately
from tests.web.site import Site

pytestmark = pytest.mark.browser


def agree(page: Page, button: str) -> None:
    page.get_by_label("Everyday account").check()
    tick_separately(page)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=button).click()


def test_a_customer_enrols_agrees_watches_stops_and_proves(site: Site, page: Page, tmp_path: Path) -> None:
    virtual_authenticator(page)
    sign_in(page, site, path="/my/settings")
    page.get_by_label("Name of this device").fill("My phone")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("My phone", exact=True).first).to_be_visible()

    # She signs out, and in again with nothing but the passkey.
    page.get_by_role("button", name="Sign out here").click()
    request = site.ask()
    page.goto(f"{site.url}/my/approve?consent={request.consent_id}")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Plum Budget asks to read your data")).to_be_visible()

    # She agrees, and her passkey signs exactly what the page shows.
    page.get_by_label("Everyday account").check()
    tick_separately(page)
    page.get_by_role("button", name="Continue").click()
    shown = page.locator(".agreement").first.text_content()
    page.get_by_role("button", name="Agree and sign with your passkey").click()
    expect(page.get_by_text("Your agreement is recorded")).to_be_visible()
    expect(page.get_by_text("signed by you").first).to_be_visible()
    [authorised] = [
        one
        for one in site.world.ledger.records.history(site.bank.id, request.consent_id)
        if one.act == "consent.authorise"
    ]
    assertion = decode_evidence(authorised.evidence or b"").assertion
    assert assertion.signed.text_hash == b64u(sha256((shown or "").encode()).digest())  # type: ignore[union-attr]

    # An access appears while she looks.
    consent = site.world.ledger.records.consent(site.bank.id, request.consent_id)
    expect(page.get_by_text("New reads appear here while you look")).to_be_visible()
    request = type(request)(request.consent_id, request.terms, 1, consent.accounts)
    site.read(request)
    expect(page.get_by_text("Plum Budget has just read your data")).to_be_visible(timeout=10_000)

    # She stops, in two steps; it works at once.
    page.get_by_role("link", name="Stop sharing").click()
    page.get_by_role("button", name="Stop sharing").click()
    expect(page.get_by_role("heading", name="Sharing has stopped")).to_be_visible()
    expect(page.get_by_text("Not yet")).to_be_visible()
    refused = site.read(request)
    assert refused.outcome.reasons == ("CONSENT_REVOKED",)  # type: ignore[union-attr]
    page.reload()
    expect(page.get_by_text("Yes, at")).to_be_visible()

    # She takes the receipt with her, and her own browser checks it.
    page.get_by_role("link", name="Your receipt").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the file").click()
    receipt = tmp_path / "receipt.json"
    saved.value.save_as(receipt)
    page.get_by_role("link", name="Check it on this device").click()
    page.get_by_role("button", name=re.compile("Check receipt")).click()
    expect(page.get_by_role("heading", name="This receipt is genuine")).to_be_visible()

    # The saved file too; and not when a word of it is changed.
    page.get_by_label("Drop a receipt file here").set_input_files(receipt)
    expect(page.get_by_role("heading", name="This receipt is genuine")).to_be_visible()
    altered = json.loads(receipt.read_text())
    altered["evidence"] = altered["evidence"].replace("REVOKED", "EXPIRED")
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(altered))
    page.get_by_label("Drop a receipt file here").set_input_files(forged)
    expect(page.get_by_role("heading", name="This receipt was altered or forged")).to_be_visible()
    expect(page.locator("[data-step=commitment] [data-word]")).to_have_text("failed")


def test_an_unverified_gesture_signs_nothing(site: Site, page: Page) -> None:
    device = virtual_authenticator(page)
    sign_in(page, site, path="/my/settings")
    page.get_by_label("Name of this device").fill("Key")
    page.get_by_role("button", name="Add a passkey").click()
    request = site.ask()
    page.goto(f"{site.url}/my/approve?consent={request.consent_id}")
    device.verify_user(succeeds=False)
    agree(page, "Agree and sign with your passkey")
    expect(page.get_by_text("The passkey was not used")).to_be_visible()
    assert site.world.ledger.records.consent(site.bank.id, request.consent_id).status == "AWAITING"


def test_a_joint_request_is_shared_only_when_both_have_agreed(site: Site, page: Page, browser: Browser) -> None:
    request = site.ask(authorisers_required=2)
    sign_in(page, site, path=f"/my/approve?consent={request.consent_id}")
    agree(page, "Agree without a passkey")
    expect(page.get_by_text("Waiting for another approval").first).to_be_visible()
    # The same person cannot agree twice.
    page.goto(f"{site.url}/my/approve?consent={request.consent_id}")
    expect(page.get_by_text("You have agreed already")).to_be_visible()
    expect(page.get_by_role("button", name="Continue")).to_have_count(0)
    context = browser.new_context(locale="en-GB")
    other = context.new_page()
    sign_in(other, site, "Wei Chen")
    other.get_by_role("link", name=re.compile("one more approval")).click()
    agree(other, "Agree without a passkey")
    expect(other.get_by_text("Sharing", exact=True).first).to_be_visible()
    context.close()
    assert site.world.ledger.records.consent(site.bank.id, request.consent_id).status == "ACTIVE"


def test_a_change_is_shown_side_by_side_and_the_old_terms_continue_until_she_agrees(site: Site, page: Page) -> None:
    consent = site.shared(retention_days=90)
    after, submission = site.app.amend(consent, retention_days=365)
    site.world.record(submission)
    sign_in(page, site)
    page.get_by_role("link", name=re.compile("asks for a change")).click()
    row = page.get_by_role("row", name=re.compile("How long it may keep it"))
    expect(row).to_contain_text("at most 90 days from each read")
    expect(row).to_contain_text("at most 365 days from each read")
    assert site.read(consent).outcome.consent_version == 1  # type: ignore[union-attr]
    tick_separately(page)  # a change is agreed to as a whole, so these are asked again
    page.get_by_role("button", name="Continue").click()  # her accounts are chosen already
    page.get_by_role("button", name="Agree without a passkey").click()
    expect(page.get_by_text("Your agreement is recorded")).to_be_visible()
    assert site.read(after).outcome.consent_version == 2  # type: ignore[union-attr]


def test_the_language_can_be_changed_and_is_remembered(site: Site, page: Page) -> None:
    site.shared()
    sign_in(page, site)
    page.locator("summary").filter(has_text="English").click()
    page.get_by_role("link", name="简体中文").click()
    expect(page.get_by_role("heading", name="您的授权")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.get_by_role("link", name="停止共享").first.click()
    page.get_by_role("button", name="停止共享").click()
    expect(page.get_by_role("heading", name="共享已停止")).to_be_visible()


@pytest.fixture
def scriptless(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    yield context
    context.close()


def test_reading_and_stopping_work_without_scripts(site: Site, scriptless: BrowserContext) -> None:
    consent, second = site.shared(), site.shared()
    site.read(consent)
    page = scriptless.new_page()
    sign_in(page, site)
    page.goto(f"{site.url}/my/connections/{site.key(consent)}")
    expect(page.get_by_text("Plum Budget asked to read data").first).to_be_visible()
    expect(page.get_by_text("Load the page again to see what is new")).to_be_visible()
    page.get_by_text("See all history").click()
    expect(page.get_by_text("Read while you used the app").first).to_be_visible()
    page.goto(f"{site.url}/my/connections/{site.key(consent)}/stop")
    page.get_by_role("button", name="Stop sharing").click()
    expect(page.get_by_role("heading", name="Sharing has stopped")).to_be_visible()
    page.goto(f"{site.url}/my/stop-all")
    page.get_by_role("button", name="Stop everything").click()
    expect(page.get_by_role("heading", name="Everything has stopped.")).to_be_visible()
    assert site.world.ledger.records.consent(site.bank.id, second.consent_id).status == "REVOKED"
    page.goto(f"{site.url}/verify")
    expect(page.get_by_text("use the independent program consent-verify")).to_be_visible()


def tab_to(page: Page, name: str, limit: int = 60) -> None:
    """Press Tab until the focus stands on what is called `name`."""
    focused = "document.activeElement.textContent + '|' + (document.activeElement.labels?.[0]?.textContent ?? '')"
    for _ in range(limit):
        page.keyboard.press("Tab")
        if name in page.evaluate(focused):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"the focus on «{name}» cannot be seen"
            return
    raise AssertionError(f"«{name}» is not reached by keyboard")


def test_everything_is_done_by_keyboard_alone(site: Site, page: Page) -> None:
    request = site.ask()
    page.goto(f"{site.url}/my/approve?consent={request.consent_id}")
    for name, then in (("Sign in with your bank", "**/dev-idp/authorize*"), ("Mei Lin", "**/my/approve*")):
        tab_to(page, name)
        page.keyboard.press("Enter")
        page.wait_for_url(then)
    tab_to(page, "Everyday account")
    page.keyboard.press("Space")
    for _ in ("provision", "sensitive"):
        tab_to(page, "Yes, separately")
        page.keyboard.press("Space")
    tab_to(page, "Continue")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review")
    tab_to(page, "Agree without a passkey")
    page.keyboard.press("Enter")
    page.wait_for_url("**/my/connections/*")
    tab_to(page, "Stop sharing")
    page.keyboard.press("Enter")
    page.wait_for_url("**/stop")
    tab_to(page, "Yes, stop sharing")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sharing has stopped")).to_be_visible()


def test_stop_and_keep_have_equal_weight(site: Site, page: Page) -> None:
    consent = site.shared()
    sign_in(page, site, path=f"/my/connections/{site.key(consent)}/stop")
    boxes = []
    for one in page.locator(".choice .button").all():
        style = (
            "e => { const s = getComputedStyle(e); return "
            "[s.color, s.backgroundColor, s.fontSize, s.fontWeight, s.borderColor] }"
        )
        box = one.bounding_box()
        assert box
        boxes.append((box["width"], box["height"], one.evaluate(style)))
    assert len(boxes) == 2
    assert boxes[0] == boxes[1]
    assert page.locator("input[type=checkbox]:checked").count() == 0
