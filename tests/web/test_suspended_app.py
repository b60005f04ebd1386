"""An app is suspended while its request waits: she is told why she cannot agree, and can say no."""

from __future__ import annotations

from ledger.documents import ParticipantSuspended, document_of
from tests.web.site import Site, csrf_of
from tests.world import reference


def test_she_is_told_that_she_cannot_agree_now_and_can_decline(shared_site: Site) -> None:
    site = shared_site
    app = site.world.recipient(f"barred-{reference()[:6].lower().replace('_', 'x')}")
    read, waiting = site.ask(app), site.ask(app)
    ledger = site.world.ledger
    with site.client() as mei:
        page = mei.get(f"/my/approve?consent={read.consent_id}")
        assert "is barred from reading" not in page.text
        accounts = [part.split('"')[0] for part in page.text.split('name="account"')[1].split('value="')[1:2]]
        said = {"csrf": csrf_of(page), "consent": read.consent_id, "account": accounts}
        said |= {"separate": list(read.terms["separate_consents"])}
        assert mei.post("/my/approve/review", data=said).url.path == "/my/approve/review"
        ledger.record_documents(document_of(ParticipantSuspended, participant=app.id, reason="audit"))
        size = ledger.tree.size()
        refused = mei.post("/my/approve/agree", data={"csrf": csrf_of(page)})
        assert (refused.status_code, "is barred from reading data at present" in refused.text) == (409, True)
        assert mei.post("/my/approve/review", data=said).status_code == 409
        assert ledger.tree.size() == size, "nothing was recorded"
        page = mei.get(f"/my/approve?consent={waiting.consent_id}")
        assert "You cannot agree to its request now" in page.text
        assert "/my/approve/review" not in page.text
        done = mei.post("/my/approve/decline", data={"csrf": csrf_of(page), "consent": waiting.consent_id})
        assert done.status_code == 200
        assert ledger.records.consent(app.id, waiting.consent_id).status.value == "REJECTED"
