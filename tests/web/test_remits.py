"""A regulator that is there for one bank: on every page that regulators may enter there is nothing of anybody else's."""

from __future__ import annotations

import io
import json
import re
import zipfile
from gzip import decompress

import pytest
from fastapi.routing import APIRoute

from ledger.canonical import unb64u
from ledger.entries.leaf import consent_chain
from tests.web.console_pages import alerts, cases, feedback, handover, incident
from tests.web.consoles import STAFF, Consoles, open_case
from tests.web.doors import ROUTES, admitted
from tests.web.site import csrf_of

PUBLIC = {
    "/console/audit": "head, growth and participants of the log",
    "/console/audit/bundle": "leaves without evidence",
    "/console/audit/bundles": "forms, own cases",
    "/console/audit/consistency": "checkpoints",
    "/console/audit/find": "leaves by what somebody already holds",
    "/console/audit/proof": "a leaf and its proof",
    "/console/audit/records": "what the operator put on record, but no alerts",
    "/console/audit/records.csv": "the same as a file",
    "/console/freezes": "what is frozen is told to every participant",
}
"""Pages of what stands in the log for all who watch it."""


MINE = [one for one in ROUTES if one.methods == {"GET"} and "regulator" in admitted(one) and one.path not in PUBLIC]


@pytest.fixture(scope="module")
def watched(consoles: Consoles) -> Consoles:
    """With a finding about an access at bank-a."""
    leg = consoles.world.parties["bank-a"].leg("release", consoles.consents["active"], consoles.entries["undelivered"])
    consoles.world.record(leg)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.queries.reconciliation.DELAY_MS", 0)  # these pages have the real clock
        consoles.world.ledger.reconcile()
    return consoles


@pytest.mark.parametrize("who", ["rita", "bea", "ada", "olaf"])
def test_every_page_of_the_consoles_has_their_sheet(consoles: Consoles, who: str) -> None:
    role = STAFF[who][1]
    mine = [one.path for one in ROUTES if one.methods == {"GET"} and role in admitted(one) and "{" not in one.path]
    with consoles.client(who) as client:
        pages = {path: client.get(path) for path in mine if not path.endswith(("/live", "/bundle"))}
    html = {
        path: page for path, page in pages.items() if page.status_code == 200 and "html" in page.headers["content-type"]
    }
    assert len(html) >= 3
    assert [path for path, page in html.items() if "console.css" not in page.text] == []


def outside(site: Consoles, path: str) -> str:
    """What the route would show of bank-a: its address, without a query."""
    if path.startswith("/console/alerts/"):
        return alerts(site)["bea"]
    if path.startswith("/console/incidents/"):
        return str(incident(site))
    if path.startswith("/console/audit/cases/"):
        return cases(site)["rita"]
    if path.startswith("/console/audit/handovers/"):
        return str(handover(site, to="regulator-3"))
    raise AssertionError(f"say what {path} shows of another bank")


@pytest.mark.parametrize("route", MINE, ids=[route.path for route in MINE])
def test_nothing_of_another_bank_is_on_a_page_of_a_regulator_that_is_not_there_for_it(
    watched: Consoles, route: APIRoute
) -> None:
    consoles = watched
    theirs, number = alerts(consoles), incident(consoles)
    feedback(consoles)
    unmatched = consoles.entries["undelivered"].index
    hidden = [f"/console/alerts/{theirs['bea']}", f"/console/incidents/{number}", "Plum", "plum", "bank-a", "Bank-A"]
    hidden += [f'index={unmatched}"']
    path = route.path
    with consoles.client("otto") as otto, consoles.client("rita") as rita:
        if "{" in path:
            found = re.sub(r"\{\w+\}", outside(consoles, path), path)
            assert rita.get(found).status_code == 200
            assert otto.get(found).status_code == 404
            return
        if path.endswith("/live"):
            with otto.stream("GET", f"{path}?after=-1") as stream:
                told = next(line for line in stream.iter_lines() if line.startswith("data:"))
            assert f"/console/alerts/{theirs['ben']}" in told, "bank-a's was raised before it"
            return
        entries = path.endswith(("/refusals", "/unacknowledged"))
        query = "?participant=plum" if entries else "?state=all" if path.endswith("alerts") else ""
        answers = [client.get(path + query) for client in (rita, otto)]
        assert [answer.status_code for answer in answers] == [200, 200]
        bodies = [main(answer.text) for answer in answers]
    assert any(word in bodies[0] for word in hidden), "the page shows nothing that could be hidden"
    if entries:
        assert "proof?index=" in bodies[0]
        assert "proof?index=" not in bodies[1]
    else:
        assert [word for word in hidden if word in bodies[1]] == []


def main(page: str) -> str:
    """What a page says, without the choices that its forms offer."""
    return re.sub(r"(?s)<(select|datalist).*?</\1>", "", page)


def test_acts_about_another_banks_alert_do_not_exist(consoles: Consoles) -> None:
    index = alerts(consoles)["bea"]
    with consoles.client("otto") as client:
        token = csrf_of(client.get("/console/alerts"))
        for act in ("take", "decide", "forget"):
            assert client.post(f"/console/alerts/{index}/{act}", data={"csrf": token}).status_code == 404


def test_the_records_tell_it_of_no_alerts(consoles: Consoles) -> None:
    alerts(consoles)
    listed = {}
    for who in ("rita", "otto"):
        with consoles.client(who) as client:
            listed[who] = client.get("/console/audit/records?about=supervision").text
    told = {who: page.count("Alert raised") for who, page in listed.items()}
    assert (told["rita"] > 0, told["otto"]) == (True, 0)
    assert "Risk scoring switched" in listed["otto"]


def test_evidence_for_a_case_is_that_of_its_own_banks_consents(consoles: Consoles) -> None:
    last = consoles.world.ledger.tree.size() - 1
    opened = {}
    for who, second in (("rita", "rose"), ("otto", "oona")):
        with consoles.client(who) as client, consoles.client(second) as other:
            page = open_case(client, other, case="scope", from_index="0", to_index=str(last))
            opened[who] = evidence(client.get(f"{page.url.path}/bundle").content)
    chains = {name: consent_chain(one.consent_id) for name, one in consoles.consents.items()}
    named = {who: {name for name, chain in chains.items() if chain in found} for who, found in opened.items()}
    assert named == {"rita": {*chains} - {"erased"}, "otto": {"rival"}}


def evidence(content: bytes) -> set[bytes]:
    """The chains of the entries whose evidence a bundle holds."""
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        lines = [
            line
            for name in bundle.namelist()
            if "evidence/" in name
            for line in decompress(bundle.read(name)).splitlines()
        ]
        leaves = b"".join(bundle.read(name) for name in sorted(bundle.namelist()) if "tile/entries/" in name)
    found = re.findall(rb'"chain":"([A-Za-z0-9_-]{43})"', leaves)
    return {unb64u(found[json.loads(line)["index"]].decode()) for line in lines}
