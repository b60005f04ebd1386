"""What a partner settles on its console itself: who signs for it, and where it is told of events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from msgspec import structs

from api.web.console.delegating import HERE as DELEGATIONS
from api.web.console.delegating import acts_for
from api.web.console.endpoint import HERE as ENDPOINT
from api.web.people import Session
from api.web.words import Words
from ledger.entries.acts import ACTS, SINCE_RULESET_3
from ledger.errors import NotPermitted
from ledger.queries.parties import Side
from tests.conformance import ROOT
from tests.events.kit import receiving
from tests.web.consoles import Consoles
from tests.web.reading import words_of
from tests.web.site import csrf_of


@contextmanager
def fresh(site: Consoles, who: str, language: str = "en") -> Iterator[httpx2.Client]:
    """A browser of somebody who has just proved who it is."""
    with site.client(None, language=language) as client:
        assert site.sign_in(client, who, "/sign-in/start?next=/console&fresh=true").status_code == 200
        yield client


def wish(client: httpx2.Client, delegate: str, *acts: str, **more: str) -> dict[str, str | list[str]]:
    """The fields of the form."""
    return {"csrf": csrf_of(client.get(DELEGATIONS)), "delegate": delegate, "acts": list(acts), **more}


def replaces(page: str) -> str:
    """What the page of confirmation says that it replaces."""
    found = re.search(r'name="replaces"\s+value="(\d*)"', page)
    assert found, page
    return found[1]


def signers() -> dict[str, str]:
    """Act → the words of the specification's column «signed by»."""
    found = {"consent.acknowledge": "recipient"}  # in a sentence, not in a table
    for name in ("statements.md", "partners.md", "ruleset-3.md", "history.md"):
        column = 0
        for line in (ROOT / "docs" / "spec" / name).read_text().splitlines():
            cells = [cell.strip() for cell in line.split("|")]
            if "signed by" in cells:
                column = cells.index("signed by")
            elif len(cells) <= column:
                column = 0
            elif column:
                for act in set(re.findall(r"`([a-z]+\.[a-z_]+)`", cells[1])) & set(ACTS):
                    found.setdefault(act, cells[column])
    return found


@pytest.mark.parametrize("side", ["holder", "recipient"])
def test_each_side_can_delegate_exactly_the_acts_that_the_specification_lets_it_sign(side: Side) -> None:
    said = signers()
    assert set(said) == set(ACTS)
    open_to_all = re.compile(r"any participant|who gave|who offered|who opened|who accepted")
    own = {act for act, by in said.items() if side in by or open_to_all.search(by)}
    own |= {"freeze.lift"}  # «the principal that ordered it»: either side may; to require assessments is for regulators
    assert set(acts_for(side, 3)) == own
    assert set(acts_for(side, 2)) == own - SINCE_RULESET_3
    families = {act.partition(".")[0] for act in own}
    assert all(Words("en", "UTC").has(f"con.delegations.of.{one}") for one in families), (
        "a heading for each family of acts"
    )


def test_a_bank_lets_a_provider_sign_changes_it_and_ends_it(consoles: Consoles) -> None:
    ledger, provider = consoles.world.ledger, consoles.world.parties["sign-co"]
    consent = consoles.consents["soon"]
    with fresh(consoles, "bea") as client:
        look = client.post(f"{DELEGATIONS}/preview", data=wish(client, "sign-co", "consent.suspend", "consent.resume"))
        text = words_of(look.text)
        assert "May sign from now on" in text
        assert "consent.suspend" in text
        assert "May no longer sign" not in text
        assert "type the provider's id: sign-co" in text
        size = ledger.tree.size()
        sure = wish(client, "sign-co", "consent.suspend", "consent.resume", replaces=replaces(look.text))
        for typed in ("", "sign", "other-sign"):
            again = client.post(DELEGATIONS, data={**sure, "typed": typed})
            assert again.status_code == 409
            assert "not this provider" in again.text
        assert ledger.tree.size() == size, "nothing was recorded"
        given = client.post(DELEGATIONS, data={**sure, "typed": "sign-co"})
        assert given.url.path == DELEGATIONS
        assert "in force" in words_of(given.text)
        consoles.world.record(provider.step("suspend", consent, by="holder", reason="audit", on_behalf_of="bank-a"))

        stale = client.post(DELEGATIONS, data={**sure, "typed": "sign-co"})
        assert stale.status_code == 409
        assert "has changed in the meantime" in stale.text
        less = client.post(f"{DELEGATIONS}/preview", data=wish(client, "sign-co", "consent.suspend"))
        shown = words_of(less.text)
        assert "consent.resume" in shown[shown.index("May no longer sign") :]
        assert "They can only reduce what is shared" in shown

        [index] = re.findall(rf"{DELEGATIONS}/(\d+)/end", client.get(DELEGATIONS).text)
        page = client.get(f"{DELEGATIONS}/{index}/end")
        over = client.post(f"{DELEGATIONS}/{index}/end", data={"csrf": csrf_of(page), "reason": "other-provider"})
        assert "other-provider" in words_of(over.text)
        assert client.get(f"{DELEGATIONS}/{index}/end").status_code == 404, "it has ended"
    with pytest.raises(NotPermitted):
        consoles.world.record(provider.step("resume", consent, by="holder", reason="over", on_behalf_of="bank-a"))


@pytest.mark.parametrize(
    ("delegate", "acts", "said"),
    [
        ("", ["consent.revoke"], "Choose a technology provider"),
        ("plum", ["consent.revoke"], "Choose a technology provider"),
        ("nobody", ["consent.revoke"], "Choose a technology provider"),
        ("sign-co", [], "Choose 1 to 32"),
        ("sign-co", ["consent.request"], "Choose 1 to 32"),
        ("sign-co", ["no.act", "consent.revoke"], "Choose 1 to 32"),
    ],
)
def test_an_unfit_delegation_is_refused_with_the_choice_kept(
    consoles: Consoles, delegate: str, acts: list[str], said: str
) -> None:
    size = consoles.world.ledger.tree.size()
    with fresh(consoles, "bea") as client:
        answer = client.post(f"{DELEGATIONS}/preview", data=wish(client, delegate, *acts))
        assert answer.status_code == 409
        assert said in answer.text
        for act in set(acts) & set(acts_for("holder", 3)):
            assert re.search(rf'value="{re.escape(act)}" checked', answer.text)
        assert client.post(DELEGATIONS, data=wish(client, delegate, *acts, typed=delegate)).status_code == 409
    assert consoles.world.ledger.tree.size() == size


def test_nothing_is_settled_without_a_fresh_proof_of_who_it_is(consoles: Consoles) -> None:
    office = consoles.pages.state.office
    with consoles.client("pia") as client:
        page = client.get(DELEGATIONS)
        session = office.store.session(client.cookies["session"])
        assert session is not None
        old = {
            **wish(client, "sign-co", "consent.revoke"),
            "typed": "sign-co",
            "replaces": "",
            "url": "https://a.example",
        }
        office.store.put_session(client.cookies["session"], aged(session), session.created_at + 10**8)
        size = consoles.world.ledger.tree.size()
        for path in (DELEGATIONS, ENDPOINT, f"{ENDPOINT}/forget"):
            answer = client.post(path, data=old, follow_redirects=False)
            assert answer.status_code == 303, path
            assert "fresh=true" in answer.headers["location"].lower()
        assert page.status_code == 200
    assert consoles.world.ledger.tree.size() == size
    assert office.endpoints.of("plum") is None


def aged(session: Session) -> Session:
    """The same session, its proof of identity ten minutes old."""
    assert session.sca is not None
    return structs.replace(session, sca=structs.replace(session.sca, at=session.sca.at - 600))


def test_an_app_sets_its_address_tries_it_and_takes_it_back(consoles: Consoles) -> None:
    endpoints = consoles.pages.state.office.endpoints
    with receiving() as receiver, fresh(consoles, "pia") as client:
        first = client.get(ENDPOINT)
        assert "Set an address first" in first.text
        form = {"csrf": csrf_of(first)}
        assert client.post(f"{ENDPOINT}/test", data=form).status_code == 404, "there is none"
        for unfit in ("ftp://a.example/x", "https://10.0.0.1/x", "https://u:p@a.example/", "nothing"):
            refused = client.post(ENDPOINT, data={**form, "url": unfit, "enabled": "yes"})
            assert refused.status_code == 409, unfit
            assert "not an address to send events to" in refused.text
            assert f'value="{unfit}"' in refused.text, "what was typed is kept"
        assert endpoints.of("plum") is None

        client.post(ENDPOINT, data={**form, "url": receiver.url, "enabled": "yes"})
        receiver.answers(202)
        tried = client.post(f"{ENDPOINT}/test", data=form)
        token = receiver.next().claims
        assert token["jti"] in tried.text
        assert "Acknowledged after" in tried.text
        receiver.answers(503)
        assert "http-503" in client.post(f"{ENDPOINT}/test", data=form).text
        assert endpoints.of("rival") is None, "nobody else's"
        noted = client.get(ENDPOINT).text.partition('id="tried"')[2]
        assert (noted.count("HTTP 503"), noted.count("HTTP 202")) == (1, 1), "a test is kept"
        with fresh(consoles, "rex") as other:
            assert "HTTP 503" not in other.get(ENDPOINT).text

        client.post(ENDPOINT, data={**form, "url": receiver.url})
        assert not endpoints.of("plum").enabled
        assert "switched off" in client.get(ENDPOINT).text
        client.post(f"{ENDPOINT}/forget", data=form)
        assert endpoints.of("plum") is None
