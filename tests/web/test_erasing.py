"""Asking to be erased, and what an authority opened: told to the customer; and what she did not expect: told to her bank."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from api.web.console.erasures import HERE
from ledger.entries.leaf import consent_chain
from ledger.receipts import check_receipt, receipt_bytes
from tests.web.consoles import OFFICERS, Consoles, as_site, open_case, open_consoles
from tests.web.reading import words_of
from tests.web.site import MEI, csrf_of


def as_customer(consoles: Consoles, client: httpx2.Client) -> None:
    assert consoles.sign_in(client, MEI).status_code == 200


def test_nothing_is_erased_before_two_different_people_have_approved(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site", **OFFICERS) as consoles:
        site = as_site(consoles)
        consent = site.shared()
        index = site.read(consent).index
        with consoles.client(None) as mei, consoles.client("olaf") as olaf, consoles.client("oona") as oona:
            as_customer(consoles, mei)
            page = mei.get("/my/erase")
            assert "still open" in words_of(page.text), "what is shared is stopped first"
            assert mei.post("/my/erase", data={"csrf": csrf_of(page_with_form(mei))}).status_code == 409
            token = csrf_of(page_with_form(mei))
            mei.post("/my/stop-all", data={"csrf": token})
            told = words_of(mei.get("/my/erase").text)
            for part in (
                "What will be gone",
                "What will stay",
                "What is not in our hands",
                "Who decides",
                "It cannot be undone",
            ):
                assert part in told
            filed = mei.post("/my/erase", data={"csrf": token})
            number = site.office.store.inbox.erasure_of(site.people[MEI]).id  # type: ignore[union-attr]
            assert number in filed.text
            size = consoles.world.ledger.tree.size()

            listed = olaf.get(HERE)
            assert number in listed.text
            assert consent.consent_id not in listed.text
            approve = f"{HERE}/{number}/approve"
            olaf.post(approve, data={"csrf": csrf_of(listed)})
            assert olaf.post(approve, data={"csrf": csrf_of(listed)}).status_code == 403, "one person is not two"
            assert consoles.world.ledger.tree.size() == size
            assert "a second one must" in words_of(mei.get("/my/erase").text)

            kept = consoles.world.ledger.records.receipt_for("plum", index)
            for typed in ("", "another"):
                sent = oona.post(approve, data={"csrf": csrf_of(oona.get(HERE)), "typed": typed})
                assert sent.status_code == 409, "one click does not destroy anything"
            assert consoles.world.ledger.tree.size() == size
            oona.post(approve, data={"csrf": csrf_of(oona.get(HERE)), "typed": number})
            [document] = consoles.world.ledger.records.recorded([size])
            assert document.act == "erasure"
            gone = consoles.world.ledger.records.receipt_for("plum", index)
            assert gone.evidence is None
            assert kept.evidence is not None
            check_receipt(receipt_bytes(kept), consoles.world.ledger.vkey)  # her own copy still proves
            check_receipt(receipt_bytes(gone), consoles.world.ledger.vkey)  # and the log is as provable as before
            assert mei.get("/my/erase", follow_redirects=False).status_code == 303, "her sessions are gone too"
            as_customer(consoles, mei)
            assert "Your data was erased" in words_of(mei.get("/my/erase").text)
            assert "Plum" not in mei.get("/my/connections?tab=ended").text
            again = oona.post(approve, data={"csrf": csrf_of(oona.get(HERE)), "typed": number})
            assert again.status_code == 409, "it is answered"


def page_with_form(client: httpx2.Client) -> httpx2.Response:
    return client.get("/my/settings")


def test_a_request_is_declined_with_a_reason_that_she_reads_or_withdrawn_by_sharing_again(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as consoles:
        site = as_site(consoles)
        with consoles.client(None) as mei, consoles.client("olaf") as olaf:
            as_customer(consoles, mei)
            token = csrf_of(page_with_form(mei))
            mei.post("/my/erase", data={"csrf": token})
            number = site.office.store.inbox.erasure_of(site.people[MEI]).id  # type: ignore[union-attr]
            decline = f"{HERE}/{number}/decline"
            officers = csrf_of(olaf.get(HERE))
            assert olaf.post(decline, data={"csrf": officers, "reason": "because"}).status_code == 403
            olaf.post(decline, data={"csrf": officers, "reason": "legal-retention"})
            assert "The law requires us to keep these records" in words_of(mei.get("/my/erase").text)

            mei.post("/my/erase", data={"csrf": token})
            assert "with the operator" in words_of(mei.get("/my/erase").text)
            asked = site.ask()
            page = mei.get("/my/approve", params={"consent": asked.consent_id})
            account = re.findall(r'name="account"\s+value="([^"]+)"', page.text)[0]
            form = {
                "csrf": token,
                "consent": asked.consent_id,
                "account": account,
                "separate": ["provision", "sensitive"],
            }
            mei.post("/my/approve/review", data=form)
            mei.post("/my/approve/agree", data={"csrf": token})
            assert "You withdrew your request" in words_of(mei.get("/my/erase").text)


def test_a_customer_is_shown_that_a_regulator_opened_her_evidence(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as consoles:
        site = as_site(consoles)
        consent, other = site.shared(), site.shared()
        index = site.read(consent).index
        site.read(other)
        with consoles.client(None) as mei, consoles.client("rita") as rita, consoles.client("rose") as rose:
            as_customer(consoles, mei)
            key = site.key(consent)
            pages = [f"/my/connections/{key}", f"/my/connections/{key}/history", f"/my/receipts/{index}"]
            assert not any("case-2026-17" in mei.get(path).text for path in pages)
            case = {"case": "case-2026-17", "from_index": str(index), "to_index": str(index)}
            assert open_case(rita, rose, **case).status_code == 200
            for path in pages:
                told = words_of(mei.get(path).text)
                assert "case-2026-17" in told, path
                assert "Regulator-1" in told, path
            # Only where it is so: not on her other connection, nor on its receipts.
            assert "case-2026-17" not in mei.get(f"/my/connections/{site.key(other)}").text
            assert "case-2026-17" not in mei.get(f"/my/receipts/{key}").text


def test_the_first_entry_of_a_chain_at_or_above_an_index_is_found_in_few_reads(consoles: Consoles) -> None:
    records = consoles.world.ledger.records
    consent = consoles.consents["active"]
    chain = consent_chain(consent.consent_id)
    indexes = [one.index for one in records.history_of_chain(chain, limit=500)]
    for wanted in range(indexes[0] - 2, indexes[-1] + 3):
        assert records.first_from(chain, wanted) == next((index for index in indexes if index >= wanted), None)
    assert records.first_from(consent_chain("nobody"), 0) is None


def test_a_report_reaches_the_staff_of_her_bank_and_nobody_elses(consoles: Consoles) -> None:
    site = as_site(consoles)
    access = site.read(site.shared())
    with consoles.client(None) as mei:
        as_customer(consoles, mei)
        form = mei.get(f"/my/receipts/{access.index}/report")
        mei.post(f"/my/receipts/{access.index}/report", data={"csrf": csrf_of(form), "words": "<b>I was asleep</b>"})
    with consoles.client("bea") as bea, consoles.client("ben") as ben, consoles.client("pia") as pia:
        number = site.office.store.feedback.to_holder("bank-a")[0].number
        page = bea.get(f"/console/partner/feedback/{number}")
        assert "I was asleep" in page.text
        assert "<b>I was" not in page.text
        assert bea.get(f"/console/partner/receipts/{access.index}").status_code == 200
        assert "I was asleep" not in ben.get("/console/partner/feedback.csv").text
        assert "I was asleep" not in pia.get("/console/partner/feedback.csv").text
