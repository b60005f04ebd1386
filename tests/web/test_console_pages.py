"""What the consoles show is what the log holds; foreign text stays text."""

from __future__ import annotations

import html
import io
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from api.web.locale import CATALOGUES
from api.web.words import Words
from ledger.documents import ParticipantRemoved, document_of
from ledger.queries.overview import OverviewQueries
from ledger.receipts import receipt_bytes
from tests.client.service import running_service
from tests.clocks import HandClock
from tests.devices import RP_ID, Device
from tests.web.consoles import HOSTILE, Consoles, open_case, open_consoles
from tests.web.reading import words_of
from tests.web.site import csrf_of

ROOT = Path(__file__).resolve().parents[2]
DAY_S = 86_400


def test_a_partner_sees_its_consents_by_state_and_what_ends_soon(consoles: Consoles) -> None:
    with consoles.client("pia") as client:
        page = client.get("/console/partner")
        text = words_of(page.text)
        assert "Awaiting the customer 1" in text
        assert "Active 2" in text
        assert "Revoked 1" in text
        soon = text[text.index("Ending within") :]
        assert consoles.consents["soon"].consent_id in soon
        assert consoles.consents["active"].consent_id not in soon
        active = words_of(client.get("/console/partner/consents?status=ACTIVE").text)
    assert consoles.consents["active"].consent_id in active
    assert consoles.consents["revoked"].consent_id not in active
    assert consoles.consents["rival"].consent_id not in active


def test_refused_calls_come_with_their_reason_and_the_fix(consoles: Consoles) -> None:
    with consoles.client("pia") as client:
        text = words_of(client.get("/console/partner/calls").text)
    for reason in ("CONSENT_REVOKED", "PURPOSE_MISMATCH", "PERMISSION_MISSING"):
        assert reason in text
    assert "Ask for less, or propose an amendment with the permission." in text
    assert "CONSENT_NOT_YOURS" not in text, "that was another recipient's call"
    with consoles.client("bea") as client:
        assert "CONSENT_NOT_YOURS" in client.get("/console/partner/calls").text, "the holder sees strangers' attempts"
    with consoles.client("rex") as client:
        assert "CONSENT_NOT_YOURS" in client.get("/console/partner/calls").text, "so does who made the attempt"


@pytest.mark.parametrize("tag", sorted(CATALOGUES))
def test_a_bank_reads_why_calls_were_refused_and_never_what_an_app_should_do(consoles: Consoles, tag: str) -> None:
    words = Words(tag, "UTC")
    for who, own, other in (("bea", "holder", "recipient"), ("pia", "recipient", "holder")):
        with consoles.client(who, language=tag) as client:
            for path in ("/console/partner", "/console/partner/calls"):
                text = words_of(client.get(path).text)
                family = "con.partner.refused" if path.endswith("partner") else "con.calls.reasons"
                assert words.t(f"{family}.{own}") in text
                assert words.t(f"{family}.{other}") not in text
                assert (words.code("fix", "PERMISSION_MISSING") in text) is (own == "recipient")


def test_a_consents_page_tells_which_delivery_is_missing(consoles: Consoles) -> None:
    with consoles.client("pia") as client:
        text = words_of(client.get(f"/console/partner/consents/{consoles.key('active')}").text)
    assert text.count("No release on record") == 1
    assert text.count("Release recorded") == 1
    assert "ReadTransactionsCredits" in text


def test_receipts_are_found_and_the_file_is_the_receipt(consoles: Consoles) -> None:
    late = consoles.entries["late"].index
    with consoles.client("pia") as client:
        found = client.get("/console/partner/receipts", params={"q": str(late)})
        assert found.url.path.endswith(f"/receipts/{late}")
        assert "CONSENT_REVOKED" in found.text
        file = client.get(f"/console/partner/receipts/{late}/file")
    assert file.content == receipt_bytes(consoles.world.ledger.records.receipt_for("plum", late))
    assert "attachment" in file.headers["content-disposition"]


def test_keys_are_shown_with_the_entries_between_which_they_sign(consoles: Consoles) -> None:
    key = consoles.world.ledger.registry.keys["rival-client"]
    with consoles.client("rex") as client:
        text = words_of(client.get("/console/partner/keys").text)
    assert f"valid from entry {key.added_at} to {key.revoked_at}" in text
    assert "plum-1" not in text


def test_the_python_sample_runs_as_it_stands(consoles: Consoles, tmp_path: Path) -> None:
    with consoles.client("pia") as client:
        page = client.get("/console/partner/sandbox").text
    code = html.unescape(re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)[0])
    assert consoles.world.ledger.vkey.format() in code
    assert f'"{consoles.url}"' in code
    with running_service(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "state") as service:
        service.join("bank-x", "holder")
        plum = service.join("plum", "recipient")
        (tmp_path / "keys").mkdir()
        plum.signer.save(tmp_path / "keys/statement.pem")
        plum.client_key.save(tmp_path / "keys/client.pem")
        # The pages of this test and the API are two servers: only address, log key and client key id differ.
        code = code.replace(consoles.url, service.url).replace("plum-client", "plum-c")
        code = code.replace(consoles.world.ledger.vkey.format(), service.node.ledger.vkey.format())
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}", "bank-x"]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "asked for" in ran.stdout
    assert "CONSENT_AWAITING" in ran.stdout


def test_an_auditor_sees_the_head_that_was_signed(consoles: Consoles) -> None:
    with consoles.client("ada") as client:
        page = client.get("/console/audit").text
    note = consoles.world.ledger.tree.checkpoint()
    assert html.escape(note.splitlines()[2]) in page
    assert consoles.world.ledger.vkey.format() in html.unescape(page)
    assert 'class="curve" points="0.0,' in page


@pytest.mark.parametrize("name", ["allowed", "late", "rivals"])
def test_the_proof_explorer_climbs_from_the_leaf_to_the_signed_root(consoles: Consoles, name: str) -> None:
    index = consoles.entries[name].index
    with consoles.client("ada") as client:
        page = client.get(f"/console/audit/proof?index={index}").text
    ledger = consoles.world.ledger
    size = ledger.tree.size()
    proof = ledger.tree.inclusion(index, size)
    assert page.count('<g class="sibling">') == len(proof)
    assert page.count('<g class="leaf">') == 1
    text = words_of(page)
    assert f"Entry {index} is in the log of {size} entries: {len(proof)} hashes" in text
    root = ledger.tree.checkpoint().splitlines()[2]
    assert text.count(root) >= 3, "the last step arrives at the root that the checkpoint signs"


def test_two_checkpoints_are_compared_and_sizes_that_nobody_signed_are_not(consoles: Consoles) -> None:
    sizes = [size for size, _ in OverviewQueries(consoles.world.ledger.store).checkpoints(limit=10)]
    with consoles.client("rita") as client:
        good = client.get(f"/console/audit/consistency?old={sizes[-1]}&new={sizes[0]}")
        assert f"The log of {sizes[0]} entries continues the log of {sizes[-1]}" in words_of(good.text)
        for old, new in ((sizes[0], sizes[-1]), (0, sizes[0]), (sizes[0] + 1, sizes[0] + 2), (-1, 2), (2**70, 2**71)):
            assert client.get(f"/console/audit/consistency?old={old}&new={new}").status_code == 404


def test_the_operators_records_are_listed_by_kind(consoles: Consoles) -> None:
    with consoles.client("ada") as client:
        erased = words_of(client.get("/console/audit/records?about=erasure").text)
        suspended = words_of(client.get("/console/audit/records?about=suspension").text)
    assert "gdpr-17" in erased
    assert "officer-1, officer-2" in erased
    assert "Participant suspended" not in erased
    assert "outage" in suspended


def evidence_of(bundle: bytes) -> set[int]:
    """Indexes whose evidence a bundle holds."""
    import gzip

    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        shards = [name for name in archive.namelist() if name.startswith("evidence/")]
        lines = [line for name in shards for line in gzip.decompress(archive.read(name)).splitlines()]
    return {json.loads(line)["index"] for line in lines}


def test_an_auditors_bundle_holds_the_log_and_no_evidence(consoles: Consoles, tmp_path: Path) -> None:
    with consoles.client("ada") as client:
        answer = client.get("/console/audit/bundle")
    assert answer.headers["content-type"] == "application/zip"
    assert evidence_of(answer.content) == set()
    (tmp_path / "log.zip").write_bytes(answer.content)
    (tmp_path / "policy").write_text(f"log {consoles.world.ledger.vkey.format()}\nquorum none\n")
    command = [
        sys.executable,
        "-m",
        "verifier",
        "bundle",
        str(tmp_path / "log.zip"),
        "--policy",
        str(tmp_path / "policy"),
    ]
    checked = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert "BAD_" not in checked.stdout
    assert checked.returncode in {0, 2}, checked.stdout


def test_a_case_is_recorded_before_it_is_opened_and_closes_after_thirty_days(tmp_path: Path) -> None:
    clock = HandClock()
    with (
        open_consoles(tmp_path / "site", clock=clock) as site,
        site.client("rita") as client,
        site.client("rose") as rose,
    ):
        case = {"case": "case-2026-17", "from_index": "19", "to_index": "32"}
        size = site.world.ledger.tree.size()
        opened = open_case(client, rose, **case)
        assert opened.status_code == 200
        index = int(opened.url.path.rsplit("/", 1)[1])
        assert index == size, "asking recorded nothing"
        document = OverviewQueries(site.world.ledger.store).document(index).document
        people = document.pop("approved_by")
        assert len({*people}) == 2
        assert document == {
            "type": "disclosure",
            "v": 1,
            "participant": "regulator-1",
            "case": "case-2026-17",
            "from_index": 19,
            "to_index": 32,
        }
        for one in (client, rose):
            inside = evidence_of(one.get(f"/console/audit/cases/{index}/bundle").content)
            assert inside
            assert all(19 <= entry <= 32 for entry in inside)

        clock.advance(seconds=360)  # the sign-in is no longer fresh
        form = {**case, "csrf": csrf_of(client.get("/console/audit/bundles")), "typed": "1"}
        stale = client.post("/console/audit/cases", data=form, follow_redirects=False)
        assert stale.headers["location"].startswith("/sign-in/start?")
        assert "fresh=True" in stale.headers["location"]
        stale = client.get(f"/console/audit/cases/{index}/bundle", follow_redirects=False)
        assert stale.status_code == 303

        clock.advance(seconds=31 * DAY_S)
        site.sign_in(client, "rita")
        assert client.get(f"/console/audit/cases/{index}").status_code == 200
        assert client.get(f"/console/audit/cases/{index}/bundle").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"case": "no spaces"},
        {"from_index": "x"},
        {"from_index": "5", "to_index": "4"},
        {"to_index": "99999999"},
        {"csrf": "no"},
    ],
)
def test_a_case_that_makes_no_sense_records_nothing(consoles: Consoles, wrong: dict[str, str]) -> None:
    with consoles.client("rita") as client:
        form = {
            "case": "case-1",
            "from_index": "1",
            "to_index": "2",
            "csrf": csrf_of(client.get("/console/audit/bundles")),
        }
        size = consoles.world.ledger.tree.size()
        for path in ("/console/audit/cases/preview", "/console/audit/cases"):
            assert client.post(path, data=form | wrong).status_code in {403, 409}
    assert consoles.world.ledger.tree.size() == size


def test_the_operator_sees_figures_high_water_and_participants(consoles: Consoles) -> None:
    with consoles.client("olaf") as client:
        node, people = (
            words_of(client.get(path).text) for path in ("/console/operator", "/console/operator/participants")
        )
    assert "database matches what was signed" in node
    assert "24 hours" in node
    assert str(consoles.world.ledger.figures.entries) in node
    assert "Bank-B" in people
    assert "Suspended" in people


def test_a_recipient_reads_of_a_customers_own_signature_and_gets_none_of_it(tmp_path: Path) -> None:
    """The passkey record is for the bank; what the bank said, and that the customer signed too, is the recipient's to know."""
    with open_consoles(tmp_path / "own") as consoles:
        world, device = consoles.world, Device()
        bank, plum = world.parties["bank-a"], world.parties["plum"]
        consent = world.requested_consent(plum, bank)
        world.record(
            bank.enrol(consent.customer, credential_id=device.credential_id, public_key=device.public_key, rp_id=RP_ID)
        )
        [given, _] = world.record(replace(bank.authorise(consent), assertion=device.agree(consent)))
        with consoles.client("pia") as client:
            page = client.get(f"/console/partner/receipts/{given.index}").text
            file = client.get(f"/console/partner/receipts/{given.index}/file").text
        with consoles.client("bea") as client:
            banks = client.get(f"/console/partner/receipts/{given.index}/file").text
    assert "consent.authorise" in page
    assert "erased" not in page
    assert device.credential_id not in file
    assert device.credential_id in banks


@pytest.mark.parametrize(
    ("language", "registered", "removed"), [("en", ">Registered<", "Removed"), ("zh-CN", "已登记", "已移除")]
)
def test_a_removed_participant_is_shown_as_removed_and_never_as_registered(
    tmp_path: Path, language: str, registered: str, removed: str
) -> None:
    """Mission review, M10."""
    with open_consoles(tmp_path / "own", gwen=("gone-1", "recipient")) as consoles:
        gone = document_of(ParticipantRemoved, participant="gone-1", reason="test")
        consoles.world.recipient("gone-1", client=False)
        consoles.world.ledger.record_documents(gone)
        with consoles.client("olaf", language=language) as client:
            page = client.get("/console/operator/participants").text
        [section] = [part for part in page.split("<section") if "<code>gone-1</code>" in part]
        with consoles.client(None, language=language) as client:
            own = consoles.sign_in(client, "gwen")
    assert removed in section
    assert registered not in section
    assert own.status_code == 403, "its staff reads nothing any more, as its programs do"
    assert registered not in own.text
    assert "chip good" not in section, "its keys sign nothing any more either"


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_hostile_names_and_purposes_are_inert_on_every_page(consoles: Consoles, language: str) -> None:
    pages = {
        "pia": [
            "/console/partner",
            "/console/partner/consents",
            f"/console/partner/consents/{consoles.key('active')}",
            "/console/partner/calls?show=all",
            f"/console/partner/receipts/{consoles.entries['late'].index}",
        ],
        "rita": ["/console/audit/records"],
        "olaf": ["/console/operator/participants"],
    }
    for who, paths in pages.items():
        with consoles.client(who, language=language) as client:
            for path in paths:
                text = client.get(path).text
                assert "<b onclick" not in text, path
                assert "<i>at work" not in text, path
                assert "\u202e" not in text, path
                assert html.escape(HOSTILE.split("\u202e")[0], quote=False)[:6] in text, "the name is shown, as text"
