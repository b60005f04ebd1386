"""What can be agreed to or taken back by itself: separate consents, one account, a joint account, one's own yes; due dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ledger.canonical import b64u, unb64u
from ledger.documents import DelegationGranted, document_of
from ledger.entries.evidence import decode_evidence
from ledger.entries.statement import payload_of
from tests.clocks import HandClock
from tests.web.browsing import sign_in
from tests.web.reading import words_of
from tests.web.site import MEI, WEI, Site, csrf_of, open_site
from tests.world import DAY, ConsentInWorld


@pytest.fixture
def scriptless(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    yield context
    context.close()


def reasons(site: Site, consent: ConsentInWorld, **members: object) -> tuple[str, ...]:
    """Why an access is refused now."""
    outcome = site.read(consent, **members).outcome
    return outcome.reasons  # type: ignore[union-attr]


def state(site: Site, consent: ConsentInWorld):  # type: ignore[no-untyped-def]
    return site.world.ledger.records.consent(site.bank.id, consent.consent_id)


# -- separate consents --------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_each_separate_consent_has_its_own_unticked_control_and_words_and_the_log_their_hash(
    site: Site, page: Page
) -> None:
    request = site.ask()
    sign_in(page, site, path=f"/my/approve?consent={request.consent_id}")
    boxes = page.get_by_label(re.compile("^Yes, separately"))
    expect(boxes).to_have_count(2)
    assert page.locator("input:checked").count() == 0
    # PIPL art. 23: name, contact, purpose, method, kinds; arts 29, 30: necessity and effect.
    for told in (
        "Who receives it",
        "How to reach it",
        "Why",
        "How",
        "Which data",
        "Why it is needed",
        "What it can mean",
    ):
        expect(page.locator(".apart dt", has_text=told).first).to_be_visible()

    page.get_by_label("Everyday account").check()
    boxes.first.check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing can be shared without each separate yes")
    page.get_by_label("Everyday account").check()
    for box in page.get_by_label(re.compile("^Yes, separately")).all():
        box.check()
    page.get_by_role("button", name="Continue").click()
    shown = [text.text_content() or "" for text in page.locator("blockquote.apart").all()]
    page.get_by_role("button", name="Agree without a passkey").click()
    expect(page.get_by_text("Your agreement is recorded")).to_be_visible()

    [entry] = [
        one
        for one in site.world.ledger.records.history(site.bank.id, request.consent_id)
        if one.act == "consent.authorise"
    ]
    [statement] = decode_evidence(entry.evidence or b"").statements
    given = payload_of(statement).separate_consents  # type: ignore[union-attr]
    assert [(one.kind, one.text_hash) for one in given] == [
        (kind, b64u(sha256(text.encode()).digest()))
        for kind, text in zip(("provision", "sensitive"), shown, strict=True)
    ]
    assert "Plum Budget" in shown[0]


def test_a_separate_consent_is_taken_back_by_itself_and_given_again(shared_site: Site) -> None:
    site = shared_site
    consent = site.shared()
    assert reasons(site, consent) == ()
    key = site.key(consent)
    with site.client() as client:
        first = client.get(f"/my/connections/{key}/separate", params={"kind": "sensitive"})
        done = client.post(f"/my/connections/{key}/separate", data={"csrf": csrf_of(first), "kind": "sensitive"})
        assert "You withdrew a separate consent" in words_of(done.text)
        assert "Partner told Not yet" in words_of(done.text)
        assert reasons(site, consent) == ("SEPARATE_CONSENT_MISSING",)
        assert "not given" in words_of(client.get(f"/my/connections/{key}").text)
        # Twice is once: what is not given cannot be taken back.
        assert client.get(f"/my/connections/{key}/separate", params={"kind": "sensitive"}).status_code == 404
        # The app asks again; she ticks both, and it goes on.
        after, submission = site.app.amend(consent)
        site.world.record(submission)
        asked = client.get("/my/approve", params={"consent": consent.consent_id})
        form = {"csrf": csrf_of(asked), "consent": consent.consent_id, "account": list(consent.accounts)}
        assert client.post("/my/approve/review", data=form).status_code == 422
        client.post("/my/approve/review", data=form | {"separate": ["provision", "sensitive"]})
        client.post("/my/approve/agree", data={"csrf": form["csrf"]})
    assert reasons(site, after) == ()


def test_the_operators_word_on_how_to_reach_a_recipient_is_shown(tmp_path: Path) -> None:
    with open_site(tmp_path / "site", contacts={"plum": "privacy@plum.example"}) as site, site.client() as client:
        page = client.get("/my/approve", params={"consent": site.ask().consent_id})
        assert "privacy@plum.example" in page.text


# -- one account --------------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_one_account_is_stopped_in_two_steps_at_once_without_scripts(site: Site, scriptless: BrowserContext) -> None:
    consent = site.shared()
    page = scriptless.new_page()
    sign_in(page, site, path=f"/my/connections/{site.key(consent)}")
    page.get_by_role("link", name=re.compile("Stop this account.*Savings")).click()
    stop, keep = (box.bounding_box() for box in page.locator(".choice .button").all())
    assert stop
    assert keep
    assert (stop["width"], stop["height"]) == (keep["width"], keep["height"])
    page.get_by_role("button", name="Stop this account").click()
    expect(page.get_by_role("heading", name="You took accounts out")).to_be_visible()
    expect(page.get_by_text("Not yet")).to_be_visible()
    savings = next(
        one.reference for one in site.agent.accounts(site.people[MEI], consent.consent_id) if "Savings" in one.label
    )
    assert reasons(site, consent, accounts=[savings]) == ("ACCOUNT_APPROVAL_WITHDRAWN",)
    left = [one for one in consent.accounts if one != savings]
    assert reasons(site, consent, accounts=left) == ()
    page.reload()
    expect(page.get_by_text("Yes, at")).to_be_visible()  # the refusal was the partner's to sign for


def test_the_last_account_is_stopped_by_stopping_the_connection(shared_site: Site) -> None:
    site = shared_site
    consent = site.shared(accounts=1)
    key = site.key(consent)
    with site.client() as client:
        page = client.get(f"/my/connections/{key}/accounts", params={"account": consent.accounts[0]})
    assert page.url.path == f"/my/connections/{key}/stop"


# -- joint accounts, one's own yes --------------------------------------------------------------------------------------


def test_a_joint_account_waits_for_a_second_yes(shared_site: Site) -> None:
    site = shared_site
    consent = site.shared(accounts=4)
    joint = next(one for one in site.agent.accounts(site.people[MEI], consent.consent_id) if one.joint).reference
    with site.client() as client:
        assert "waits for a second approval" in words_of(client.get(f"/my/connections/{site.key(consent)}").text)
        assert "waits for your approval" not in words_of(client.get("/my/connections").text), "she has said hers"
    assert reasons(site, consent, accounts=[joint]) == ("ACCOUNT_APPROVAL_PENDING",)
    with site.client(WEI) as client:
        assert "a joint account waits for your approval" in words_of(client.get("/my/connections?tab=action").text)
        page = client.get("/my/approve", params={"consent": consent.consent_id})
        assert re.findall(r'name="account"\s+value="([^"]+)"', page.text) == [joint], "it is about this account only"
        form = {
            "csrf": csrf_of(page),
            "consent": consent.consent_id,
            "account": joint,
            "separate": ["provision", "sensitive"],
        }
        client.post("/my/approve/review", data=form)
        client.post("/my/approve/agree", data={"csrf": form["csrf"]})
    assert reasons(site, consent, accounts=[joint]) == ()


def test_one_of_two_takes_the_own_yes_back_and_may_give_it_again(shared_site: Site) -> None:
    site = shared_site
    consent = site.shared(authorisers_required=2)
    site.agree(consent, WEI)
    assert reasons(site, consent) == ()
    key = site.key(consent)
    with site.client(WEI) as client:
        page = client.get(f"/my/connections/{key}/approval")
        client.post(f"/my/connections/{key}/approval", data={"csrf": csrf_of(page)})
        assert state(site, consent).status == "PARTIAL"
        assert reasons(site, consent) == ("CONSENT_PARTIAL", "ACCOUNT_APPROVAL_WITHDRAWN")[:1]
        assert client.get(f"/my/connections/{key}/approval").status_code == 404, "there is none left to take back"
    with site.client() as client:
        assert client.get(f"/my/connections/{key}/approval").status_code == 404, (
            "hers is the only one: stopping is the way"
        )
    site.agree(consent, WEI)
    assert reasons(site, consent) == ()


def test_nobody_else_is_told_of_what_a_joint_holder_keeps_to_herself(site: Site) -> None:
    request = site.ask()
    with site.client() as client:
        page = client.get("/my/approve", params={"consent": request.consent_id})
        assert "If it is not safe for you that others know" in page.text
        mine = site.agent.accounts(site.people[MEI], request.consent_id)
        joint = next(one for one in mine if one.joint).reference
        form = {
            "csrf": csrf_of(page),
            "consent": request.consent_id,
            "account": joint,
            "alone": "1",
            "separate": ["provision", "sensitive"],
        }
        client.post("/my/approve/review", data=form)
        agreed = client.post("/my/approve/agree", data={"csrf": form["csrf"]})
        key = int(agreed.url.path.rsplit("/", 1)[1])
        assert "waits for" not in words_of(agreed.text), "it is shared as if it were hers alone"
        assert "Nobody else is told" in words_of(client.get(f"/my/connections/{key}/stop").text)
        assert "Plum Budget" in client.get("/my/export/csv").text
    access = site.read(replace(request, accounts=(joint,)))
    assert access.outcome.decision == "allow"  # type: ignore[union-attr]
    chain = site.world.ledger.records.history_of_chain(site.people[MEI].chain)
    assert any(
        b"suppress_notify" in unb64u(decode_evidence(one.evidence or b"").statements[0].split(".")[1]) for one in chain
    )

    with site.client(WEI) as client:
        for path in (
            "/my/connections",
            "/my/connections?tab=action",
            "/my/receipts",
            "/my/stop-all",
            "/my/export/csv",
            "/my/export/json",
            "/my/erase",
        ):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "Plum" not in answer.text, path
            assert request.consent_id not in answer.text, path
        indexes = [one.index for one in chain] + [access.index]
        for path in (
            f"/my/connections/{key}",
            f"/my/connections/{key}/history",
            f"/my/connections/{key}/stop",
            f"/my/connections/{key}/live",
            f"/my/approve?consent={request.consent_id}",
            *(f"/my/receipts/{index}{end}" for index in indexes for end in ("", "/file", "/report")),
        ):
            assert client.get(path).status_code == 404, path
        # What he stops is what he sees.
        client.post("/my/stop-all", data={"csrf": csrf_of(client.get("/my/settings"))})
        assert state(site, request).status == "ACTIVE"
        # Nor can he have it erased unawares.
        client.post("/my/erase", data={"csrf": csrf_of(client.get("/my/settings"))})
        wish = site.office.store.inbox.erasure_of(site.people[WEI])
        assert wish is not None
        assert b64u(site.people[WEI].chain) not in wish.chains


# -- due dates, roles, agents -------------------------------------------------------------------------------------------


def test_confirming_with_the_bank_is_shown_when_due_and_lets_sharing_continue(tmp_path: Path) -> None:
    clock = HandClock()
    with open_site(tmp_path / "site", clock=clock) as site, site.client() as client:
        consent = site.shared(reauthenticate_days=10, reconfirm_days=60)
        key = site.key(consent)
        page = words_of(client.get(f"/my/connections/{key}").text)
        assert "Confirm with your bank again by" in page
        assert "The app must ask you again by" in page
        clock.advance(seconds=10 * DAY)
        assert reasons(site, consent) == ("REAUTHENTICATION_REQUIRED",)
        site.sign_in(client, MEI)
        assert "overdue: nothing is shared until then" in words_of(client.get(f"/my/connections/{key}").text)
        assert "Confirm again by" in words_of(client.get("/my/connections?tab=action").text)
        clock.advance(seconds=400)  # a sign-in, but not a fresh one
        token = csrf_of(client.get(f"/my/connections/{key}/renew"))
        stale = client.post(f"/my/connections/{key}/renew", data={"csrf": token}, follow_redirects=False)
        assert stale.headers["location"].startswith("/step-up?next=")
        site.sign_in(client, MEI, f"/sign-in/start?fresh=1&next=/my/connections/{key}/renew")
        token = csrf_of(client.get(f"/my/connections/{key}/renew"))
        done = client.post(f"/my/connections/{key}/renew", data={"csrf": token})
        assert "You confirmed with the bank again" in words_of(done.text)
        assert reasons(site, consent) == ()


def test_the_page_shows_who_acted_for_whom_and_in_what_quality(site: Site) -> None:
    from tests.web.site import join_named

    agency = join_named(site.world, "agency", "Agency & Sons", "technology-provider")
    site.world.ledger.record_documents(
        document_of(DelegationGranted, participant="plum", delegate="agency", acts=("access.request",))
    )
    consent = site.agree(site.ask(), acting_role="guardian")
    statement = agency.sign("access.request", on_behalf_of="plum", **agency.item(consent))
    access = site.world.ledger.record(statement)[0]
    assert access.outcome.decision == "allow"  # type: ignore[union-attr]
    with site.client() as client:
        history = words_of(client.get(f"/my/connections/{site.key(consent)}/history").text)
        receipt = words_of(client.get(f"/my/receipts/{access.index}").text)
    for text in (history, receipt):
        assert "through Agency & Sons" in text
        assert "Plum Budget" in text
    assert "as a guardian" in history


def test_an_asserted_reason_is_told_in_words(shared_site: Site) -> None:
    site = shared_site
    consent = site.shared()
    item = site.bank.item(consent)
    [refused] = site.world.ledger.record(
        site.bank.sign("access.request", relayed=True, asserted=["CERT_EXPIRED"], **item)
    )
    assert refused.outcome.decision == "deny"  # type: ignore[union-attr]
    for language, told in (("en", "proof of who it is had run out"), ("zh-CN", "身份证书已过期")):
        with site.client(language=language) as client:
            page = client.get(f"/my/connections/{site.key(consent)}/history?show=refused")
        assert told in page.text


def test_the_terms_stand_on_the_receipts_of_asking_and_agreeing(shared_site: Site) -> None:
    site = shared_site
    consent = site.shared()
    key = site.key(consent)
    with site.client() as client:
        asked = words_of(client.get(f"/my/receipts/{key}").text)
        agreed = words_of(client.get(f"/my/receipts/{key + 1}").text)
    for told in (
        "Plum Budget",
        "To help you plan your money",
        "How long it may keep it at most 90 days from each read",
        "From Bank-A",
    ):
        assert told in asked
    assert "Fingerprint of the words shown" in agreed
