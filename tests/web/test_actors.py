"""Who did it: every act by everybody who can do it, as each person of the relationship reads it, on every surface."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.web.actors import Actor, Known, Signature, actor_of, signature_of
from api.web.happened import Event, read_event
from ledger.planning.commands import Recorded
from tests.web.site import MEI, WEI, Site, csrf_of, open_site
from tests.world import DAY, ConsentInWorld

SAYS = {
    "consent.request": ("{who} asked for a consent", "{who} 请求获得授权"),
    "consent.authorise": ("{who} agreed", "{who}已同意"),
    "consent.pause": ("{who} paused sharing", "{who}已暂停共享"),
    "consent.resume": ("{who} resumed sharing", "{who}已恢复共享"),
    "consent.suspend": ("{who} stopped sharing for now", "{who}已临时停止共享"),
    "consent.revoke": ("{who} stopped sharing", "{who}已停止共享"),
    "consent.reject": ("{who} declined the request", "{who}已拒绝请求"),
    "consent.terminate": ("{who} closed it", "{who}已终止授权"),
    "consent.amend": ("{who} asked for a change", "{who} 请求变更授权"),
    "consent.withdraw_accounts": ("{who} took accounts out", "{who}已撤出账户"),
    "consent.withdraw_approval": ("{who} withdrew an approval", "{who}已撤回同意"),
    "consent.withdraw_separate": ("{who} withdrew a separate consent", "{who}已撤回一项单独同意"),
    "consent.reauthenticate": ("{who} confirmed with the bank again", "{who}已向银行重新确认身份"),
    "consent.reconfirm": ("{who} confirmed with the app again", "{who}已向应用重新确认"),
    "consent.expire": ("Ended on its date", "已到期"),
    "access.request": ("{who} asked to read data", "{who} 请求读取数据"),
}
WHO = {
    Actor.YOU: ("You", "您"),
    Actor.OTHER: ("The other holder", "另一位持有人"),
    Actor.HOLDER: ("An account holder", "账户持有人"),
    Actor.GUARDIAN: ("A guardian", "监护人"),
    Actor.COURT: ("A court", "法院"),
    Actor.BANK: ("Your bank", "您的银行"),
    Actor.RECIPIENT: ("Plum Budget", "Plum Budget"),
    Actor.SYSTEM: ("", ""),
}
BY_HERSELF = {
    "consent.revoke": ("You stopped sharing", "您主动停止"),
    "consent.withdraw_approval": ("You withdrew your approval", "您已撤回同意"),
}
LANGUAGES = ("en", "zh-CN")


def sentence(act: str, actor: Actor, language: str) -> str:
    """What a person must read."""
    at = LANGUAGES.index(language)
    if actor is Actor.YOU and act in BY_HERSELF:
        return BY_HERSELF[act][at]
    return SAYS[act][at].format(who=WHO[actor][at])


@dataclass(frozen=True)
class Done:
    """An entry, and who did it in the eyes of each."""

    entry: Recorded
    seen: dict[str, Actor]


def by_person(entry: Recorded, who: str) -> Done:
    other = {MEI: WEI, WEI: MEI}[who]
    return Done(entry, {who: Actor.YOU, other: Actor.OTHER})


def by_all(entry: Recorded, actor: Actor) -> Done:
    return Done(entry, {MEI: actor, WEI: actor})


@dataclass
class Life:
    """Two consents of one relationship, one of which went through everything; and the people's browsers."""

    site: Site
    consent: ConsentInWorld
    done: list[Done]


def newest(site: Site, consent: ConsentInWorld) -> Recorded:
    return site.world.ledger.records.history(site.bank.id, consent.consent_id)[-1]


def post(client: httpx2.Client, path: str, **form: str) -> httpx2.Response:
    answer = client.post(path, data={"csrf": csrf_of(client.get("/my/settings")), **form})
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with open_site(tmp_path_factory.mktemp("actors") / "site") as site:
        yield live(site)


def live(site: Site) -> Life:
    consent = site.ask(reauthenticate_days=90, reconfirm_days=30)
    done = [by_all(newest(site, consent), Actor.RECIPIENT)]
    consent = site.agree(consent, MEI, accounts=4)
    done.append(by_person(newest(site, consent), MEI))
    site.agree(consent, WEI, only="Household")
    done.append(by_person(newest(site, consent), WEI))
    key = site.key(consent)
    here = f"/my/connections/{key}"

    def on_pages(client: httpx2.Client, who: str, path: str, **form: str) -> None:
        post(client, f"{here}/{path}", **form)
        done.append(by_person(newest(site, consent), who))

    def at_bank(actor: Actor, step: str, by: str, **members: Any) -> None:
        entry = site.world.record(site.bank.step(step, consent, by=by, **members))[0]
        done.append(by_all(entry, actor))

    with site.client(MEI) as mei, site.client(WEI) as wei:
        on_pages(wei, WEI, "pause")
        on_pages(mei, MEI, "resume")
        on_pages(mei, MEI, "renew")
        labels = {one.label: one.reference for one in site.agent.accounts(site.people[MEI], consent.consent_id)}
        on_pages(wei, WEI, "accounts", account=labels["Holiday pot ··1190"])
        on_pages(mei, MEI, "separate", kind="provision")
        on_pages(mei, MEI, "approval")
    at_bank(Actor.HOLDER, "pause", "customer")  # at the counter: the log says «customer», and no more
    at_bank(Actor.GUARDIAN, "resume", "guardian")
    at_bank(Actor.BANK, "suspend", "holder")
    at_bank(Actor.COURT, "resume", "court")
    done.append(by_all(site.world.record(site.app.step("reconfirm", consent))[0], Actor.HOLDER))
    done.append(by_all(site.read(consent), Actor.RECIPIENT))
    relayed = site.bank.sign("access.request", relayed=True, **site.bank.item(consent))
    done.append(by_all(site.world.ledger.record(relayed)[0], Actor.RECIPIENT))
    _, amendment = site.app.amend(consent, retention_days=180)
    done.append(by_all(site.world.record(amendment)[0], Actor.RECIPIENT))
    with site.client(WEI) as wei:
        on_pages(wei, WEI, "stop")
    return Life(site, consent, done)


VIEWERS = pytest.mark.parametrize("who", [MEI, WEI])
TONGUES = pytest.mark.parametrize("language", LANGUAGES)


def plain(markup: str) -> str:
    text = re.sub(
        r"</?(bdi|strong|span|p|small|br|h1|time)\b[^>]*>", "", re.sub(r"<svg.*?</svg>", "", markup, flags=re.DOTALL)
    )
    return " ".join(html.unescape(text).split())


def test_the_life_holds_every_kind_of_actor(life: Life) -> None:
    seen = {actor for done in life.done for actor in done.seen.values()}
    assert seen == set(Actor) - {Actor.SYSTEM, Actor.UNKNOWN}


@VIEWERS
@TONGUES
def test_the_history_names_who_did_each_thing(life: Life, who: str, language: str) -> None:
    with life.site.client(who, language=language) as client:
        page = client.get(f"/my/connections/{life.site.key(life.consent)}/history")
    titles = [plain(title) for title in re.findall(r'<p class="event-title">(.*?)</p>', page.text, re.DOTALL)]
    wanted = [sentence(one.entry.act, one.seen[who], language) for one in reversed(life.done)]
    assert len(titles) == len(wanted)
    assert [(got, want) for got, want in zip(titles, wanted, strict=True) if not got.startswith(want)] == []


@VIEWERS
@TONGUES
def test_the_receipt_names_who_did_it(life: Life, who: str, language: str) -> None:
    with life.site.client(who, language=language) as client:
        for one in life.done:
            page = client.get(f"/my/receipts/{one.entry.index}").text
            lead = re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)
            assert lead
            assert plain(lead[1]).startswith(sentence(one.entry.act, one.seen[who], language)), one
            actor = re.search(r"<dt>(?:Who did it|操作人)</dt>\s*<dd>(.*?)</dd>", page, re.DOTALL)
            assert actor
            assert plain(actor[1]) == WHO[one.seen[who]][LANGUAGES.index(language)], one


@VIEWERS
@TONGUES
def test_the_files_name_who_did_it(life: Life, who: str, language: str) -> None:
    at = LANGUAGES.index(language)
    with life.site.client(who, language=language) as client:
        table = csv.DictReader(io.StringIO(client.get("/my/export/csv").text.removeprefix("\ufeff")))
        rows = {row["entry"]: row for row in table}
        events = {event["entry"]: event for event in json.loads(client.get("/my/export/json").text)["events"]}
    for one in life.done:
        row, event, actor = rows[str(one.entry.index)], events[one.entry.index], one.seen[who]
        assert row["event"] == sentence(one.entry.act, actor, language), one
        assert row["who"] == event["who"] == WHO[actor][at], one
        assert event["actor"] == actor, one
        assert {"you", "You", "您"}.isdisjoint(row.values()) or actor is Actor.YOU


@VIEWERS
@TONGUES
def test_list_connection_receipts_and_end_name_who_stopped(life: Life, who: str, language: str) -> None:
    key, stopped = life.site.key(life.consent), sentence("consent.revoke", life.done[-1].seen[who], language)
    wrong = sentence("consent.revoke", life.done[-1].seen[{MEI: WEI, WEI: MEI}[who]], language)
    with life.site.client(who, language=language) as client:
        for path in (
            "/my/connections?tab=ended",
            f"/my/connections/{key}",
            f"/my/connections/{key}/stopped",
            "/my/receipts",
        ):
            page = plain(client.get(path).text)
            assert stopped in page, path
            assert wrong not in page, path
        versions = re.findall(r"<li><p><strong>(.*?)</strong>", client.get(f"/my/connections/{key}").text)
    wanted = [
        sentence(one.entry.act, one.seen[who], language)
        for one in reversed(life.done)
        if one.entry.act.startswith("consent.")
    ]
    assert [plain(version) for version in versions] == wanted


@VIEWERS
@TONGUES
def test_live_entries_name_who_acted(tmp_path: Path, who: str, language: str) -> None:
    with open_site(tmp_path / "site") as site:
        consent = site.shared(accounts=3)
        key = site.key(consent)
        with site.client(WEI) as wei:
            post(wei, f"/my/connections/{key}/pause")
        line = ""
        with (
            site.client(who, language=language) as client,
            client.stream("GET", f"/my/connections/{key}/live?after=1") as stream,
        ):
            line = next(line for line in stream.iter_lines() if line.startswith("data: "))
        actor = Actor.YOU if who == WEI else Actor.OTHER
        assert sentence("consent.pause", actor, language) in json.loads(line[6:])["title"]


def test_a_consent_that_is_paused_says_in_the_list_who_paused_it(tmp_path: Path) -> None:
    with open_site(tmp_path / "site") as site:
        key = site.key(site.shared(accounts=3))
        with site.client(WEI) as wei, site.client(MEI) as mei:
            post(wei, f"/my/connections/{key}/pause")
            for client, told, untold in (
                (mei, "The other holder paused sharing", "You paused"),
                (wei, "You paused sharing", "The other holder paused"),
            ):
                for path in ("/my/connections", f"/my/connections/{key}"):
                    page = plain(client.get(path).text)
                    assert told in page
                    assert untold not in page


def test_an_end_that_nobody_made_is_nobodys(tmp_path: Path) -> None:
    from tests.clocks import HandClock

    clock = HandClock()
    with open_site(tmp_path / "site", clock=clock) as site:
        consent = site.shared(expires_at=clock.now() // 1000 + DAY)
        clock.advance(seconds=2 * DAY)
        with site.client() as client:
            page = plain(client.get(f"/my/connections/{site.key(consent)}/stopped").text)
    assert re.search(r"How it ended</dt>\s*<dd>\s*Ended on its date", page)
    assert not re.search(r"(You|holder|bank) (agreed|stopped|closed)", page)


def test_nothing_that_others_can_still_read_names_an_erased_customer(tmp_path: Path) -> None:
    with open_site(tmp_path / "site") as site:
        key = site.key(site.shared(accounts=3))
        with site.client(WEI) as wei:
            post(wei, f"/my/connections/{key}/pause")
        site.office.store.drop_person(site.people[WEI].key)
        with site.client(MEI) as mei:
            assert "An account holder paused sharing" in plain(mei.get(f"/my/connections/{key}").text)


def test_no_other_words_of_the_catalogues_say_who_did_what() -> None:
    """Words for states, acts and reasons are read by everybody of a relationship: none of them may say «you did»."""
    from api.web.locale import CATALOGUES

    shared = re.compile(r"^(status|act|reason|access)\.")
    did = re.compile(
        r"\b(by you|you (agreed|had|were|paused|stopped|declined|did))\b|您(已|尚未|主动|未)|由您", re.IGNORECASE
    )
    for language in LANGUAGES:
        texts = CATALOGUES[language].forms
        wrong = {key for key, forms in texts.items() if shared.match(key) and did.search(" ".join(forms))}
        assert wrong == set(), language


# -- the derivation by itself -------------------------------------------------------------------------------------------


def event_of(life: Life, act: str, number: int = 0) -> Event:
    return read_event([one.entry for one in life.done if one.entry.act == act][number])


@pytest.mark.parametrize(
    ("known", "actor"),
    [
        (Known(), Actor.HOLDER),
        (Known(reference=True), Actor.YOU),
        (Known(reference=False), Actor.OTHER),
        (Known(deed=True), Actor.YOU),
        (Known(deed=False), Actor.OTHER),
        (Known(passkey=True), Actor.YOU),
        (Known(passkey=False), Actor.OTHER),
        (Known(reference=False, deed=True, passkey=True), Actor.OTHER),  # the log's own word comes first
        (Known(reference=True, deed=False, passkey=False), Actor.YOU),
        (Known(deed=False, passkey=True), Actor.OTHER),
    ],
)
def test_the_facts_of_an_act_tell_who_did_it(life: Life, known: Known, actor: Actor) -> None:
    for act in ("consent.authorise", "consent.pause", "consent.revoke", "consent.withdraw_accounts"):
        assert actor_of(event_of(life, act), "bank-a", known) is actor


def test_no_note_makes_an_act_of_the_bank_or_the_app_a_persons(life: Life) -> None:
    for known in (Known(reference=True, deed=True, passkey=True), Known(deed=False), Known()):
        assert actor_of(event_of(life, "consent.suspend"), "bank-a", known) is Actor.BANK
        assert actor_of(event_of(life, "consent.request"), "bank-a", known) is Actor.RECIPIENT
        assert actor_of(event_of(life, "access.request", 1), "bank-a", known) is Actor.RECIPIENT  # relayed by the bank


@pytest.mark.parametrize(
    ("known", "signature"),
    [
        (Known(), Signature.HOLDER),
        (Known(reference=True, passkey=True), Signature.YOU),
        (Known(reference=True), Signature.YOU),
        (Known(passkey=True), Signature.YOU),
        (Known(reference=False, passkey=False), Signature.OTHER),
        (Known(reference=True, passkey=False), Signature.HOLDER),  # they differ: nobody is told that it was they
        (Known(reference=False, passkey=True), Signature.HOLDER),
    ],
)
def test_the_receipt_says_whose_passkey_signed(life: Life, known: Known, signature: Signature) -> None:
    event = event_of(life, "consent.authorise")
    assert signature_of(event, known) is Signature.NONE, "no passkey signed this"
    assert signature_of(replace(event, credential_id="c"), known) is signature
