"""What an account of the consoles can read, each page with something to show."""

from __future__ import annotations

from hashlib import sha256

from api.web.feedback import Feedback, FeedbackReply
from ledger.canonical import b64u
from ledger.documents import Disclosure, document_of
from ledger.entries.leaf import consent_chain
from ledger.orders import About, AlertRaised, ScoringActivated
from tests.web.consoles import STAFF, Consoles, provided


def cases(site: Consoles) -> dict[str, str]:
    """A case of each regulator, recorded once."""
    found = {}
    for who in ("rita", "otto"):
        employer = STAFF[who][0]
        if f"case of {who}" not in site.entries:
            [site.entries[f"case of {who}"]] = site.world.ledger.record_documents(
                document_of(Disclosure, participant=employer, case="case-1", from_index=30, to_index=31)
            )
        found[who] = str(site.entries[f"case of {who}"].index)
    return found


def handover(site: Consoles, to: str = "regulator-2") -> int:
    """A case that the first regulator has handed to another one, recorded once: the index of the hand-over."""
    ledger, opened = site.world.ledger, int(cases(site)["rita"])
    for known in ledger.registry.handovers.of_disclosure(opened):
        if known.says.to == to:
            return known.index
    if to not in site.world.parties:
        site.world.join(to, "regulator", client=False)
    said = site.world.parties["regulator-1"].sign(
        "case.hand_over",
        basis="gdpr-61",
        disclosure=opened,
        handover_id=f"case-1-to-{to}",
        pack_hash=b64u(bytes(32)),
        scope={},
        to=to,
    )
    return ledger.submit_and_wait(ledger.prepare(said))[0].index


def alerts(site: Consoles) -> dict[str, str]:
    """An alert about a consent of each party, recorded once."""
    if "alert of active" not in site.entries:
        site.world.ledger.record_documents(document_of(ScoringActivated, scoring=1, approved_by=("a", "b")))
        for name in ("active", "rival"):
            about = About(id=b64u(consent_chain(site.consents[name].consent_id)), kind="consent")
            document = document_of(AlertRaised, about=about, at_index=1, features=(71,), rule="woken", score=710)
            [site.entries[f"alert of {name}"]] = site.world.ledger.record_documents(document)
    whose = {"pia": "active", "bea": "active", "rex": "rival", "ben": "rival"}
    return {who: str(site.entries[f"alert of {name}"].index) for who, name in whose.items()}


def incident(site: Consoles) -> int:
    """An incident that bank-a has opened, recorded once: the index of its opening."""
    known = site.world.ledger.registry.supervision.incidents.get(("bank-a", "found"))
    if known is not None:
        return known.index
    now = site.world.clock.now() // 1000
    clocks = [{"due": now + 4 * 3_600, "name": "initial"}, {"due": now + 72 * 3_600, "name": "authority"}]
    statement = site.world.parties["bank-a"].sign(
        "incident.open",
        incident_id="found",
        affected={"holder": "bank-a"},
        affected_consents=3,
        clocks=clocks,
        detected_at=now,
        severity=2,
        text_hash=b64u(bytes(32)),
        **{"class": "outage"},
    )
    ledger = site.world.ledger
    [recorded] = ledger.submit_and_wait(ledger.prepare(statement))
    return recorded.index


def feedback(site: Consoles) -> dict[str, str]:
    """The number of feedback that belongs to each bank, passed on to its app; kept once."""
    book, found = site.pages.state.office.store.feedback, {}
    for bank, app, index in (("bank-a", "plum", 1), ("bank-b", "rival", 2)):
        given = Feedback(
            number=f"N-{bank}",
            kind="other",
            about=index,
            consent_id="",
            holder=bank,
            recipient=app,
            sub="",
            subject="",
            words="",
            key="",
            made_at=site.world.clock.now(),
            due=0,
            replies=(FeedbackReply(state="forwarded", by="holder", at=1),),
        )
        if not book.to_holder(bank):
            book.keep(sha256(bank.encode()).digest(), given)
        found |= dict.fromkeys({"bank-a": ("bea", "pia"), "bank-b": ("ben", "rex")}[bank], given.number)
    return found


def delegated(site: Consoles) -> dict[str, str]:
    """What the apps have delegated: the index of the grant, by account."""
    provided(site)
    known = site.world.ledger.registry.delegated
    return {
        who: next(str(one.granted_at) for one in known if one.participant == STAFF[who][0]) for who in ("pia", "rex")
    }


def pages_of(site: Consoles) -> dict[str, list[str]]:
    """Account → the pages that it can read, each with something to show."""
    late, size = site.entries["late"].index, site.world.ledger.tree.size()
    return {
        "pia": [
            "/console/partner",
            "/console/partner/consents",
            "/console/partner/consents?status=REJECTED",
            f"/console/partner/consents/{site.key('active')}",
            "/console/partner/calls",
            "/console/partner/calls?show=all",
            "/console/partner/receipts",
            "/console/partner/receipts?q=nothing",
            f"/console/partner/receipts?q={site.consents['active'].consent_id}",
            f"/console/partner/receipts/{late}",
            "/console/partner/keys",
            "/console/partner/delegations",
            f"/console/partner/delegations/{delegated(site)['pia']}/end",
            "/console/partner/endpoint",
            "/console/partner/sandbox",
            f"/console/partner/feedback/{feedback(site)['pia']}",
            "/console/audit",
        ],
        "ben": ["/console/partner", "/console/partner/sandbox", "/console/incidents"],
        "bea": [
            "/console/partner/delegations",
            "/console/partner/deliveries",
            "/console/partner/billing",
            "/console/partner/map",
            "/console/partner/feedback?state=",
            f"/console/partner/feedback/{feedback(site)['bea']}",
            "/console/alerts?state=all",
            f"/console/alerts/{alerts(site)['bea']}",
            "/console/incidents",
            f"/console/incidents/{incident(site)}",
            "/console/freezes",
        ],
        "ada": [
            "/console/audit/bundles",
            "/console/audit/find",
            f"/console/audit/find?q={site.consents['active'].consent_id}",
            "/console/audit/find?q=nothing",
        ],
        "rita": [
            "/console/audit",
            "/console/audit/proof",
            f"/console/audit/proof?index={late}",
            "/console/audit/proof?index=99999",
            "/console/audit/consistency",
            f"/console/audit/consistency?old=1&new={size}",
            "/console/audit/records",
            "/console/audit/records?about=key&participant=plum",
            "/console/audit/bundles",
            "/console/audit/findings",
            f"/console/audit/cases/{cases(site)['rita']}",
            "/console/audit/feedback",
            "/console/alerts?state=all",
            f"/console/alerts/{alerts(site)['bea']}",
            "/console/supervision",
            "/console/supervision?by=holder&from=2001-01-01&to=2001-03-31",
            "/console/supervision/refusals?participant=plum",
            "/console/supervision/refusals?participant=nobody",
            "/console/supervision/unacknowledged?participant=bank-a&by=holder",
            "/console/supervision/unacknowledged?participant=plum&late=yes",
            "/console/incidents",
            f"/console/incidents/{incident(site)}",
            "/console/freezes",
        ],
        "tess": [
            "/console/provider",
            "/console/provider/acts",
            "/console/provider/acts?act=consent.amend",
            f"/console/provider/receipts/{provided(site)['tess'][1].index}",
            "/console/provider/keys",
            "/console/freezes",
        ],
        "olaf": [
            "/console/operator",
            "/console/operator/participants",
            "/console/operator/attestations",
            "/console/operator/admissions",
            "/console/operator/erasures",
            "/console/operator/holds",
            "/console/operator/remits",
            "/console/freezes",
        ],
    }
