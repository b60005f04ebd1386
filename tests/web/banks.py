"""A site with two banks, each behind an agent of its own that keeps what it was asked; and a person who banks with both.

with open_banks(tmp_path) as banks:
    with banks.browser() as anna:            # a browser without scripts
        banks.link(anna)                     # she signs in at both and links them
        anna.get("/my/together")
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from api.client.signing import LocalSigner
from api.web import mount
from api.web.agent import Authorisation, HolderEntry, LocalAgent, Withdrawal
from api.web.office import BankPages
from api.web.people import Person, SignInSca
from ledger.clock import Clock, SystemClock
from ledger.documents import key_added
from tests.ports import loopback
from tests.web.site import csrf_of, join_named, separately, serving, site_settings, unescaped
from tests.world import ConsentInWorld, Party, World, reference, running_world

NORTH, SOUTH = "north", "south"
NAMES = {NORTH: "Bank of the North", SOUTH: "Bank of the South"}
ANNA = {NORTH: "anna-at-north", SOUTH: "anna-at-south"}
"""One woman, as each of her banks calls her."""
GUARDIAN = "guardian-at-north"
OTHER = "olga-at-south"
PEOPLE: list[dict[str, Any]] = [
    {"sub": ANNA[NORTH], "holder": NORTH, "name": "Anna Nowak"},
    {"sub": ANNA[SOUTH], "holder": SOUTH, "name": "Anna Maria Nowak-Lee"},
    {"sub": GUARDIAN, "holder": NORTH, "name": "Greta Lind", "acting_role": "guardian", "acts_for": "Little Tom"},
    {"sub": OTHER, "holder": SOUTH, "name": "Olga Petrova"},
]


@dataclass
class BankAgent:
    """A bank's side: it signs for its customers, keeps all that it was sent, and can be down."""

    holder: str
    agent: LocalAgent
    people: dict[str, Person]
    is_down: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Headers and body of everything that reached this bank."""

    def app(self) -> FastAPI:
        served = FastAPI(openapi_url=None)
        served.add_api_route("/agent", self.answer, methods=["POST"], response_model=None)
        return served

    async def answer(self, request: Request) -> Response:
        asked = await request.json()
        self.asked.append({"headers": dict(request.headers), "body": asked})
        if self.is_down:
            return JSONResponse({}, 503)
        person, consent_id = self.people[asked["person"]["sub"]], asked["consent_id"]
        match asked["intent"]:
            case "accounts":
                found = self.agent.accounts(person, consent_id)
                made: Any = {"accounts": [msgspec.to_builtins(one) for one in found]}
            case "authoriser":
                made = {"authoriser": self.agent.authoriser(person, consent_id)}
            case "step":
                made = {"statement": self.agent.step(person, asked["step"], consent_id, asked["reason"]).statement}
            case "withdraw":
                made = {"statement": self.agent.withdraw(person, msgspec.convert(asked, Withdrawal)).statement}
            case _:
                return JSONResponse({}, 403)
        return Response(json.dumps(made), media_type="application/json")


@dataclass
class Banks:
    """A running site of two banks, and two apps."""

    world: World
    url: str
    office: BankPages
    agents: dict[str, BankAgent]
    apps: dict[str, Party]
    people: dict[str, Person]

    def shared(self, who: str, app: str, **wishes: Any) -> ConsentInWorld:
        """A consent of this person for an app, agreed to at her bank; `wishes` are members of the terms or of her answer."""
        person = self.people[who]
        answers = {name: wishes.pop(name) for name in ("suppress_notify", "joint_accounts") if name in wishes}
        bank = self.agents[person.holder]
        consent = self.world.requested_consent(self.apps[app], self.world.parties[person.holder], **wishes)
        [account] = bank.agent.accounts(person, consent.consent_id)
        now = self.world.clock.now()
        wish = Authorisation(
            consent_id=consent.consent_id,
            version=1,
            terms_hash=consent.terms_hash,
            recipient=consent.terms["recipient"],
            accounts=(account.reference,),
            sca=SignInSca("psd2:sca", ("otp",), now // 1000),
            separate_consents=separately(consent, now),
            **answers,
        )
        signed = bank.agent.authorise(person, wish)
        self.world.ledger.record(signed.statement, companion=signed.companion)
        return ConsentInWorld(consent.consent_id, consent.terms, 1, (account.reference,))

    def key(self, consent: ConsentInWorld, who: str) -> int:
        found = self.world.ledger.records.consents_of_subject(self.people[who].chain, limit=500)
        return next(key for key, known in found if known.consent_id == consent.consent_id)

    def status(self, consent: ConsentInWorld) -> str:
        return str(self.world.ledger.records.consent(consent.terms["holder"], consent.consent_id).status)

    @contextmanager
    def browser(self, *, language: str = "en") -> Iterator[httpx2.Client]:
        """A browser without scripts; nobody is signed in."""
        headers = {
            "accept": "text/html",
            "accept-language": language,
            "origin": self.url,
            "sec-fetch-site": "same-origin",
        }
        with httpx2.Client(base_url=self.url, headers=headers, follow_redirects=True, timeout=60) as client:
            yield client

    def sign_in(self, client: httpx2.Client, who: str) -> httpx2.Response:
        """Sign in, from a page of the identity provider's that is open or from the beginning."""
        return chosen(client, client.get("/sign-in/start"), who)

    def post(self, client: httpx2.Client, path: str, **fields: str) -> httpx2.Response:
        """Send a form with the session's token."""
        return client.post(path, data={"csrf": csrf_of(client.get("/my/settings")), **fields})

    def link(self, client: httpx2.Client, first: str = ANNA[NORTH], *others: str) -> httpx2.Response:
        """She signs in at one bank and adds the others, the way the page leads."""
        page = self.sign_in(client, first)
        for who in others or (ANNA[SOUTH],):
            page = chosen(client, self.post(client, "/my/together/add"), who)
            assert page.url.path == "/my/together/join", page.text
            page = client.post("/my/together/join", data={"csrf": csrf_of(page)})
            assert page.status_code == 200
        return page

    def number(self, client: httpx2.Client, bank: str) -> str:
        """By what the page's forms name a bank."""
        page = client.get("/my/together").text
        found = re.search(rf'id="bank-(\d)"><bdi>{re.escape(NAMES[bank])}', page)
        assert found, page
        return found[1]


def chosen(client: httpx2.Client, page: httpx2.Response, who: str) -> httpx2.Response:
    """Choose somebody at the identity provider."""
    fields = dict(re.findall(r'<input\s+type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page.text))
    return client.post("/dev-idp/authorize", data={**unescaped(fields), "customer": who})


def section(page: httpx2.Response, bank: str) -> str:
    """What the one page says of a bank, as text."""
    parts = re.split(r"<section class=\"card app bank\"", page.text)
    [mine] = [part for part in parts if f"<bdi>{NAMES[bank]}</bdi></h2>" in part]
    return " ".join(re.sub(r"<[^>]+>", " ", mine.partition('aria-labelledby="add"')[0]).split())


@contextmanager
def open_banks(folder: Path, *, clock: Clock | None = None, down: Sequence[str] = (), **web: Any) -> Iterator[Banks]:
    """The site; `web` are further settings of the pages."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        world = stack.enter_context(running_world(f"sqlite:///{folder / 'ledger.sqlite'}", folder, clock=clock))
        people = _write_people(folder)
        agents = {name: _join(world, folder, name, people) for name in (NORTH, SOUTH)}
        holders = []
        for name, agent in agents.items():
            agent.is_down = name in down
            listener = stack.enter_context(loopback())
            stack.enter_context(serving(agent.app(), listener))
            (folder / f"{name}.token").write_text(f"token-of-{name}")
            (folder / f"{name}.token").chmod(0o600)
            address = f"http://127.0.0.1:{listener.getsockname()[1]}/agent"
            holders.append({"holder": name, "url": address, "token_file": f"{name}.token"})
        (folder / "holders.json").write_text(json.dumps({"holders": holders}))
        apps = {one: join_named(world, one, one.title()) for one in ("plum", "quince")}
        listener = stack.enter_context(loopback())
        settings = site_settings(folder, listener.getsockname()[1], **web)
        framework = FastAPI(openapi_url=None)
        mount(framework, world.ledger, settings, clock=clock or SystemClock())
        office: BankPages = framework.router.default.state.office
        stack.callback(office.store.close)
        stack.enter_context(serving(framework, listener))
        yield Banks(world, settings.base_url, office, agents, apps, people)


def _write_people(folder: Path) -> dict[str, Person]:
    customers = [
        {**one, "subject": reference(), "accounts": [{"id": one["sub"], "label": f"Account ··{place}{place}"}]}
        for place, one in enumerate(PEOPLE, 10)
    ]
    (folder / "customers.json").write_text(json.dumps({"customers": customers}))
    return {one["sub"]: Person(one["sub"], one["holder"], one["subject"], one["name"]) for one in customers}


def _join(world: World, folder: Path, name: str, people: dict[str, Person]) -> BankAgent:
    join_named(world, name, NAMES[name], "holder")
    signer = LocalSigner.generate(f"{name}-web")
    place = folder / name
    place.mkdir()
    signer.save(place / "bank.key")
    world.ledger.record_documents(key_added(name, signer.kid, signer.alg, "statement", dict(signer.jwk)))
    (place / "pseudonyms").write_bytes(os.urandom(32))
    (place / "pseudonyms").chmod(0o600)
    (place / "customers.json").write_bytes((folder / "customers.json").read_bytes())
    entry = HolderEntry(
        holder=name,
        kid=signer.kid,
        key_file="bank.key",
        secret_file="pseudonyms",
        accounts_file="customers.json",
    )
    agent = LocalAgent.load(entry, place, world.ledger.origin, world.clock or SystemClock())
    return BankAgent(name, agent, people)
