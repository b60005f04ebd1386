"""A device whose passkeys are of a kind that is not taken (RS256 alone): she reads why, and what helps; nothing is recorded."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from api.web.words import Words
from tests.web.accessibility import LANGUAGES, judged
from tests.web.site import Site

pytestmark = pytest.mark.browser
OLD_DEVICE = """() => {
  // what a browser does where the device knows none of the algorithms (WebAuthn 2, section 5.1.3, step 10)
  navigator.credentials.create = async () => { throw new DOMException("no algorithm", "NotSupportedError"); };
}"""


@pytest.mark.parametrize("locale", sorted(LANGUAGES))
def test_an_old_device_is_told_what_helps(shared_site: Site, browser: Browser, locale: str) -> None:
    site, words = shared_site, Words(LANGUAGES[locale], "UTC")
    context = browser.new_context(locale=locale, viewport={"width": 320, "height": 700}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{site.url}/sign-in/start?next=/my/settings")
    page.get_by_role("button", name="Mei Lin").click()
    form = page.locator("form[data-passkey=create]")
    asked = json.loads(form.get_attribute("data-options") or "")["pubKeyCredParams"]
    assert {one["alg"] for one in asked} == {-7, -8}, "what is asked for is what the specification takes"
    before = site.world.ledger.tree.size()
    page.evaluate(OLD_DEVICE)
    form.get_by_role("button").click()
    message = form.locator("[data-message]")
    expect(message).to_have_text(words.t("passkey.unsupported"))
    assert "RS256" in message.inner_text()
    assert judged(page, "an old device") == []
    assert site.world.ledger.tree.size() == before
    context.close()
