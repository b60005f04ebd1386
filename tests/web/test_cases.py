"""Evidence is opened by two people: what they see before, what each of them can do alone, and what is on record after."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from api.client.signing import LocalSigner
from api.client.statements import StatementMaker
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.documents import Disclosure, document_of, key_added
from tests.clocks import HandClock
from tests.web.consoles import CASES, Consoles, open_case, open_consoles, shown_count
from tests.web.reading import words_of
from tests.web.site import Site, csrf_of
from verifier.cli import main as verify

CASE = {"case": "case-7", "from_index": "0", "to_index": "40"}


def asked(site: Consoles, client: httpx2.Client) -> tuple[str, str]:
    """A case that one person has asked for: its number, and what is typed to confirm it."""
    token = csrf_of(client.get(CASES))
    typed = shown_count(client.post("/console/audit/cases/preview", data={**CASE, "csrf": token}).text)
    size = site.world.ledger.tree.size()
    page = client.post("/console/audit/cases", data={**CASE, "csrf": token, "typed": typed})
    assert page.url.path == CASES
    assert site.world.ledger.tree.size() == size, "asking puts nothing on record"
    [number] = re.findall(r"/console/audit/cases/asked/(\w+)/withdraw", page.text)
    return number, typed


def confirmed(client: httpx2.Client, number: str, typed: str) -> httpx2.Response:
    form = {"csrf": csrf_of(client.get(CASES)), "typed": typed}
    return client.post(f"/console/audit/cases/asked/{number}/confirm", data=form, follow_redirects=False)


@contextmanager
def asking(tmp_path: Path) -> Iterator[tuple[Consoles, HandClock, httpx2.Client, str, str]]:
    clock = HandClock()
    with open_consoles(tmp_path / "site", clock=clock) as site, site.client("rita") as rita:
        yield site, clock, rita, *asked(site, rita)


def test_the_preview_tells_entries_customers_and_banks_of_the_remit(consoles: Consoles) -> None:
    told = {}
    last = str(consoles.world.ledger.tree.size() - 1)
    for who in ("rita", "otto"):
        with consoles.client(who) as client:
            form = {**CASE, "to_index": last, "csrf": csrf_of(client.get(CASES))}
            text = words_of(client.post("/console/audit/cases/preview", data=form).text)
        told[who] = [int(re.findall(rf"(\d+) ?{what}", text)[0]) for what in ("consents", "customers", "banks")]
        assert ("Bank-A" in text) == (who == "rita")
    assert told["rita"][0] > told["otto"][0]
    assert told["rita"][2] == 2
    assert told["otto"][1:] == [2, 1], "a customer of the consent in force, and one of the erased one"


def test_nobody_opens_evidence_alone(tmp_path: Path) -> None:
    with asking(tmp_path) as (site, _, rita, number, typed):
        size = site.world.ledger.tree.size()
        assert "A second person of your institution opens it" in words_of(rita.get(CASES).text)
        assert confirmed(rita, number, typed).status_code == 403
        for stranger in ("otto", "ada", "bea"):
            with site.client(stranger) as client:
                assert number not in client.get(CASES).text
                form = {"csrf": csrf_of(client.get("/console")), "typed": typed}
                answer = client.post(f"/console/audit/cases/asked/{number}/confirm", data=form)
                assert answer.status_code == 404, stranger
        with site.client("rose") as rose:
            wrong = confirmed(rose, number, str(int(typed) + 1))
            assert wrong.status_code == 409
            assert "is not the number of entries" in words_of(wrong.text)
            assert site.world.ledger.tree.size() == size
            done = confirmed(rose, number, typed)
            assert done.status_code == 303
            assert site.world.ledger.tree.size() == size + 1
            assert "Opened by" in words_of(rose.get(done.headers["location"]).text)
            assert confirmed(rose, number, typed).status_code == 409, "it was answered"


def test_a_case_that_nobody_confirms_within_a_day_is_asked_for_again(tmp_path: Path) -> None:
    with asking(tmp_path) as (site, clock, _, number, typed):
        clock.advance(seconds=24 * 3_600)
        size = site.world.ledger.tree.size()
        with site.client("rose") as rose:
            assert number not in rose.get(CASES).text
            assert confirmed(rose, number, typed).status_code == 409
        assert site.world.ledger.tree.size() == size


def test_a_case_that_was_withdrawn_is_opened_by_nobody(tmp_path: Path) -> None:
    with asking(tmp_path) as (site, _, rita, number, typed):
        rita.post(f"/console/audit/cases/asked/{number}/withdraw", data={"csrf": csrf_of(rita.get(CASES))})
        size = site.world.ledger.tree.size()
        with site.client("rose") as rose:
            assert confirmed(rose, number, typed).status_code == 409
        assert site.world.ledger.tree.size() == size


def signing(site: Consoles, folder: Path, who: str) -> None:
    """From now on the pages sign for this authority too."""
    ledger, office = site.world.ledger, site.pages.state.office
    signer = LocalSigner.generate(f"{who}-web")
    ledger.record_documents(key_added(who, signer.kid, signer.alg, "statement", dict(signer.jwk)))
    office.declarers[who] = StatementMaker(who, ledger.origin, signer, SystemClock())


def test_a_case_is_handed_to_another_authority_which_signs_for_the_very_file(tmp_path: Path) -> None:
    with (
        open_consoles(tmp_path / "site") as site,
        site.client("rita") as rita,
        site.client("rose") as rose,
        site.client("otto") as otto,
    ):
        signing(site, tmp_path, "regulator-2")
        case = open_case(rita, rose, **CASE).url.path
        pack = rita.get(f"{case}/bundle").content
        digest = hashlib.sha256(pack).hexdigest()
        form = {"csrf": csrf_of(rita.get(case)), "to": "regulator-2", "basis": "gdpr-61", "handover_id": "to-two"}
        size = site.world.ledger.tree.size()
        for wrong in ({"sha256": "abc"}, {"sha256": digest, "to": "bank-a"}, {"sha256": digest, "basis": "the law"}):
            assert rita.post(f"{case}/hand", data={**form, **wrong}).status_code == 409, wrong
        assert site.world.ledger.tree.size() == size, "nothing was recorded"
        page = rita.post(f"{case}/hand", data={**form, "sha256": digest, "holder": "bank-a"})
        assert "not signed for yet" in words_of(page.text)
        assert digest in page.text

        theirs = otto.get(CASES)
        assert "Cases that were handed to you" in words_of(theirs.text)
        [index] = re.findall(r"/console/audit/handovers/(\d+)/receive", theirs.text)
        with site.client("ada") as ada:
            assert f"/console/audit/handovers/{index}" not in ada.get(CASES).text
            assert ada.get(f"/console/audit/handovers/{index}/receipts").status_code == 404
        token = csrf_of(theirs)
        other = otto.post(
            f"/console/audit/handovers/{index}/receive",
            data={"csrf": token, "sha256": hashlib.sha256(b"another").hexdigest()},
        )
        assert other.status_code == 409
        assert "not the hash of the file" in words_of(other.text)
        mine = rita.post(
            f"/console/audit/handovers/{index}/receive", data={"csrf": csrf_of(rita.get(case)), "sha256": digest}
        )
        assert mine.status_code == 404, "who hands over does not sign for the other"
        done = otto.post(f"/console/audit/handovers/{index}/receive", data={"csrf": token, "sha256": digest})
        assert "signed for" in words_of(done.text)
        assert "not signed for yet" not in words_of(done.text)

        policy = tmp_path / "policy"
        policy.write_text(f"log {site.world.ledger.vkey.format()}\nquorum none\n")
        for client in (rita, otto):
            saved = zipfile.ZipFile(io.BytesIO(client.get(f"/console/audit/handovers/{index}/receipts").content))
            names = sorted(name.rpartition("-")[0] for name in saved.namelist())
            assert names == ["case-hand_over", "case-receive"]
            for name in saved.namelist():
                (tmp_path / name).write_bytes(saved.read(name))
                assert verify(["receipt", str(tmp_path / name), "--policy", str(policy)]) == 0


def test_a_customer_is_shown_to_whom_what_was_opened_was_passed_on(site: Site) -> None:
    consent = site.shared()
    key, ledger = site.key(consent), site.world.ledger
    first, _ = (site.world.join(name, "regulator", client=False) for name in ("watchdog", "sister-authority"))
    [opened] = ledger.record_documents(
        document_of(
            Disclosure,
            participant="watchdog",
            case="case-7",
            from_index=0,
            to_index=ledger.tree.size() - 1,
            approved_by=("a", "b"),
        )
    )
    with site.client() as client:
        before = words_of(client.get(f"/my/connections/{key}").text)
        assert "Watchdog" in before
        assert "Passed on" not in before
        members = {"basis": "gdpr-61", "disclosure": opened.index, "handover_id": "h-1", "scope": {}}
        said = first.sign("case.hand_over", **members, pack_hash=b64u(bytes(32)), to="sister-authority")
        ledger.submit_and_wait(ledger.prepare(said))
        for path in (f"/my/connections/{key}", f"/my/connections/{key}/history"):
            assert "Passed on to Sister-Authority" in words_of(client.get(path).text), path
