"""Who may open which page of the consoles: for every route there is, with things of one's own and of strangers."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from api.web import console
from api.web.app import CONSOLES, ROUTERS
from ledger.billing.months import month_with
from ledger.canonical import b64u
from tests.web.console_pages import alerts, cases, delegated, feedback, handover, incident
from tests.web.consoles import STAFF, Consoles, open_consoles, provided
from tests.web.doors import ROUTES, admitted
from tests.web.site import csrf_of

EACH = pytest.mark.parametrize("route", ROUTES, ids=[f"{min(one.methods)} {one.path}" for one in ROUTES])


NOTHING = "0000000000"
"""The number of no request: those of customers belong to every officer, so there is no stranger to try (test_erasing.py)."""
BY_NUMBER = ("freezes", "operator/attestations", "operator/erasures", "operator/holds", "operator/remits")
"""Where a request is named by a number."""


def addresses(site: Consoles, path: str) -> dict[str, tuple[str, str]]:
    """Account → (an address of this route that is its own, one that is a stranger's)."""
    consents = {
        who: str(site.key(name))
        for who, name in (("pia", "active"), ("bea", "active"), ("rex", "rival"), ("ben", "rival"))
    }
    entries = {
        who: str(site.entries[name].index)
        for who, name in (("pia", "allowed"), ("bea", "allowed"), ("rex", "rivals"), ("ben", "rivals"))
    }
    if path.startswith("/console/partner/consents/"):
        own = consents
    elif path.startswith("/console/partner/delegations/"):
        own = delegated(site)
    elif path.startswith("/console/partner/receipts/"):
        own = entries
    elif path.startswith("/console/provider/receipts/"):
        own = {who: str(signed[0].index) for who, signed in provided(site).items()}
    elif path.startswith("/console/audit/cases/"):
        own = cases(site)
    elif path.startswith(("/console/incidents/", "/console/audit/handovers/")):
        is_case = "handovers" in path
        index = str(handover(site) if is_case else incident(site))
        concerned = ("rita", "otto") if is_case else ("bea", "rita", "ada")
        return {who: (re.sub(r"\{\w+\}", index, path), re.sub(r"\{\w+\}", "3", path)) for who in concerned}
    elif path.startswith(tuple(f"/console/{one}/" for one in BY_NUMBER)):
        nothing = re.sub(r"\{\w+\}", NOTHING, path)
        return {"olaf": (nothing, nothing)}
    elif path.startswith("/console/partner/feedback/"):
        own = feedback(site)
    elif path.startswith("/console/partner/billing/"):
        mine = {
            app: path.replace("{form}", "csv").replace("{index}", str(index)) for app, index in stated(site).items()
        }
        return {"pia": (mine["plum"], mine["rival"]), "rex": (mine["rival"], mine["plum"])}
    elif path.startswith("/console/alerts/"):
        own = alerts(site)
    elif path.startswith("/console/operator/admissions/"):
        return {"olaf": (path.replace("{participant}", "nobody"), path.replace("{participant}", "nobody"))}
    else:
        raise AssertionError(f"say whose things {path} shows")
    strangers = {
        "tess": "theo",
        "theo": "tess",
        "pia": "rex",
        "bea": "ben",
        "rex": "pia",
        "ben": "bea",
        "rita": "otto",
        "otto": "rita",
    }
    return {who: (re.sub(r"\{\w+\}", own[who], path), re.sub(r"\{\w+\}", own[strangers[who]], path)) for who in own}


def stated(site: Consoles) -> dict[str, int]:
    """A month that bank-a has stated to each app, recorded once: the index of the statement, by app."""
    ledger, found = site.world.ledger, {}
    month = month_with(month_with(site.world.clock.now() // 1000, 0).first - 1, 0)
    said = {"from": month.first, "to": month.end, "amounts": [{"amount": 1, "count": 3}], "left_out": [], "count": 3}

    def say(party: str, act: str, **members: object) -> int:
        statement = site.world.parties[party].sign(act, **members)
        return ledger.submit_and_wait(ledger.prepare(statement))[0].index

    for app in ("plum", "rival"):
        statements = ledger.registry.partners.statements.values()
        known = next((one.index for one in statements if one.says.recipient == app), None)
        if known is None:
            lines = [{"free": 0, "tiers": [{"from": 0, "price": 1}]}]
            tariff = {"currency": "GBP", "from": 0, "lines": lines, "tariff": f"t-{app}", "utc_offset": 0}
            offer = say("bank-a", "tariff.offer", recipient=app, **tariff)
            say(app, "tariff.accept", offer=offer)
            more = {
                "offer": offer,
                "recipient": app,
                "replaces": -1,
                "root": b64u(bytes(32)),
                "to_index": 1,
                "total": 1,
            }
            known = say("bank-a", "usage.state", **said, **more)
        found[app] = known
    return found


def filled(site: Consoles, route: APIRoute) -> str:
    """An address of a route that exists for somebody."""
    return next(iter(addresses(site, route.path).values()))[0] if "{" in route.path else route.path


def test_the_table_of_routes_holds_every_router_of_the_consoles() -> None:
    modules = [importlib.import_module(f"api.web.console.{one.name}") for one in pkgutil.iter_modules(console.__path__)]
    assert {id(module.router) for module in modules if hasattr(module, "router")} == {id(router) for router in CONSOLES}
    assert len(ROUTES) >= 20
    assert all(route.path.startswith("/console") for route in ROUTES)


@EACH
def test_nobody_enters_without_signing_in(consoles: Consoles, route: APIRoute) -> None:
    with consoles.client(None) as client:
        answer = client.request(min(route.methods), filled(consoles, route), follow_redirects=False)
    assert answer.status_code == (303 if "GET" in route.methods else 403)
    assert "GET" not in route.methods or answer.headers["location"].startswith("/sign-in?")


def test_a_page_of_another_role_does_not_exist(consoles: Consoles) -> None:
    for who, (_, role) in STAFF.items():
        with consoles.client(who) as client:
            token = csrf_of(client.get("/console"))
            for route in ROUTES:
                if role in admitted(route):
                    continue
                address = filled(consoles, route)  # which may put something on record that it is about
                size = consoles.world.ledger.tree.size()
                form = {"csrf": token, "case": "x", "from_index": "1", "to_index": "2"}
                data = form if "POST" in route.methods else None
                answer = client.request(min(route.methods), address, data=data)
                assert answer.status_code == 404, (who, route.path)
                assert consoles.world.ledger.tree.size() == size, "nothing was recorded either"


def test_a_strangers_pages_do_not_exist(consoles: Consoles) -> None:
    seen = 0
    for route in ROUTES:
        if "{" not in route.path or "/erasures/" in route.path or "GET" not in route.methods:
            continue  # (forms: test_feedback.py, test_erasing.py)
        for who, (own, other) in addresses(consoles, route.path).items():
            with consoles.client(who) as client:
                assert client.get(own).status_code == 200, (who, own)
                assert client.get(other).status_code == 404, (who, other)
                for absurd in ("999999999", "-1", str(2**63), "x"):
                    assert client.get(re.sub(r"\{\w+\}", absurd, route.path)).status_code == 404
            seen += 1
    assert seen >= 12


def test_a_strangers_consent_is_not_found_by_its_id_or_number(consoles: Consoles) -> None:
    with consoles.client("pia") as client:
        for wanted in (consoles.consents["rival"].consent_id, str(consoles.entries["rivals"].index), "nothing"):
            assert client.get("/console/partner/receipts", params={"q": wanted}).status_code == 404
        assert (
            client.get("/console/partner/receipts", params={"q": consoles.consents["active"].consent_id}).status_code
            == 200
        )


def test_the_operator_reads_no_evidence_anywhere(consoles: Consoles) -> None:
    """Every page of every other role is refused; its own pages hold nothing that is committed to."""
    secrets = [one.consent_id for one in consoles.consents.values()]
    secrets += [
        reference for one in consoles.consents.values() for reference in (*one.accounts, one.subject, one.customer)
    ]
    with consoles.client("olaf") as client:
        for router in ROUTERS:
            for route in router.routes:
                if isinstance(route, APIRoute) and route.path.startswith("/my") and "GET" in route.methods:
                    path = re.sub(r"\{\w+\}", "20", route.path)
                    assert client.get(path, follow_redirects=False).status_code in {303, 401, 404}, path
        for route in ROUTES:
            if "operator" not in admitted(route) and "GET" in route.methods:
                assert client.get(filled(consoles, route)).status_code == 404, route.path
        own = [one.path for one in ROUTES if "operator" in admitted(one)]
        assert len(own) >= 3
        text = "".join(client.get(path).text for path in own)
    assert [secret for secret in secrets if secret in text] == []
    assert "000" in text, "the pages were really there"


def test_a_customer_session_opens_no_console_and_a_staff_session_no_dashboard(consoles: Consoles) -> None:
    with consoles.client(None) as client:
        assert consoles.sign_in(client, "mei").status_code == 200
        for route in ROUTES:
            if "GET" in route.methods:
                answer = client.get(filled(consoles, route), follow_redirects=False)
                assert answer.status_code == 404, route.path  # signing in again would lead a customer here again
    with consoles.client("pia") as client:
        assert client.get("/my/connections", follow_redirects=False).headers["location"].startswith("/sign-in")


def test_an_employer_that_the_log_does_not_know_in_this_role_cannot_enter(tmp_path: Path) -> None:
    pretenders = {"eve": ("plum", "regulator"), "ivo": ("nobody", "holder")}
    with open_consoles(tmp_path / "site", **pretenders) as site, site.client(None) as client:
        for who in pretenders:
            assert site.sign_in(client, who).status_code == 403
            assert client.get("/console/audit", follow_redirects=False).status_code == 303
