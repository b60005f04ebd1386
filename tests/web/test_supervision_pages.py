"""A supervisor's work in a browser: three answers from an empty session, orders with a preview, incidents with their clocks."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledger.entries.leaf import consent_chain
from ledger.errors import Refused
from ledger.queries.remit import Remit
from tests.clocks import HandClock
from tests.web.consoles import Consoles, open_consoles
from tests.web.reading import words_of
from tests.web.site import csrf_of

ROOT = Path(__file__).resolve().parents[2]
WEEK = "/console/supervision"


def figures(client: httpx2.Client, query: str = "") -> dict[str, dict[str, str]]:
    """The rows of the saved file by participant."""
    answer = client.get(f"{WEEK}/figures.csv?by=recipient{query}")
    assert answer.headers["content-type"].startswith("text/csv")
    head, *rest = list(csv.reader(io.StringIO(answer.text)))[2:]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rest}


def send(client: httpx2.Client, path: str, page: str = "", **form: Any) -> httpx2.Response:
    return client.post(path, data={"csrf": csrf_of(client.get(page or "/console/freezes")), **form})


def active(site: Consoles, **of: str) -> int:
    """How many consents are active, counted one by one."""
    records = site.world.ledger.records
    found = [one for holder in ("bank-a", "bank-b") for _, one in records.consents(holder, limit=500)]
    now = site.world.clock.now()
    erased = site.consents["erased"].consent_id
    return sum(
        one.consent_id != erased
        and one.status_at(now).value == "ACTIVE"
        and all(getattr(one.terms, name) == value for name, value in of.items())
        for one in found
    )


def test_from_an_empty_session_a_supervisor_reads_who_was_refused_most_and_why(consoles: Consoles) -> None:
    with consoles.client(None) as client:
        page = consoles.sign_in(client, "rita", f"/sign-in/start?next={WEEK}")
        assert page.url.path == WEEK
        text = words_of(page.text)
        first = text[text.index("Refused most") : text.index("Notices of withdrawals")]
        assert first.index("Plum") < first.index("Rival")
        for reason in ("PURPOSE_MISMATCH", "PERMISSION_MISSING", "CONSENT_REVOKED"):
            assert reason in first
        assert "1 withdrawn" in text
        assert "1 not acknowledged" in text
        rows = figures(client)
        assert (rows["plum"]["accesses_refused"], rows["plum"]["accesses_foreign"]) == ("3", "0")
        assert rows["rival"]["accesses_foreign"] == "1"
        assert rows["plum"]["accesses_after_withdrawal"] == "0"
        assert int(rows["plum"]["consents_active"]) == active(consoles, recipient="plum")


def test_a_figure_leads_to_its_entries_and_each_of_them_to_its_proof(consoles: Consoles) -> None:
    wanted = {consoles.entries[name].index for name in ("purpose", "permission", "late")}
    with consoles.client("rita") as client:
        page = client.get(f"{WEEK}/refusals?participant=plum&by=recipient").text
        links = re.findall(r'href="(/console/audit/proof\?index=(\d+))"', page)
        assert {int(index) for _, index in links} == wanted
        proof = words_of(client.get(links[0][0]).text)
        assert f"Entry {links[0][1]} is in the log" in proof
        one = client.get(f"{WEEK}/refusals?participant=plum&by=recipient&reason=CONSENT_REVOKED").text
        assert re.findall(r"proof\?index=(\d+)", one) == [str(consoles.entries["late"].index)]
        secrets = [
            part for each in consoles.consents.values() for part in (each.consent_id, each.subject, *each.accounts)
        ]
        assert not [secret for secret in secrets if secret in page]
        case = re.search(r'href="(/console/audit/bundles\?first=\d+&amp;last=\d+)#case"', page)
        assert case
        assert f'value="{min(wanted)}"' in client.get(case[1].replace("&amp;", "&")).text


def test_an_end_that_nobody_acknowledged_leads_to_its_entry_until_somebody_does(tmp_path: Path) -> None:
    clock = HandClock()
    with open_consoles(tmp_path / "site", clock=clock) as site:
        consent, end = site.consents["revoked"], site.entries["revocation"].index
        clock.advance(seconds=4 * 86_400)
        with site.client("rita") as client:
            overview = client.get(WEEK).text
            assert "1 for more than 72 hours" in words_of(overview)
            assert figures(client)["plum"]["unacknowledged_late"] == "1"
            link = re.search(r'href="(/console/supervision/unacknowledged\?participant=bank-a[^"]*late=yes)"', overview)
            assert link
            page = client.get(link[1].replace("&amp;", "&")).text
            assert re.findall(r"proof\?index=(\d+)", page) == [str(end)]
            assert "waiting for 4 days" in words_of(page)
            assert consent.consent_id not in page
            assert f"Entry {end} is in the log" in words_of(client.get(f"/console/audit/proof?index={end}").text)
            site.world.record(site.world.parties["plum"].change("acknowledge", consent, basis=end))
            clock.advance(seconds=60)
            assert "late=yes" not in client.get(WEEK).text
            assert figures(client)["plum"]["unacknowledged"] == "0"
            yesterday = dt.datetime.fromtimestamp(clock.now() / 1000, dt.UTC).date() - dt.timedelta(days=1)
            then = client.get(f"{WEEK}/unacknowledged?participant=plum&to={yesterday}").text
            assert f"proof?index={end}" in then
            assert "acknowledged later" in words_of(then)


def test_periods_are_whole_days_are_compared_and_never_longer_than_is_shown(consoles: Consoles) -> None:
    with consoles.client("rita") as client:
        assert figures(client, "&from=2001-01-01&to=2001-01-07") == {}
        old = words_of(client.get(f"{WEEK}?from=2001-01-01&to=2001-01-07&versus=2000-12-25").text)
        assert "1 Jan 2001 to 7 Jan 2001" in old
        assert "25 Dec 2000 to 31 Dec 2000" in old
        for hostile in ("from=x", "to=2026-13-01", "by=customer", "versus=99999999"):
            assert client.get(f"{WEEK}?{hostile}").status_code == 404
        assert client.get(f"{WEEK}?from=0001-01-01&to=9999-12-31").status_code == 200
        assert client.get(f"{WEEK}?from=2000-01-01&to=2000-01-02&versus=0001-01-01").status_code == 200


def test_a_regulator_that_is_there_for_one_bank_sees_that_bank(consoles: Consoles) -> None:
    with consoles.client("otto") as client:
        assert set(figures(client)) <= {"rival"}
        page = client.get(f"{WEEK}/refusals?participant=plum&by=recipient").text
        assert not re.findall(r"proof\?index=\d+", page)


def test_a_freeze_is_previewed_and_ordered_only_with_the_number_that_was_shown(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as site, site.client("rita") as client:
        wish = {"recipient": "plum", "hours": "2", "reason": "scraping", "freeze_id": "f-plum"}
        count = active(site, recipient="plum")
        preview = send(client, "/console/freezes/preview", **wish)
        assert f"how many active consents this touches: {count}" in words_of(preview.text)
        size = site.world.ledger.tree.size()
        wrong = send(client, "/console/freezes", **wish, typed=str(count + 1))
        assert wrong.status_code == 409
        assert "Nothing was recorded" in wrong.text
        assert site.world.ledger.tree.size() == size
        assert send(client, "/console/freezes", **wish, drill="yes", typed=str(count)).status_code == 200
        plum = site.world.parties["plum"]
        [drilled] = site.world.record(plum.access(site.consents["active"], purpose="other"))
        assert "FROZEN" not in drilled.outcome.reasons  # type: ignore[union-attr]
        ordered = send(client, "/console/freezes", **{**wish, "freeze_id": "f-2"}, typed=str(count))
        assert "in force" in words_of(ordered.text)
        [frozen] = site.world.record(plum.access(site.consents["active"], purpose="other"))
        assert frozen.outcome.reasons == ("FROZEN",)  # type: ignore[union-attr]
        order = max(one.index for one in site.world.ledger.registry.supervision.freezes.values())
        assert frozen.index == order + 1, "the next index is the first that can be denied, and is"
        send(client, f"/console/freezes/{order}/lift")
        [after] = site.world.record(plum.access(site.consents["active"], purpose="other"))
        assert "FROZEN" not in after.outcome.reasons  # type: ignore[union-attr]


def test_a_regulators_page_refuses_a_freeze_beyond_its_remit_before_anything_is_counted(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as site, site.client("rita") as client:
        site.pages.state.office.remits["regulator-1"] = Remit(holders=frozenset({"bank-b"}))
        size, wide = site.world.ledger.tree.size(), {"recipient": "plum", "hours": "2", "reason": "scraping"}
        for path in ("/console/freezes/preview", "/console/freezes"):
            answer = send(client, path, **wide, typed=str(active(site, recipient="plum")))
            assert answer.status_code == 409, path
            assert "names one of them as `holder`" in words_of(answer.text)
        assert site.world.ledger.tree.size() == size
        within = {"holder": "bank-b", "hours": "2", "reason": "scraping", "freeze_id": "f-b"}
        preview = send(client, "/console/freezes/preview", **within)
        assert preview.status_code == 200
        ordered = send(client, "/console/freezes", **within, typed=str(active(site, holder="bank-b")))
        assert "in force" in words_of(ordered.text)


def test_an_impossible_freeze_is_refused_by_name_and_nothing_is_recorded(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as site:
        size = site.world.ledger.tree.size()
        with site.client("rita") as client:
            for wrong, named in (
                ({"hours": "2"}, "everything"),
                ({"recipient": "plum", "hours": "9999"}, "hours"),
                ({"recipient": "no one", "hours": "1"}, "recipient"),
                ({"country": "Atlantis", "hours": "1"}, "country"),
            ):
                answer = send(client, "/console/freezes/preview", **wrong)
                assert answer.status_code == 409
                assert named in words_of(answer.text)
        with site.client("bea") as client:  # a bank freezes what it holds itself, no more
            answer = send(
                client, "/console/freezes", recipient="plum", hours="1", typed=str(active(site, recipient="plum"))
            )
            assert answer.status_code == 409
            assert "for a regulator" in words_of(answer.text)
        with site.client("ben") as client:
            assert "Nobody signs here" in words_of(client.get("/console/freezes").text)
        assert site.world.ledger.tree.size() == size


def test_the_operator_freezes_by_two_officers_and_no_one_by_himself(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site", olga=("operator", "operator")) as site:
        count = str(active(site))
        wish = {"everything": "yes", "hours": "1", "reason": "breach", "freeze_id": "all"}
        with site.client("olaf") as client:
            assert send(client, "/console/freezes", **wish, typed=count).status_code == 200
            assert not site.world.ledger.registry.supervision.freezes
            page = client.get("/console/freezes").text
            number = re.search(r"/orders/([0-9A-F]+)/withdraw", page)
            assert number
            assert "A second person" in page
            own = send(client, f"/console/freezes/orders/{number[1]}/approve", typed=count)
            assert own.status_code == 403
        with site.client("olga") as client:
            assert send(client, f"/console/freezes/orders/{number[1]}/approve", typed="0").status_code == 409
            assert not site.world.ledger.registry.supervision.freezes
            assert send(client, f"/console/freezes/orders/{number[1]}/approve", typed=count).status_code == 200
            assert send(client, f"/console/freezes/orders/{number[1]}/approve", typed=count).status_code == 409
        [freeze] = site.world.ledger.registry.supervision.freezes.values()
        assert (freeze.author, freeze.freeze_id) == ("", "all")


def test_a_hold_of_two_officers_keeps_records_from_being_erased_until_it_is_lifted(tmp_path: Path) -> None:
    holds = "/console/operator/holds"
    with open_consoles(tmp_path / "site", olga=("operator", "operator")) as site:
        ledger, kept = site.world.ledger, site.consents["active"].consent_id

        def both(path: str, **form: str) -> None:
            """One officer asks, another one puts it on record."""
            with site.client("olaf") as client:
                assert send(client, path, holds, **form).status_code == 200
                number = re.search(r"/orders/([0-9A-F]+)/withdraw", client.get(holds).text)
                assert number
                assert send(client, f"{holds}/orders/{number[1]}/approve", holds).status_code == 403
            with site.client("olga") as client:
                assert send(client, f"{holds}/orders/{number[1]}/approve", holds).status_code == 200

        with site.client("olaf") as client:
            for wrong in ({"consents": ""}, {"consents": "a b c d e f g h i"}, {"consents": kept, "days": "x"}):
                assert send(client, holds, holds, **wrong).status_code == 409
        assert not ledger.registry.supervision.holds
        both(holds, consents=kept, basis="court-order", days="0", hold="case-1")
        with pytest.raises(Refused, match="case-1"):
            ledger.erase([consent_chain(kept)], "customer-request", ("officer-1", "officer-2"))
        both(f"{holds}/lift", hold="case-1")
        assert ledger.erase([consent_chain(kept)], "customer-request", ("officer-1", "officer-2"))


def test_two_officers_put_a_remit_on_record_and_it_counts_from_then_on(tmp_path: Path) -> None:
    remits = "/console/operator/remits"
    with open_consoles(tmp_path / "site", olga=("operator", "operator")) as site:
        ledger, count = site.world.ledger, str(active(site, holder="bank-a"))
        wish = {"regulator": "regulator-1", "holders": "bank-a"}
        with site.client("olaf") as client:
            size = ledger.tree.size()
            for wrong, named in (
                ({"holders": "bank-x"}, "bank-x"),
                ({"holders": "plum"}, "no holder"),
                ({"regulator": "bank-a"}, "regulator"),
                ({"holders": ""}, "there for all"),
                ({"everything": "yes"}, "there for all"),
                ({"holders": "", "everything": "yes"}, "already"),
            ):
                answer = send(client, f"{remits}/preview", remits, **{**wish, **wrong})
                assert answer.status_code == 409, wrong
                assert named in words_of(answer.text)
            preview = send(client, f"{remits}/preview", remits, **wish)
            assert f"how many active consents this touches: {count}" in words_of(preview.text)
            assert send(client, remits, remits, **wish, typed="999").status_code == 409
            assert send(client, remits, remits, **wish, typed=count).status_code == 200
            number = re.search(r"/orders/([0-9A-F]+)/withdraw", client.get(remits).text)
            assert number
            assert send(client, f"{remits}/orders/{number[1]}/approve", remits, typed=count).status_code == 403
            assert ledger.tree.size() == size, "nothing was recorded"
        with site.client("rita") as regulator:
            assert "rival" in figures(regulator)
        with site.client("olga") as client:
            assert send(client, f"{remits}/orders/{number[1]}/approve", remits, typed="999").status_code == 409
            assert send(client, f"{remits}/orders/{number[1]}/approve", remits, typed=count).status_code == 200
            assert send(client, f"{remits}/orders/{number[1]}/approve", remits, typed=count).status_code == 409
        assert ledger.registry.supervision.remits["regulator-1"].holders == {"bank-a"}
        with site.client("rita") as regulator:
            assert set(figures(regulator)) == {"plum"}
            answer = send(regulator, "/console/freezes/preview", recipient="plum", hours="1", reason="scraping")
            assert "names one of them as `holder`" in words_of(answer.text)


def opened(client: httpx2.Client, site: Consoles, **changes: str) -> str:
    form = {
        "class": "data-breach",
        "severity": "3",
        "hours-ago": "0",
        "text": "Keys were lost",
        "holder": "bank-a",
        "clock-initial": "yes",
        "clock-intermediate": "yes",
        "own-clock": "board",
        "own-hours": "48",
        "incident_id": "i-1",
        **changes,
    }
    count = active(site, holder="bank-a")
    seen = send(client, "/console/incidents/preview", "/console/incidents", **form)
    assert f"how many active consents this touches: {count}" in words_of(seen.text)
    answer = send(client, "/console/incidents", "/console/incidents", **form, typed=str(count))
    assert answer.status_code == 200
    return answer.url.path


def test_an_incident_has_clocks_that_run_out_and_lateness_follows_from_the_log(tmp_path: Path) -> None:
    clock = HandClock()
    with open_consoles(tmp_path / "site", clock=clock) as site, site.client("bea") as client:
        path = opened(client, site)
        text = words_of(client.get(path).text)
        assert "Keys were lost" in text
        assert "3 hours left" in text or "4 hours left" in text
        clock.advance(seconds=5 * 3_600)
        site.sign_in(client, "bea")
        assert "overdue" in words_of(client.get(path).text)
        send(
            client,
            f"{path}/update",
            path,
            text="We know more",
            clock="initial",
            told_customers="2",
            told_participants="1",
        )
        text = words_of(client.get(path).text)
        assert "delivered late" in text
        with site.client("rita") as regulator:
            board = words_of(regulator.get(WEEK).text)
            assert "i-1" in board[board.index("Open incidents") :]
            assert "delivered late" in board
            assert "We know more" in words_of(regulator.get(path).text)
        with site.client("ben") as other:
            assert other.get(path).status_code == 404
        send(client, f"{path}/close", path, text="Over", reason="resolved")
        with site.client("rita") as regulator:
            assert "No incident is open" in words_of(regulator.get(WEEK).text)
        incident = site.world.ledger.registry.supervision.incidents["bank-a", "i-1"]
        assert (incident.told_customers, incident.told_participants, len(incident.updates)) == (2, 1, 2)


def test_the_pack_of_an_incident_is_verified_offline_entry_by_entry(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as site, site.client("bea") as client:
        path = opened(client, site)
        send(client, f"{path}/close", path, text="It was nothing", reason="false-alarm")
        (tmp_path / "policy").write_text(f"log {site.world.ledger.vkey.format()}\nquorum none\n")
        with zipfile.ZipFile(io.BytesIO(client.get(f"{path}/pack").content)) as archive:
            names = sorted(archive.namelist())
            texts = {archive.read(name).decode() for name in names if name.endswith(".txt")}
            receipts = [name for name in names if name.endswith(".receipt.json")]
            archive.extractall(tmp_path / "pack")
        assert texts == {"Keys were lost", "It was nothing"}
        assert len(receipts) == 2
        for name in receipts:
            command = [sys.executable, "-m", "verifier", "receipt", str(tmp_path / "pack" / name)]
            checked = subprocess.run(
                [*command, "--policy", str(tmp_path / "policy")], check=False, capture_output=True, text=True, cwd=ROOT
            )
            assert "✔ VALID" in checked.stdout, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"severity": "9"},
        {"hours-ago": "-1"},
        {"own-clock": "board", "own-hours": "x"},
        {"class": "not a code!"},
        {"holder": "no such bank"},
    ],
)
def test_an_incident_that_does_not_read_is_refused_and_nothing_is_recorded(
    consoles: Consoles, wrong: dict[str, str]
) -> None:
    form = {
        "class": "outage",
        "severity": "1",
        "hours-ago": "0",
        "text": "x",
        "holder": "bank-a",
        "clock-initial": "yes",
        **wrong,
    }
    with consoles.client("bea") as client:
        size = consoles.world.ledger.tree.size()
        answer = send(
            client, "/console/incidents", "/console/incidents", **form, typed=str(active(consoles, holder="bank-a"))
        )
        assert answer.status_code == 409
        assert consoles.world.ledger.tree.size() == size
