"""She says no and what she would agree to: it stands in the signed act, and the app reads it in its event and its receipt."""

from __future__ import annotations

from ledger.queries.events import EventQueries
from tests.web.site import Site, csrf_of


def reason_of(site: Site, consent_id: str) -> str:
    """Why the consent was rejected, as the app is told in its event."""
    ledger = site.world.ledger
    notices = EventQueries(ledger.store, ledger.keystore).notices(0, ledger.tree.size())
    [told] = [one for one in notices if one.consent_id == consent_id and one.act == "consent.reject"]
    assert site.app.id in told.audience
    receipt = ledger.records.receipt_for(site.app.id, told.index)
    assert receipt.evidence is not None
    return str(told.reason)


def declined(site: Site, **fields: object) -> tuple[str, str]:
    consent = site.ask()
    with site.client() as mei:
        page = mei.get(f"/my/approve?consent={consent.consent_id}")
        assert "I would agree to less" in page.text
        done = mei.post("/my/approve/decline", data={"csrf": csrf_of(page), "consent": consent.consent_id, **fields})
        assert done.status_code == 200
        return reason_of(site, consent.consent_id), done.text


def test_her_lesser_offer_is_in_the_act_and_the_app_is_told(shared_site: Site) -> None:
    reason, page = declined(shared_site, less=["frequency", "data", "everything"])
    assert reason == "customer-wants-less:data:frequency", (
        "in the order of the documents, and nothing that is not there"
    )
    assert "Fewer kinds of data" in page
    assert "A nearer end date" not in page


def test_a_plain_no_stays_a_plain_no(shared_site: Site) -> None:
    reason, page = declined(shared_site)
    assert reason == "customer-request"
    assert "would agree" not in page


def test_a_change_is_declined_without_it(shared_site: Site) -> None:
    """Declining a change is no act of hers: there is nothing that the app could read it in."""
    site = shared_site
    consent = site.shared()
    site.world.record(site.app.amend(consent, retention_days=5)[1])
    with site.client() as mei:
        page = mei.get(f"/my/approve?consent={consent.consent_id}")
        assert 'name="less"' not in page.text
        size = site.world.ledger.tree.size()
        mei.post("/my/approve/decline", data={"csrf": csrf_of(page), "consent": consent.consent_id, "less": ["data"]})
        assert site.world.ledger.tree.size() == size
