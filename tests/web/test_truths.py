"""Sentences that were not true, or were lost: counts, deadlines, drafts that ran out, deliveries, strange passkeys."""

from __future__ import annotations

import html
import re
from pathlib import Path

import httpx2
import pytest

from api.web.customer import EVENTS
from tests.clocks import HandClock
from tests.web.consoles import open_consoles
from tests.web.reading import words_of
from tests.web.site import MEI, WEI, Site, csrf_of, open_site
from tests.world import DAY, ConsentInWorld

TICKS = {"separate": ["provision", "sensitive"]}


def token_of(client: httpx2.Client) -> str:
    return csrf_of(client.get("/my/settings"))


def accounts_on(page: httpx2.Response) -> list[tuple[str, bool]]:
    """The accounts that a page offers, and whether each is ticked."""
    found = re.findall(r'name="account"\s+value="([^"]+)"(\s+checked)?', page.text)
    return [(reference, bool(ticked)) for reference, ticked in found]


# -- agreeing -----------------------------------------------------------------------------------------------------------


def test_her_choices_survive_a_missing_tick_and_the_message_appears_beside_it(site: Site) -> None:
    request = site.ask()
    with site.client() as client:
        address = f"/my/approve?consent={request.consent_id}"
        offered = accounts_on(client.get(address))
        assert not any(ticked for _, ticked in offered), "nothing is ticked for her"
        form = {
            "csrf": token_of(client),
            "consent": request.consent_id,
            "account": [offered[0][0], offered[2][0]],
            "separate": ["sensitive"],
            "alone": "1",
        }
        page = client.post("/my/approve/review", data=form)
        assert page.status_code == 422
        for shown in (page, client.get(address)):  # and still, when she comes back, or changes the language
            assert [ticked for _, ticked in accounts_on(shown)] == [True, False, True, False]
            assert re.search(r'name="separate"\s+value="sensitive"\s+checked', shown.text)
            assert not re.search(r'name="separate"\s+value="provision"\s+checked', shown.text)
            assert re.search(r'name="alone"\s+value="1"\s+checked', shown.text)
        # The message is at the control, the control says so, the top of the page leads there, and so does the title.
        control = page.text.index('value="provision"')
        message = page.text.index('id="problem"')
        assert 0 < control - message < 500
        assert re.search(r'value="provision"[^>]*aria-invalid="true"\s+aria-describedby="problem"', page.text)
        assert 'href="#problem"' in page.text
        assert "<title>Something is missing" in page.text
        # Another language: the same page.
        link = re.search(r'href="(/language\?to=zh-CN[^"]*)"', page.text)
        assert link
        there = client.get(html.unescape(link[1]))
        assert there.url.raw_path.decode() == address
        assert "请求读取您的数据" in there.text
        assert [ticked for _, ticked in accounts_on(there)] == [True, False, True, False]


def test_without_an_account_the_message_stands_at_the_accounts(site: Site) -> None:
    request = site.ask()
    with site.client() as client:
        form = {"csrf": token_of(client), "consent": request.consent_id, **TICKS}
        page = client.post("/my/approve/review", data=form)
    assert "Please choose at least one account." in words_of(page.text)
    assert page.text.index('id="problem"') < page.text.index('name="account"') < page.text.index('name="separate"')
    assert len(re.findall(r'name="separate"\s+value="\w+"\s+checked', page.text)) == 2


def test_a_draft_that_ran_out_is_explained_and_nothing_must_be_chosen_again(tmp_path: Path) -> None:
    clock = HandClock()
    with open_site(tmp_path / "site", clock=clock) as site, site.client() as client:
        request = site.ask()
        address = f"/my/approve?consent={request.consent_id}"
        first = accounts_on(client.get(address))[0][0]
        form = {"csrf": token_of(client), "consent": request.consent_id, "account": first, **TICKS}
        client.post("/my/approve/review", data=form)
        clock.advance(seconds=601)
        for late in (client.post("/my/approve/agree", data={"csrf": form["csrf"]}), client.get("/my/approve/review")):
            assert late.status_code == 410
            assert "Nothing was agreed" in words_of(late.text)
        page = client.post("/my/approve/review", data=form)  # once more, to see what the first look offers
        clock.advance(seconds=601)
        late = client.get("/my/approve/review")
        assert f"consent={request.consent_id}" in late.text
        assert accounts_on(client.get(address))[0] == (first, True)
        assert page.status_code == 200
        assert site.world.ledger.records.consent("bank-a", request.consent_id).status == "AWAITING"


def test_a_step_up_on_the_way_to_agreeing_loses_nothing(tmp_path: Path) -> None:
    clock = HandClock()
    with open_site(tmp_path / "site", clock=clock) as site, site.client() as client:
        request = site.ask()
        clock.advance(seconds=400)  # signed in, but not within five minutes
        first = accounts_on(client.get(f"/my/approve?consent={request.consent_id}"))[0][0]
        form = {"csrf": token_of(client), "consent": request.consent_id, "account": first, **TICKS}
        assert "First confirm that it is you" in words_of(client.post("/my/approve/review", data=form).text)
        there = site.sign_in(client, MEI, "/sign-in/start?fresh=1&next=/my/approve/review")
        assert "This is exactly what you agree to" in words_of(there.text)
        done = client.post("/my/approve/agree", data={"csrf": csrf_of(there)})
        assert "Your agreement is recorded" in words_of(done.text)


def test_a_new_sign_in_forgets_another_persons_pending_agreement(tmp_path: Path) -> None:
    with open_site(tmp_path / "site") as site, site.client() as client:
        request = site.ask()
        first = accounts_on(client.get(f"/my/approve?consent={request.consent_id}"))[0][0]
        form = {"csrf": token_of(client), "consent": request.consent_id, "account": first, **TICKS}
        client.post("/my/approve/review", data=form)
        client.post("/sign-out", data={"csrf": form["csrf"]})
        site.sign_in(client, WEI)
        assert client.get("/my/approve/review").status_code == 410
        assert not any(ticked for _, ticked in accounts_on(client.get(f"/my/approve?consent={request.consent_id}")))


def test_the_end_of_a_consent_is_not_called_a_time_to_answer(site: Site) -> None:
    request = site.ask(expires_at=site.world.clock.now() // 1000 + 90 * DAY)
    for language, word in (("en", "nswer before"), ("zh-CN", "前答复")):
        with site.client(language=language) as client:
            assert word not in client.get(f"/my/approve?consent={request.consent_id}").text


# -- words that were lost -----------------------------------------------------------------------------------------------


def test_a_report_that_arrives_after_the_session_ended_is_explained_and_kept_for_her_alone(tmp_path: Path) -> None:
    clock = HandClock()
    with open_site(tmp_path / "site", clock=clock) as site, site.client() as client, site.client(None) as stranger:
        index = site.read(site.shared(accounts=3)).index
        path = f"/my/receipts/{index}/report"
        token = csrf_of(client.get(path))
        clock.advance(seconds=16 * 60)
        late = client.post(path, data={"csrf": token, "words": "<b>I was asleep</b>"})
        assert late.status_code == 401
        assert "what you wrote was not sent" in words_of(late.text)
        assert "&lt;b&gt;I was asleep&lt;/b&gt;" in late.text
        assert site.office.store.feedback.to_holder("bank-a") == []

        site.sign_in(client, MEI)
        page = client.get(path)
        assert "&lt;b&gt;I was asleep&lt;/b&gt;</textarea>" in page.text, "she need not write it again"
        client.post(path, data={"csrf": csrf_of(page), "words": "I was asleep"})
        assert [one.words for one in site.office.store.feedback.to_holder("bank-a")] == ["I was asleep"]
        assert "I was asleep</textarea>" not in client.get(path).text

        # Somebody else who signs in at that browser reads nothing of it; a stranger's words are kept for nobody.
        token = csrf_of(client.get(path))
        clock.advance(seconds=16 * 60)
        client.post(path, data={"csrf": token, "words": "of Mei alone"})
        site.sign_in(client, WEI)
        assert "of Mei alone" not in client.get(path).text
        assert "Copy it" in words_of(stranger.post(path, data={"words": "mine"}).text)


# -- lists --------------------------------------------------------------------------------------------------------------


def count_of(page: httpx2.Response, tab: str) -> int:
    found = re.search(rf'tab={tab}"[^>]*>[^<]*<span\s+class="count">(\d+)</span>', page.text)
    assert found
    return int(found[1])


def test_the_counts_of_the_list_agree(tmp_path: Path) -> None:
    clock = HandClock()
    with open_site(tmp_path / "site", clock=clock) as site, site.client() as client:
        soon = clock.now() // 1000 + 3 * DAY
        shared = [site.shared(accounts=1) for _ in range(21)]
        paused = site.shared(accounts=1, expires_at=soon)
        site.world.record(site.bank.step("pause", paused))
        page = client.get("/my/connections")
        assert f"{len(shared)} connections share your data now. 1 is paused" in words_of(page.text)
        assert count_of(page, "active") == len(shared) + 1
        assert count_of(page, "action") == 0, "what is paused asks nothing of her"
        asked = site.ask()
        client.get(f"/my/approve?consent={asked.consent_id}")
        page = client.get("/my/connections?tab=action")
        assert count_of(page, "action") == 1, "a request that waits needs her"
        assert "Nothing waits for you" not in words_of(page.text)
        assert "Waiting for your answer" in words_of(page.text)


def test_accounts_stand_in_the_banks_order_everywhere(site: Site) -> None:
    labels = ["Everyday account ··4021", "Savings ··7733", "Holiday pot ··1190"]
    for _ in range(4):  # references are random: once could be luck
        consent = site.shared(accounts=3)
        key = site.key(consent)
        access = site.read(consent)
        with site.client() as client:
            for path in (
                "/my/connections",
                f"/my/connections/{key}",
                f"/my/connections/{key}/history",
                f"/my/connections/{key}/stop",
                f"/my/receipts/{access.index}",
            ):
                page = words_of(client.get(path).text)
                at = [page.index(label) for label in labels]
                assert at == sorted(at), path


# -- deliveries ---------------------------------------------------------------------------------------------------------


def rows_of(client: httpx2.Client, site: Site, consent: ConsentInWorld) -> list[str]:
    """The rows of all pages of a history, newest first."""
    path, found = f"/my/connections/{site.key(consent)}/history", []
    while path:
        page = client.get(path)
        listed = page.text.partition('<ul class="events">')[2].partition("</section>")[0]
        found += [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in listed.split('<li class="event ')[1:]]
        older = re.search(r'href="([^"]+before=\d+)"', page.text)
        path = html.unescape(older[1]) if older else ""
    return found


@pytest.mark.parametrize("shift", range(4))
def test_no_page_of_a_history_parts_an_access_from_what_was_delivered_under_it(tmp_path: Path, shift: int) -> None:
    with open_site(tmp_path / "site") as site, site.client() as client:
        consent = site.shared(accounts=1)
        for _ in range(shift):
            site.world.record(site.app.amend(consent)[1])
        for rows in range(40, 80):  # 120 events: some page ends between an access and its legs
            access = site.read(consent)
            site.world.record(site.bank.leg("release", consent, access, rows=rows))
            site.world.record(site.app.leg("receive", consent, access, rows=rows))
        rows_told = rows_of(client, site, consent)
    reads = [row for row in rows_told if "asked to read data" in row]
    assert len(reads) == 40
    for rows, row in zip(range(79, 39, -1), reads, strict=True):
        assert f"{rows} records given" in row
        assert f"{rows} records received" in row
    assert not [row for row in rows_told if "gave data" in row or "received data" in row], "told once, with its access"


def test_a_delivery_long_after_its_access_is_told_once_by_itself(tmp_path: Path) -> None:
    with open_site(tmp_path / "site") as site, site.client() as client:
        consent = site.shared(accounts=1)
        late = site.read(consent)
        for _ in range(2 * EVENTS):
            site.read(consent)
        site.world.record(site.bank.leg("release", consent, late, rows=7))
        rows = rows_of(client, site, consent)
    assert len([row for row in rows if "Your bank gave data" in row]) == 1
    assert not [row for row in rows if "7 records given" in row]


# -- passkeys -----------------------------------------------------------------------------------------------------------


def test_the_settings_show_every_passkey_that_the_log_has_in_force(site: Site) -> None:
    mei = site.people[MEI]
    [enrolled] = site.world.record(site.bank.enrol(mei.subject))
    with site.client() as client, site.client(WEI) as wei:
        for who in (client, wei):
            page = words_of(who.get("/my/settings").text)
            assert "A passkey that was not added here" in page
            assert f"Receipt {enrolled.index}" in page
        assert "Your bank put a passkey on record" in words_of(client.get(f"/my/receipts/{enrolled.index}").text)
        form = client.get("/my/settings")
        found = re.search(r'name="credential_id"\s+value="([^"]+)"', form.text)
        assert found
        after = client.post("/my/passkeys/remove", data={"csrf": csrf_of(form), "credential_id": found[1]})
        assert "not added here" not in words_of(after.text)
        removed = site.world.ledger.tree.size() - 1
        assert "You removed a passkey" in words_of(client.get(f"/my/receipts/{removed}").text)
        assert "The other holder removed a passkey" in words_of(wei.get(f"/my/receipts/{removed}").text)


# -- people at work -----------------------------------------------------------------------------------------------------


def test_somebody_at_work_keeps_the_menu_on_every_page(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as consoles:
        for who, place in (
            ("bea", "/console/partner/consents"),
            ("olaf", "/console/operator/erasures"),
            ("rita", "/console/audit/records"),
        ):
            with consoles.client(who) as client:
                for path in ("/verify", "/nowhere", "/console/nowhere"):
                    page = client.get(path).text
                    assert f'href="{place}"' in page, (who, path)
                    assert 'href="/my/connections"' not in page.split("<main")[0]


def test_a_customer_who_opens_a_console_is_told_that_it_is_not_hers(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as consoles, consoles.client(None) as mei:
        consoles.sign_in(mei, MEI)
        for path in ("/console", "/console/partner", "/console/operator", "/console/audit/bundles"):
            page = mei.get(path)  # not a redirect that leads to itself
            assert page.status_code == 404, path
            assert "Page not found, or you do not have access" in words_of(page.text)


def test_a_bank_reads_why_and_not_what_an_app_should_do(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as consoles:
        with consoles.client("bea") as bea, consoles.client("pia") as pia:
            pages = [(bea.get(path), pia.get(path)) for path in ("/console/partner", "/console/partner/calls")]
        for bank, app in pages:
            assert 'class="fixes"' in bank.text
            assert "in your app" not in bank.text
            assert "<dd>" in app.text.split('class="fixes"')[1].split("</dl>")[0]
            assert "<dd>" not in bank.text.split('class="fixes"')[1].split("</dl>")[0]


def test_the_operators_reasons_to_decline_are_the_operators_words(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as consoles, consoles.client(None) as mei, consoles.client("olaf") as olaf:
        consoles.sign_in(mei, MEI)
        mei.post("/my/erase", data={"csrf": token_of(mei)})
        page = words_of(olaf.get("/console/operator/erasures").text)
    assert "The customer's bank did not agree" in page
    assert "Your bank" not in page
