"""The operator's records as a table: what is chosen is what is shown, in the file too."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from api.web.console.finding import hash_of
from api.web.console.records import ABOUT
from api.web.plain import cell
from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain
from ledger.queries.overview import OverviewQueries
from tests.web.console_pages import alerts
from tests.web.consoles import Consoles

HERE = "/console/audit/records"


def rows(site: Consoles, query: str, who: str = "ada") -> list[dict[str, str]]:
    with site.client(who) as client:
        answer = client.get(f"{HERE}.csv?{query}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def shown(site: Consoles, query: str, who: str = "ada") -> list[str]:
    with site.client(who) as client:
        answer = client.get(f"{HERE}?{query}")
    assert answer.status_code == 200
    return re.findall(r'/console/audit/proof\?index=(\d+)"', answer.text)


def test_the_file_holds_every_document_of_the_log_newest_first(consoles: Consoles) -> None:
    overview = OverviewQueries(consoles.world.ledger.store)
    documents = overview.documents(limit=200)
    assert len(documents) < 200
    listed = rows(consoles, "")
    assert [row["entry"] for row in listed] == [str(one.index) for one in documents]
    assert json.loads(listed[0]["document"]) == documents[0].document
    assert listed[0]["leaf_hash"] == b64u(documents[0].leaf_hash)


@pytest.mark.parametrize("kind", ABOUT)
def test_each_kind_shows_its_documents_and_no_others(consoles: Consoles, kind: str) -> None:
    alerts(consoles)
    found = rows(consoles, f"about={kind}")
    everything = rows(consoles, "")
    assert [row["entry"] for row in found] == [row["entry"] for row in everything if row["type"] in ABOUT[kind]]
    assert shown(consoles, f"about={kind}") == [row["entry"] for row in found][:50]


def test_a_participant_is_found_wherever_a_document_names_it(consoles: Consoles) -> None:
    found = rows(consoles, "participant=bank-b")
    assert {row["type"] for row in found} >= {"participant.registered", "key.added", "participant.suspended"}
    assert all('"bank-b"' in row["document"] for row in found)
    assert "rival" in {row["participant"] for row in rows(consoles, "participant=rival&about=key")}
    assert rows(consoles, "participant=nobody") == []


def test_a_hash_leads_to_its_document_as_a_leaf_or_within_it(consoles: Consoles) -> None:
    [erasure] = rows(consoles, "about=erasure")
    chain = b64u(consent_chain(consoles.consents["erased"].consent_id))
    for query in (erasure["leaf_hash"], chain, consent_chain(consoles.consents["erased"].consent_id).hex()):
        assert [row["entry"] for row in rows(consoles, f"q={query}")] == [erasure["entry"]], query
        assert shown(consoles, f"q={query}") == [erasure["entry"]]
    assert {row["type"] for row in rows(consoles, "q=rival-client")} == {"key.added", "key.revoked"}
    assert rows(consoles, f"q={b64u(bytes(32))}") == []


def test_a_hash_is_found_as_a_file_spells_it() -> None:
    """No spreadsheet may take what begins with a hyphen for a formula: it stands behind an apostrophe there."""
    digest = bytes([0xFB]) + bytes(31)
    assert cell(b64u(digest)).startswith("'-")
    for text in (digest.hex(), b64u(digest), cell(b64u(digest))):
        assert hash_of(text) == digest


def test_days_bound_the_records(consoles: Consoles) -> None:
    day = rows(consoles, "")[0]["recorded_utc"][:10]
    assert rows(consoles, f"since={day}&until=2099-01-01")
    assert rows(consoles, "since=2099-01-01") == []
    assert rows(consoles, "until=2001-01-01") == []
    with consoles.client("ada") as client:
        assert client.get(f"{HERE}?since=yesterday").status_code == 404
        assert client.get(f"{HERE}?about=gossip").status_code == 404


def test_the_file_tells_a_regulator_with_a_remit_of_no_alerts_either(consoles: Consoles) -> None:
    alerts(consoles)
    told = {
        who: [row for row in rows(consoles, "about=supervision", who) if row["type"] == "alert.raised"]
        for who in ("rita", "otto")
    }
    assert (len(told["rita"]), len(told["otto"])) == (2, 0)


def test_pages_join_without_gap_or_repetition(consoles: Consoles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.web.console.records.SHOWN", 3)
    monkeypatch.setattr("api.web.console.records.LOOKED_AT", 5)
    every = [row["entry"] for row in rows(consoles, "about=key")]
    found: list[str] = []
    address = f"{HERE}?about=key"
    with consoles.client("ada") as client:
        for _ in range(100):
            page = client.get(address).text
            found += re.findall(r'/console/audit/proof\?index=(\d+)"', page)
            older = re.search(rf'href="({HERE}\?[^"]*before=\d+)"', page.replace("&amp;", "&"))
            later = [
                one for one in re.findall(rf'href="({HERE}\?[^"]*)"', page.replace("&amp;", "&")) if "before=" in one
            ]
            if older is None:
                break
            address = later[-1]
    assert found == every
    assert len(every) > 6
