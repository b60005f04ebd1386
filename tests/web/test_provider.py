"""A technology provider's console: its principals, delegations, acts and keys; of others, nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from ledger.documents import ParticipantRemoved, ParticipantSuspended, document_of
from tests.web.consoles import STAFF, Consoles, open_consoles, provided
from tests.web.doors import ROUTES, admitted
from tests.web.reading import words_of
from tests.web.site import csrf_of

PAGES = ("/console/provider", "/console/provider/acts", "/console/provider/acts.csv", "/console/provider/keys")


def table(site: Consoles, who: str, query: str = "") -> list[dict[str, str]]:
    """The file of somebody's acts."""
    with site.client(who) as client:
        answer = client.get(f"/console/provider/acts.csv?{query}")
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_a_provider_sees_for_whom_it_may_sign_what_and_what_has_ended(consoles: Consoles) -> None:
    provided(consoles)
    with consoles.client("tess") as client:
        assert client.get("/console").url.path == "/console/provider"
        text = words_of(client.get("/console/provider").text)
    first, _, second = text[text.index("Delegations to you") :].partition("bank-a")
    assert "plum" in first, "what is in force stands first"
    assert "in force" in first
    assert "access.request" in first
    assert "ended" in second
    assert "contract-over" in second
    assert "consent.suspend" in second


def test_the_table_holds_each_of_its_acts_with_whom_it_was_for_and_what_came_of_it(consoles: Consoles) -> None:
    provided(consoles)
    rows = table(consoles, "tess")
    named = {
        str(consoles.entries[name].index): name for name in ("for plum", "refused for plum", "suspended", "for bank-a")
    }
    assert [named[row["entry"]] for row in rows] == ["for bank-a", "suspended", "refused for plum", "for plum"]
    assert [row["for"] for row in rows] == ["bank-a", "bank-a", "plum", "plum"]
    assert [row["decision"] for row in rows] == ["", "", "deny", "allow"]
    assert rows[2]["reasons"] == "PURPOSE_MISMATCH"
    assert {row["consent"] for row in rows[2:]} == {consoles.consents["active"].consent_id}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("principal=plum", ["refused for plum", "for plum"]),
        ("principal=rival", []),
        ("act=consent.resume", ["for bank-a"]),
        ("show=refused", ["refused for plum"]),
        ("principal=bank-a&show=refused", []),
        ("since=2099-01-01", []),
        ("until=2001-01-01", []),
    ],
)
def test_the_page_and_the_file_are_filtered_alike(consoles: Consoles, query: str, found: list[str]) -> None:
    provided(consoles)
    expected = [str(consoles.entries[name].index) for name in found]
    assert [row["entry"] for row in table(consoles, "tess", query)] == expected
    with consoles.client("tess") as client:
        page = client.get(f"/console/provider/acts?{query}").text
    assert re.findall(r"/console/provider/receipts/(\d+)", page) == expected


def test_a_day_of_the_reader_holds_what_was_signed_on_it(consoles: Consoles) -> None:
    signed = provided(consoles)["tess"]
    day = dt.datetime.fromtimestamp(signed[0].time / 1000, dt.UTC).date()
    rows = table(consoles, "tess", f"since={day}&until={dt.datetime.now(dt.UTC).date()}")
    assert str(signed[0].index) in [row["entry"] for row in rows]


def test_a_provider_sees_nothing_of_others_on_any_page_that_it_may_open(consoles: Consoles) -> None:
    """Every page behind every door that lets it in, against all that happened in the log."""
    provided(consoles)
    mine = {consoles.consents[name].consent_id for name in ("active", "soon")}
    secrets = {one.consent_id for one in consoles.consents.values()} - mine
    secrets |= {text for one in consoles.consents.values() for text in (*one.accounts, one.subject, one.customer)}
    # Freezes and the marks of an access are told to every participant; the other provider's principal is not.
    secrets |= {"rival", "Rival", "other-sign", "bank-b"}
    role = STAFF["tess"][1]
    seen = 0
    with consoles.client("tess") as client:
        for route in ROUTES:
            if role not in admitted(route) or "GET" not in route.methods:
                continue
            address = re.sub(r"\{index\}", str(provided(consoles)["tess"][0].index), route.path)
            answer = client.get(address)
            assert answer.status_code == 200, address
            assert [one for one in secrets if one in answer.text] == [], address
            seen += 1
        mine_only = [row.group(1) for row in re.finditer(r"receipts/(\d+)", client.get("/console/provider/acts").text)]
    assert seen >= 7
    own = {str(consoles.entries[name].index) for name in ("for plum", "refused for plum", "suspended", "for bank-a")}
    assert set(mine_only) == own


def test_a_receipt_of_anybody_elses_entry_does_not_exist_for_it(consoles: Consoles) -> None:
    provided(consoles)
    others = [consoles.entries[name].index for name in ("allowed", "revocation", "rivals", "for rival")]
    with consoles.client("tess") as client:
        for index in (*others, 0, 1):
            for path in (f"/console/provider/receipts/{index}", f"/console/provider/receipts/{index}/file"):
                assert client.get(path).status_code == 404, path
        own = client.get(f"/console/provider/receipts/{consoles.entries['refused for plum'].index}")
    assert own.status_code == 200
    assert "PURPOSE_MISMATCH" in own.text


def test_a_principal_sees_who_signs_for_it_and_its_neighbour_does_not(consoles: Consoles) -> None:
    provided(consoles)
    with consoles.client("pia") as client:
        mine = words_of(client.get("/console/partner/delegations").text.partition('id="new"')[0])
    with consoles.client("rex") as client:
        other = words_of(client.get("/console/partner/delegations").text.partition('id="new"')[0])
    assert "sign-co" in mine
    assert "other-sign" not in mine
    assert "other-sign" in other
    assert "sign-co" not in other.replace("other-sign", "")


def test_acts_signed_for_a_principal_stay_its_providers_own_after_the_delegation_ended(consoles: Consoles) -> None:
    provided(consoles)
    assert str(consoles.entries["for bank-a"].index) in [row["entry"] for row in table(consoles, "tess")]


def test_a_provider_stops_itself_after_the_loss_of_a_key_and_reads_on(tmp_path: Path) -> None:
    with open_consoles(tmp_path / "site") as site, site.client("tess") as client:
        provided(site)
        page = client.get("/sign-in/start?next=/console/provider/keys&fresh=true", follow_redirects=True)
        site.sign_in(client, "tess", "/sign-in/start?next=/console/provider/keys&fresh=true")
        page = client.get("/console/provider/keys")
        assert "sign-co-1" in page.text
        client.post("/console/provider/suspend", data={"csrf": csrf_of(page)})
        assert site.world.ledger.registry.is_suspended("sign-co")
        text = words_of(client.get("/console/provider").text)
        assert "You are suspended" in text
        assert "in force, but one side is suspended" in text


@pytest.mark.parametrize(
    ("who", "participant", "kind", "left"),
    [
        ("tess", "sign-co", ParticipantRemoved, ()),
        ("pia", "plum", ParticipantRemoved, ()),
        ("rita", "regulator-1", ParticipantSuspended, ()),
        ("ada", "auditor-1", ParticipantSuspended, ()),
        ("pia", "plum", ParticipantSuspended, ("/console/partner",)),
    ],
)
def test_staff_lose_with_their_employer_what_its_programs_lose(
    tmp_path: Path, who: str, participant: str, kind: type, left: tuple[str, ...]
) -> None:
    """A session that was open before, and a new one: nothing more than the scopes of the API."""
    with open_consoles(tmp_path / "site") as site, site.client(who) as client:
        role = STAFF[who][1]
        plain = [one.path for one in ROUTES if one.methods == {"GET"} and role in admitted(one) and "{" not in one.path]
        listed = [path for path in plain if not path.endswith(("/live", "/bundle"))]
        before = [path for path in listed if client.get(path).status_code == 200]
        assert len(before) >= 4
        site.world.ledger.record_documents(document_of(kind, participant=participant, reason="test"))
        opened = {path for path in before if client.get(path).status_code == 200}
        assert opened == (set(before) if left else set())
        with site.client(None) as again:
            assert site.sign_in(again, who).status_code == (200 if left else 403)


def test_every_route_of_the_provider_is_behind_its_own_door() -> None:
    mine = [one for one in ROUTES if isinstance(one, APIRoute) and one.path.startswith("/console/provider")]
    assert {one.path for one in mine} >= set(PAGES)
    assert {admitted(one) for one in mine} == {frozenset({"technology-provider"})}
