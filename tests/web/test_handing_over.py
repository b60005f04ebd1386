"""An app sends its customer to the bank's pages and gets her back, with her answer."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.web.site import OLGA, Site

BACK = "https://app.example/back"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
pytestmark = pytest.mark.browser


@pytest.fixture
def phone(browser: Browser) -> Page:
    """A phone on which the app's own page can be reached."""
    page = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844}).new_page()
    page.route("https://app.example/**", lambda route: route.fulfill(body="<h1>the app</h1>", content_type="text/html"))
    return page


def _sign_in(page: Page, name: str) -> None:
    page.get_by_text("Sign in with your bank").click()
    page.get_by_role("button", name=name).click()


def _came_back(page: Page) -> dict[str, str]:
    page.wait_for_url(BACK + "**")
    assert page.get_by_role("heading", name="the app").is_visible()
    return {name: value for name, [value] in parse_qs(urlsplit(page.url).query).items()}


def _agree(page: Page) -> None:
    page.locator("input[name=account]").first.check()
    for box in page.locator("input[name=separate]").all():
        box.check()
    page.locator("form[action='/my/approve/review'] button").first.click()
    page.wait_for_url("**/review")
    page.get_by_role("button", name="Agree without a passkey").click()


def test_she_signs_in_agrees_and_is_taken_back_with_a_code(shared_site: Site, phone: Page) -> None:
    consent = shared_site.ask()
    phone.goto(shared_site.sent_here(consent, BACK, "s-1"))
    _sign_in(phone, "Mei Lin")
    phone.wait_for_url("**/my/approve**")
    assert phone.get_by_text("you go back to app.example").is_visible()
    _agree(phone)
    back = _came_back(phone)
    assert (back["state"], back["iss"]) == ("s-1", shared_site.url)
    assert shared_site.world.ledger.records.consent("plum", consent.consent_id).status.value == "ACTIVE"
    grant = shared_site.flow.redeemed(
        {"code": back["code"], "redirect_uri": BACK, "code_verifier": VERIFIER},
        "plum",
        "",
        shared_site.world.clock.now() / 1000,
    )
    assert grant.grant_id == consent.consent_id


def test_she_says_no_and_is_taken_back_without_one(shared_site: Site, phone: Page) -> None:
    consent = shared_site.ask()
    phone.goto(shared_site.sent_here(consent, BACK))
    _sign_in(phone, "Mei Lin")
    phone.get_by_role("button", name="Decline").click()
    assert _came_back(phone)["error"] == "access_denied"
    assert shared_site.world.ledger.records.consent("plum", consent.consent_id).status.value == "REJECTED"


@pytest.mark.parametrize("agrees", [True, False])
def test_without_a_code_she_is_taken_to_the_address_of_her_answer(shared_site: Site, phone: Page, agrees: bool) -> None:
    """Berlin Group's redirect: the app named an address for yes and one for no, and gets each as it wrote it."""
    consent = shared_site.ask()
    yes, no = "https://app.example/yes?state=s-1&n=%20", "https://app.example/no?state=s-1"
    phone.goto(shared_site.sent_plainly(consent, yes, no))
    _sign_in(phone, "Mei Lin")
    phone.wait_for_url("**/my/approve**")
    assert phone.get_by_text("you go back to app.example").is_visible()
    if agrees:
        _agree(phone)
    else:
        phone.get_by_role("button", name="Decline").click()
    phone.wait_for_url("https://app.example/**")
    assert phone.url == (yes if agrees else no)
    status = shared_site.world.ledger.records.consent("plum", consent.consent_id).status.value
    assert status == ("ACTIVE" if agrees else "REJECTED")


def test_a_customer_who_agreed_before_is_taken_back_after_the_sign_in(shared_site: Site, phone: Page) -> None:
    consent = shared_site.shared()
    phone.goto(shared_site.sent_here(consent, BACK))
    _sign_in(phone, "Mei Lin")
    assert "code" in _came_back(phone)


def test_another_persons_consent_takes_nobody_back(shared_site: Site, phone: Page) -> None:
    consent = shared_site.shared()
    phone.goto(shared_site.sent_here(consent, BACK))
    _sign_in(phone, "Olga Novak")
    assert phone.locator("h1").is_visible()
    assert phone.url.startswith(shared_site.url)
    assert shared_site.people[OLGA].subject not in phone.content()


def test_an_address_that_no_app_pushed_leads_nowhere(shared_site: Site, phone: Page) -> None:
    answer = phone.goto(f"{shared_site.url}/authorize?client_id=plum&redirect_uri={BACK}&response_type=code")
    assert answer is not None
    assert answer.status == 404
    assert phone.url.startswith(shared_site.url)
