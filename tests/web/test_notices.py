"""Customers are told: once, by the channels and of the matters that they chose, with nothing about them in a subject line."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import ValidationError

from api.node.notice_settings import NoticeSettings
from api.web import heeding
from api.web.oidc import IdClaims
from api.web.people import Person
from api.web.subscriptions import KINDS, Subscription
from api.web.telling.carriers import SIGNATURE, carriers
from api.web.telling.teller import Teller
from ledger.documents import Disclosure, document_of
from ledger.errors import InvalidInput
from ledger.orders import FreezeOrdered
from tests.clocks import HandClock
from tests.ports import loopback
from tests.web.mailbox import Mailbox, open_mailbox
from tests.web.site import MEI, WEI, Site, csrf_of, open_site, serving

DAY = 86_400
SECRET = b"s" * 32


@dataclass
class Told:
    """A site whose news go to a mail server of this machine."""

    site: Site
    clock: HandClock
    box: Mailbox
    teller: Teller

    def another(self) -> Teller:
        """As after a restart: nothing is remembered but what is in the store."""
        return Teller(self.site.office, mail_to(self.box, self.clock))

    def news(self) -> list[str]:
        """What arrives when the teller takes its turn."""
        before = len(self.box.mails)
        self.teller.turn()
        return [text_of(mail) for mail in self.box.mails[before:]]


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content())


def mail_to(box: Mailbox, clock: HandClock, **more: Any) -> Any:
    settings = NoticeSettings(
        smtp_host="127.0.0.1", smtp_port=box.port, smtp_security="none", mail_from="news@bank.example", **more
    )
    return carriers(settings, "https://sharing.bank.example", clock, development=True)


def wants(site: Site, who: str = MEI, language: str = "en", **members: Any) -> Subscription:
    person = msgspec.structs.replace(site.people[who], email=f"{who}@customers.example")
    common = {"address": person.email, "channels": ("mail",), "kinds": KINDS, "zone": "UTC"}
    one = Subscription(person=person, language=language, since=site.world.clock.now(), **(common | members))
    site.office.store.subscriptions.put(one)
    return one


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    clock = HandClock()
    with open_mailbox() as box, open_site(tmp_path / "site", clock=clock) as site:
        made = Told(site, clock, box, Teller(site.office, mail_to(box, clock)))
        site.shared()  # before notices were set up: nobody is told of it
        made.teller.turn()
        wants(site)
        assert made.news() == []
        yield made


def test_a_new_consent_a_change_and_a_stop_are_told_with_nothing_in_the_subject(told: Told) -> None:
    consent = told.site.shared(authorisers_required=1)
    [new] = told.news()
    assert "Plum Budget may read your bank data since" in new
    assert f"/my/connections/{told.site.key(consent)}" in new
    told.site.world.record(told.site.bank.step("pause", consent))
    assert "was changed" in told.news()[0]
    told.site.world.record(told.site.bank.step("revoke", consent))
    assert "has ended" in told.news()[0]
    assert told.news() == []
    for mail in told.box.mails:
        assert mail["subject"] == "News about your data sharing"
        assert (mail["to"], mail["from"]) == ("mei@customers.example", "news@bank.example")
        assert mail["auto-submitted"] == "auto-generated"
        assert "/my/notices" in mail["list-unsubscribe"]


def test_nothing_is_told_twice_whoever_reads_the_log_again_and_however_often_it_starts(told: Told) -> None:
    store, before = told.site.office.store.outbox, told.site.world.ledger.tree.size()
    told.site.shared()
    told.another().turn()
    told.another().turn()
    assert len(told.box.mails) == 1
    size = told.site.world.ledger.tree.size()
    assert store.note("told-up-to", size, before, [], told.clock.now()), (
        "as if an old backup of the store were put in place"
    )
    told.another().turn()
    assert len(told.box.mails) == 1


def test_a_notice_noted_before_a_crash_is_sent_after_it(told: Told) -> None:
    told.site.shared()
    Teller(told.site.office, {}).turn()  # noted, and then the process ended
    assert told.box.mails == []
    told.another().turn()
    assert len(told.box.mails) == 1


def test_a_mail_whose_answer_was_lost_is_sent_again_under_the_same_id(told: Told) -> None:
    told.box.silent = 1
    told.site.shared()
    told.teller.turn()
    assert len(told.box.mails) == 1
    assert told.news() == [], "not at once"
    told.clock.advance(seconds=61)
    told.teller.turn()
    first, second = told.box.mails
    assert first["message-id"] == second["message-id"]
    told.clock.advance(seconds=DAY)
    assert told.news() == []


def test_an_address_that_does_not_exist_is_given_up_and_a_busy_server_is_not(told: Told) -> None:
    told.box.refuse = "451 later"
    told.site.shared()
    told.teller.turn()
    told.box.refuse = ""
    told.clock.advance(seconds=61)
    assert len(told.news()) == 1
    told.box.refuse = "550 no such user"
    told.site.shared()
    told.teller.turn()
    told.box.refuse = ""
    told.clock.advance(seconds=DAY)
    assert told.news() == []
    assert told.site.office.store.outbox.counts() == {"waiting": 0, "sent": 1, "failed": 1}


def test_a_read_after_thirty_quiet_days_is_told_and_the_next_one_is_not(told: Told) -> None:
    consent = told.site.shared()
    told.news()
    told.site.read(consent)
    assert told.news() == [], "she has just agreed"
    told.clock.advance(seconds=31 * DAY)
    told.site.read(consent)
    news = [one for one in told.news() if "after 30 days or more" in one]
    assert len(news) == 1
    told.site.read(consent)
    assert [one for one in told.news() if "after 30 days or more" in one] == []


def test_a_burst_of_refusals_is_told_once_a_day(told: Told) -> None:
    consent = told.site.shared()
    told.news()
    for _ in range(2):
        told.site.read(consent, permissions=["ReadPAN"])
    assert told.news() == []
    for _ in range(3):
        told.site.read(consent, permissions=["ReadPAN"])
    [burst] = told.news()
    assert "refused three times or more" in burst
    assert "got no data" in burst


def test_an_end_is_told_two_weeks_before_and_the_month_at_its_end(told: Told) -> None:
    told.site.shared(expires_at=told.clock.now() // 1000 + 40 * DAY)
    consent = told.site.shared()
    told.news()
    told.site.read(consent)
    said: list[str] = []
    for _ in range(40):
        told.clock.advance(seconds=DAY)
        said += told.news()
    assert len([one for one in said if "ends by itself on" in one]) == 1
    months = [one for one in said if "Your data sharing from" in one]
    assert len(months) == 1
    assert "Plum Budget: " in months[0]


def test_an_authority_a_freeze_and_an_answer_are_told_to_whom_they_concern(told: Told) -> None:
    site = told.site
    consent = site.shared()
    access = site.read(consent)
    told.news()
    site.world.join("regulator-1", "regulator", client=False)
    shown = {"case": "case-7", "from_index": access.index, "to_index": access.index}
    site.world.ledger.record_documents(document_of(Disclosure, participant="regulator-1", **shown))
    [authority] = told.news()
    assert "An authority was shown records" in authority
    now = told.clock.now() // 1000
    order = {"from_": now, "until": now + DAY, "reason": "test", "approved_by": ("officer-1", "officer-2")}
    for number, (recipient, drill) in enumerate((("plum", True), ("nobody", False), ("plum", False))):
        scope = {"recipient": recipient}
        site.world.ledger.record_documents(freeze(f"f-{number}", scope, drill=drill, **order))
    [incident] = told.news()
    assert "freeze touches your data sharing with Plum Budget" in incident
    with site.client() as client:
        page = client.get(f"/my/receipts/{access.index}/report")
        client.post(f"/my/receipts/{access.index}/report", data={"csrf": csrf_of(page), "words": "why?"})
    [given] = site.office.store.feedback.of(site.people[MEI])
    heeding.answer(site.office, given, "holder", "answered", "because")
    [answer] = told.news()
    assert "Your feedback was answered" in answer
    assert "because" not in answer


def freeze(freeze_id: str, scope: dict[str, str], **members: Any) -> Any:
    from ledger.entries.scope import Scope

    return document_of(FreezeOrdered, freeze_id=freeze_id, scope=Scope(**scope), **members)


def test_each_is_told_in_her_language_what_she_chose_and_never_what_another_keeps(told: Told) -> None:
    site = told.site
    wants(site, WEI, "zh-CN", kinds=("new",))
    consent = site.agree(site.ask(), MEI, accounts=3)
    mails = {str(mail["to"]): mail for mail in told.box.mails} if told.news() else {}
    assert set(mails) == {"mei@customers.example", "wei@customers.example"}
    assert "可以读取您的银行数据" in text_of(mails["wei@customers.example"])
    site.world.record(site.bank.step("revoke", consent))
    assert [mail["to"] for mail in told.box.mails[-len(told.news()) :]] == ["mei@customers.example"], (
        "Wei did not choose it"
    )
    told.box.mails.clear()
    site.agree(site.ask(), MEI, accounts=4, suppress_notify=True)
    told.news()
    assert [mail["to"] for mail in told.box.mails] == ["mei@customers.example"]


def test_an_erased_customer_is_told_nothing_more(told: Told) -> None:
    told.site.shared()
    Teller(told.site.office, {}).turn()
    told.site.office.store.drop_person(told.site.people[MEI].key)
    told.another().turn()
    told.site.shared()
    told.another().turn()
    assert told.box.mails == []


@contextmanager
def gateway() -> Iterator[tuple[str, list[tuple[dict[str, Any], str]]]]:
    """The bank's own gateway for text messages, on this machine."""
    taken: list[tuple[dict[str, Any], str]] = []
    app = FastAPI(openapi_url=None)

    async def take(request: Request) -> Response:
        body = await request.body()
        at, _, proof = request.headers[SIGNATURE].removeprefix("t=").partition(",v1=")
        assert hmac.compare_digest(proof, hmac.digest(SECRET, at.encode() + b"." + body, "sha256").hex())
        taken.append((msgspec.json.decode(body), at))
        return Response(status_code=204)

    app.add_api_route("/take", take, methods=["POST"], response_model=None)
    with loopback() as listener, serving(app, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/take", taken


def test_a_text_message_goes_to_the_banks_gateway_signed_and_names_no_app(told: Told, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "secret").chmod(0o600)
    wants(told.site, channels=("sms",))
    with gateway() as (url, taken):
        settings = NoticeSettings(sms_url=url, hook_secret_file=tmp_path / "secret")
        carrying = carriers(settings, "https://x.example", told.clock, development=True)
        told.site.shared()
        Teller(told.site.office, carrying).turn()
        [(said, _)] = taken
        assert (said["sub"], said["channel"]) == ("mei", "sms")
        assert "Plum" not in said["text"] + said["title"]
        refused = carriers(settings, "https://x.example", told.clock, development=False)
        told.site.shared()
        Teller(told.site.office, refused).turn()
        assert len(taken) == 1, "outside development nothing goes to an address inside a network"
    assert told.site.office.store.outbox.counts()["failed"] == 1


def test_settings_that_would_send_in_the_open_or_unsigned_are_refused(tmp_path: Path) -> None:
    for wrong in (
        {"smtp_host": "mail.example", "mail_from": "a@b.example", "smtp_security": "none"},
        {"smtp_host": "mail.example"},
        {"smtp_host": "mail.example", "mail_from": "a@b.example", "smtp_user": "x"},
        {"sms_url": "https://x.example"},
    ):
        with pytest.raises(ValidationError):
            NoticeSettings(**wrong)  # type: ignore[arg-type]
    (tmp_path / "short").write_bytes(b"x")
    (tmp_path / "short").chmod(0o600)
    settings = NoticeSettings(push_url="https://x.example", hook_secret_file=tmp_path / "short")
    with pytest.raises(InvalidInput, match="at least 32"):
        carriers(settings, "https://x.example", HandClock(), development=False)


def test_she_chooses_on_a_page_where_nothing_is_ticked_for_her_and_ends_it_with_one_click(tmp_path: Path) -> None:
    mail = {"smtp_host": "127.0.0.1", "smtp_security": "none", "mail_from": "news@bank.example"}
    with open_site(tmp_path / "site", notices=mail, emails=True) as site, site.client() as client:
        page = client.get("/my/notices")
        assert "mei@customers.example" in page.text
        assert 'value="mail" checked' not in page.text
        saved = choose(client, page, channel="mail", kind=["new", "stopped"])
        assert "You will be told from now on" in saved.text
        known = site.office.store.subscriptions.of(site.people[MEI])
        assert known is not None
        assert (known.address, known.channels, known.kinds) == ("mei@customers.example", ("mail",), ("new", "stopped"))
        assert site.office.store.subscriptions.of(site.people[WEI]) is None
        assert "You are told nothing" in choose(client, saved, channel="mail", kind="new", none="1").text
        assert site.office.store.subscriptions.of(site.people[MEI]) is None
        choose(client, saved, channel="sms", kind="new")
        assert site.office.store.subscriptions.of(site.people[MEI]) is None, "this bank sends no text messages"


def choose(client: httpx2.Client, page: httpx2.Response, **form: Any) -> httpx2.Response:
    return client.post("/my/notices", data={"csrf": csrf_of(page), **form})


def test_an_address_that_the_identity_provider_did_not_verify_is_not_used() -> None:
    claims = {"iss": "i", "aud": "a", "sub": "mei", "exp": 1, "iat": 1, "nonce": "n", "auth_time": 1}
    claims |= {"holder": "bank-a", "subject": "s" * 22, "email": "mei@customers.example"}
    for verified, address, expected in (
        (True, "mei@customers.example", "mei@customers.example"),
        (False, "mei@customers.example", ""),
        (True, "mei@x.example\r\nBcc: all@x.example", ""),
    ):
        said = msgspec.convert(claims | {"email_verified": verified, "email": address}, IdClaims).someone()
        assert isinstance(said, Person)
        assert said.email == expected
