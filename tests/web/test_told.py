"""A customer is told, in her language, of a freeze and of an incident that may concern her; never of a drill."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.documents import document_of
from ledger.entries.scope import Scope
from ledger.orders import FreezeLifted, FreezeOrdered
from tests.web.reading import words_of
from tests.web.site import Site
from tests.world import ConsentInWorld

OFFICERS = ("officer-1", "officer-2")


def freeze(site: Site, freeze_id: str, *, drill: bool = False, **scope: str) -> None:
    until = site.world.clock.now() // 1000 + 3_600
    site.world.ledger.record_documents(
        document_of(
            FreezeOrdered,
            freeze_id=freeze_id,
            scope=Scope(**scope),
            from_=0,
            until=until,
            reason="scraping",
            drill=drill,
            approved_by=OFFICERS,
        )
    )


def say(site: Site, act: str, **members: Any) -> None:
    ledger = site.world.ledger
    ledger.submit_and_wait(ledger.prepare(site.bank.sign(act, text_hash=b64u(bytes(32)), **members)))


def pages(site: Site, consent: ConsentInWorld, language: str = "en") -> list[str]:
    """Her overview and the connection's page, as text."""
    with site.client(language=language) as client:
        return [words_of(client.get(path).text) for path in ("/my/connections", f"/my/connections/{site.key(consent)}")]


@pytest.mark.parametrize(("language", "frozen"), [("en", "is frozen"), ("zh-CN", "已被冻结")])
def test_a_freeze_is_told_on_her_pages_until_it_is_lifted(site: Site, language: str, frozen: str) -> None:
    consent = site.shared()
    freeze(site, "drill", drill=True, recipient=site.app.id)
    freeze(site, "other", recipient="somebody-else")
    assert not any(frozen in page for page in pages(site, consent, language))
    freeze(site, "hers", recipient=site.app.id)
    assert all(frozen in page for page in pages(site, consent, language))
    site.world.ledger.record_documents(document_of(FreezeLifted, freeze_id="hers", reason="over", approved_by=OFFICERS))
    assert not any(frozen in page for page in pages(site, consent, language))


def test_an_incident_is_told_to_those_whom_it_may_concern_and_for_a_while_after_its_end(site: Site) -> None:
    consent = site.shared()
    now = site.world.clock.now() // 1000
    common = {
        "affected_consents": 1,
        "clocks": [{"due": now + 60, "name": "initial"}],
        "detected_at": now,
        "severity": 2,
        "class": "data-breach",
    }
    say(site, "incident.open", incident_id="elsewhere", affected={"recipient": "somebody-else"}, **common)
    assert not any("reports an incident" in page for page in pages(site, consent))
    say(site, "incident.open", incident_id="here", affected={"holder": site.bank.id}, **common)
    for page in pages(site, consent):
        assert "reports an incident" in page
        assert "Data breach" in page
        assert "being dealt with" in page
    say(site, "incident.close", incident_id="here", reason="resolved")
    for page in pages(site, consent):
        assert "It has been dealt with" in page
