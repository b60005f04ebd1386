"""A customer's earlier records: her bank's word, shown as that, apart from what the ledger recorded, and to nobody else."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from ledger.documents import Disclosure, document_of
from tests.histories import BEFORE, Told, bring, row, sheet
from tests.web.reading import words_of
from tests.web.site import MEI, OLGA, Site
from tests.world import record_index_head
from verifier.cli import main as verifier

TITLE = "Register 2016 to 2020"


def say(site: Site, act: str, **members: object) -> int:
    return site.world.ledger.record(site.bank.sign(act, **members))[0].index


@pytest.fixture(scope="module")
def brought(shared_site: Site) -> Site:
    mei, olga = (shared_site.people[who].subject for who in (MEI, OLGA))
    told = Told(
        sheet(
            mei,
            [row("consent", recipient="Ancient <b>App</b>", until=BEFORE + 9, permissions=["=1+1", "names"])],
            0,
            0,
            2,
        ),
        sheet(
            mei,
            [row(record=2, time=BEFORE + 5, result="refused"), row("revocation", record=3, time=BEFORE + 7)],
            1,
            1,
            2,
        ),
        sheet(olga, [row(recipient="Olga's own app")], 2),
        title=TITLE,
    )
    bring(lambda act, **members: say(shared_site, act, **members), told)
    record_index_head(shared_site.world.ledger)
    return shared_site


@pytest.mark.parametrize("language", ["en", "zh-CN", "pt-BR"])
def test_her_banks_word_is_shown_as_its_word_and_never_among_what_the_ledger_recorded(
    brought: Site, language: str
) -> None:
    with brought.client(language=language) as client:
        page = client.get("/my/earlier").text
        elsewhere = client.get("/my/connections").text + client.get("/my/receipts").text
    assert words_of(page).count("Bank-A") >= 2, "whose word it is: above the records, and at each history"
    assert {"en": "did not decide", "zh-CN": "未对其作出任何判定", "pt-BR": "não decidiu"}[language] in page
    assert "Ancient &lt;b&gt;App" in page
    assert TITLE in page
    assert "Olga" not in page
    assert "Ancient" not in elsewhere
    assert "/my/earlier" in elsewhere


def test_the_table_the_proof_and_the_receipts_are_hers_alone(brought: Site, tmp_path: Path) -> None:
    with brought.client() as client, brought.client(OLGA) as other:
        rows = list(csv.DictReader(io.StringIO(client.get("/my/earlier/table").text.removeprefix("\ufeff"))))
        assert [(each["kind"], each["result"]) for each in rows] == [
            ("Consent given", ""),
            ("Access", "refused"),
            ("Consent ended", ""),
        ]
        assert (rows[0]["data"], rows[0]["history"]) == ("'=1+1; names", TITLE)
        entry = rows[0]["entry"]
        assert "history.sheet" in client.get(f"/my/earlier/{entry}").json()["evidence"]
        assert other.get(f"/my/earlier/{entry}").status_code == 404
        proof = client.get("/my/earlier/complete").json()
        assert proof["count"] == 2
        assert "history:bank-a:" in client.get("/my/complete").text
    (tmp_path / "policy").write_text(f"log {brought.world.ledger.vkey.format()}\nquorum none\n")
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    assert verifier(["completeness", str(tmp_path / "proof.json"), "--policy", str(tmp_path / "policy")]) == 0


def test_she_is_shown_who_opened_a_sheet_of_hers(brought: Site) -> None:
    ledger = brought.world.ledger
    with brought.client() as client:
        [index, *_] = [int(found) for found in re.findall(r'href="/my/earlier/(\d+)"', client.get("/my/earlier").text)]
        assert "case-9" not in client.get("/my/earlier").text
        members = {"case": "case-9", "from_index": index, "to_index": index, "participant": "bank-a"}
        ledger.record_documents(document_of(Disclosure, approved_by=("a", "b"), **members))
        assert client.get("/my/earlier").text.count("case-9") == 1, "of this sheet, not of the other one"


def test_a_history_that_the_bank_took_back_is_told_as_taken_back(brought: Site) -> None:
    say(brought, "history.withdraw", history="before-2020", reason="wrong-columns")
    with brought.client() as client:
        assert "took this back" in client.get("/my/earlier").text
        assert ",yes," in client.get("/my/earlier/table").text


def test_an_erased_history_is_gone_from_her_pages_and_her_own_record_stays(brought: Site) -> None:
    person = brought.people[OLGA]
    brought.world.ledger.erase([person.history_chain], "retention", ("officer-1", "officer-2"))
    with brought.client(OLGA) as client:
        assert "has brought no earlier records" in client.get("/my/earlier").text
        assert client.get("/my/connections").status_code == 200
