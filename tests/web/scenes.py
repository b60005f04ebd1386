"""A customer's site on which every page has something to show, and the addresses of its pages."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import httpx2
from msgspec import structs

from api.web.heeding import answer
from ledger.documents import Disclosure, document_of
from tests.histories import BEFORE, Told, bring, row, sheet
from tests.web.site import MEI, WEI, Site, csrf_of
from tests.world import DAY


@dataclass(frozen=True)
class Scene:
    """A site on which every page has something to show, and the addresses of its pages."""

    site: Site
    open: dict[str, str]
    signed_in: dict[str, str]
    review: str


def scene_of(site: Site) -> Scene:
    """What has to happen on the site for that."""
    now = site.world.clock.now() // 1000
    live = site.shared(expires_at=now + 5 * DAY, authorisers_required=1)
    access = site.read(live)
    site.read(live, permissions=["ReadPAN"])
    site.world.record(site.app.amend(live, retention_days=5)[1])
    # A connection of which every part can be taken back, one joint account that waits, and what a regulator was shown.
    both = site.agree(site.ask(authorisers_required=2, reauthenticate_days=90, reconfirm_days=30), accounts=4)
    site.agree(both, WEI)
    joint = site.shared(accounts=4)
    whole = site.key(both)
    done = site.world.ledger.records.history(site.bank.id, both.consent_id)[-1].index
    site.world.join("regulator-1", "regulator", client=False)
    site.world.ledger.record_documents(
        document_of(
            Disclosure, participant="regulator-1", case="case-7", from_index=access.index, to_index=access.index
        )
    )
    ended, paused, asked = site.shared(), site.shared(), site.ask(authorisers_required=2)
    site.world.record(site.bank.step("revoke", ended))
    site.world.record(site.bank.step("pause", paused))
    key = site.key(live)
    past = Told(sheet(site.people[MEI].subject, [row("consent", until=BEFORE + 9), row(record=2, result="refused")]))
    bring(lambda act, **members: site.world.ledger.record(site.bank.sign(act, **members))[0].index, past)
    with site.client() as client:
        said = feedback_of(site, access.index, client)
    return Scene(
        site,
        {"front": "/", "sign-in": "/sign-in", "verify": "/verify", "join": "/join", "nowhere": "/nowhere"},
        {
            "active": "/my/connections",
            "action": "/my/connections?tab=action",
            "ended": "/my/connections?tab=ended",
            "connection": f"/my/connections/{key}",
            "history": f"/my/connections/{key}/history",
            "a day": f"/my/connections/{key}/history?day={dt.datetime.now(dt.UTC).date().isoformat()}",
            "everything": "/my/complete",
            "all of one": f"/my/connections/{key}/complete",
            "empty history": f"/my/connections/{key}/history?show=changes&before=1",
            "stop": f"/my/connections/{key}/stop",
            "stopped": f"/my/connections/{site.key(ended)}/stopped",
            "ended connection": f"/my/connections/{site.key(ended)}",
            "stop all": "/my/stop-all",
            "pause": f"/my/connections/{key}/pause",
            "resume": f"/my/connections/{site.key(paused)}/resume",
            "approve": f"/my/approve?consent={asked.consent_id}",
            "change": f"/my/approve?consent={live.consent_id}",
            "receipts": "/my/receipts",
            "earlier": "/my/earlier",
            "receipt": f"/my/receipts/{access.index}",
            "report": f"/my/receipts/{access.index}/report",
            "all feedback": "/my/feedback",
            "feedback": f"/my/feedback/{said}",
            "settings": "/my/settings",
            "notices": "/my/notices",
            "export": "/my/export",
            "several": f"/my/connections/{whole}",
            "an account": f"/my/connections/{whole}/accounts?account={both.accounts[0]}",
            "a separate consent": f"/my/connections/{whole}/separate?kind=provision",
            "my yes": f"/my/connections/{whole}/approval",
            "again": f"/my/connections/{whole}/renew",
            "changed": f"/my/connections/{whole}/changed/{done}",
            "erase": "/my/erase",
            "together": "/my/together",
            "not to be joined": "/my/together/join",
            "a joint account": f"/my/approve?consent={joint.consent_id}",
            "found": "/my/connections?q=Plum&sort=ending",
            "step-up": "/step-up",
            "check": f"/verify?entry={access.index}",
            "missing": "/my/connections/999999",
        },
        f"/my/approve?consent={asked.consent_id}",
    )


def feedback_of(site: Site, index: int, client: httpx2.Client) -> str:
    """The number of some feedback about an entry that was answered late."""
    page = client.get(f"/my/receipts/{index}/report")
    client.post(f"/my/receipts/{index}/report", data={"csrf": csrf_of(page), "words": "I was asleep <i>then</i>"})
    [given] = site.office.store.feedback.about(site.people[MEI], index)
    site.office.store.feedback.amend(given.number, lambda one: structs.replace(one, due=1))
    answer(
        site.office, site.office.store.feedback.one(given.number), "holder", "answered", "It was the nightly update."
    )
    return given.number
