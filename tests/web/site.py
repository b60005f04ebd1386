"""A site for tests: a real ledger, a bank whose pages run here, a customer, an app, and a server on this machine.

with open_site(tmp_path) as site:
    consent = site.ask()                     # the app asks
    site.agree(consent)                      # the customer agrees, through the bank
    with site.client() as client:            # a browser without scripts, signed in
        client.get("/my/connections")
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import uvicorn
from fastapi import FastAPI
from msgspec import structs

from api.client.signing import LocalSigner
from api.node.settings import Settings
from api.office.backchannels import Backchannels
from api.office.begun import Begun
from api.office.configuration import RecipientOptions, write_gateway_file
from api.office.facts import Notes
from api.office.gateway import HOLDER_ACTS, RECIPIENT_ACTS, Gateway, delegate, make_gateway
from api.office.office import Office as GatewayOffice
from api.office.rights import Objections, Rights
from api.tokens.codes import CodeFlow, PushedRequest
from api.tokens.grants import Grants
from api.tokens.keys import TokenSigner
from api.tokens.once import Once
from api.tokens.registrations import Registrations
from api.tokens.returns import PlainReturn
from api.web import mount
from api.web.agent import Authorisation, LocalAgent
from api.web.handover import Handover
from api.web.office import BankPages
from api.web.people import Person, SignInSca
from ledger.canonical import b64u
from ledger.clock import Clock, SystemClock
from ledger.documents import key_added, registration
from ledger.entries.leaf import subject_chain
from ledger.entries.payload import SeparateConsent
from ledger.planning.commands import Recorded
from tests.ports import loopback
from tests.world import ConsentInWorld, Party, World, reference, running_world

MEI = "mei"
WEI = "wei"
OLGA = "olga"


@dataclass
class Site:
    """A running site. `office` is what the pages work with."""

    world: World
    bank: Party
    app: Party
    url: str
    office: BankPages
    people: dict[str, Person]
    flow: CodeFlow | None = None
    """How apps send people here; none at a site of which only the consoles are served."""
    begun: Begun | None = None
    """What they have begun, likewise."""
    consents: dict[str, str] = field(default_factory=dict)

    @property
    def agent(self) -> LocalAgent:
        agent = self.office.agents[self.bank.id]
        assert isinstance(agent, LocalAgent)
        return agent

    def ask(self, app: Party | None = None, **terms: Any) -> ConsentInWorld:
        """An app asks for a consent."""
        return self.world.requested_consent(app or self.app, self.bank, **terms)

    def agree(
        self, consent: ConsentInWorld, who: str = MEI, *, accounts: int = 2, only: str = "", **wishes: Any
    ) -> ConsentInWorld:
        """The customer agrees at her bank (without a passkey); the consent with the accounts she chose.

        `only` takes the accounts whose label holds it; `wishes` are further members of the Authorisation.
        """
        person = self.people[who]
        mine = [one for one in self.agent.accounts(person, consent.consent_id) if only in one.label][:accounts]
        chosen = tuple(sorted(account.reference for account in mine))
        wish = Authorisation(
            consent_id=consent.consent_id,
            version=consent.version,
            terms_hash=consent.terms_hash,
            recipient=consent.terms["recipient"],
            accounts=chosen,
            sca=SignInSca("psd2:sca", ("otp",), self.world.clock.now() // 1000),
            **{
                "separate_consents": separately(consent, self.world.clock.now()),
                "joint_accounts": tuple(sorted(one.reference for one in mine if one.joint)),
            }
            | wishes,
        )
        signed = self.agent.authorise(person, wish)
        self.world.ledger.record(signed.statement, companion=signed.companion)
        return ConsentInWorld(consent.consent_id, consent.terms, consent.version, chosen)

    def sent_here(self, consent: ConsentInWorld, back: str, state: str = "") -> str:
        """The address that an app sends its customer to, after it has pushed its request."""
        now = self.world.clock.now() / 1000
        request = PushedRequest(
            consent.terms["recipient"], self.bank.id, "", back, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", state
        )
        assert self.flow is not None
        pushed = self.flow.pushed(request, consent.consent_id, now)
        return f"{self.url}/authorize?{urlencode({'client_id': request.client, 'request_uri': pushed['request_uri']})}"

    def sent_plainly(self, consent: ConsentInWorld, back: str, nok: str = "") -> str:
        """The address that an app sends its customer to that wants no code, but its own addresses visited."""
        assert self.begun is not None
        way = PlainReturn(consent.terms["recipient"], self.bank.id, consent.consent_id, back, nok)
        return f"{self.url}/authorize/{self.begun.begin(way)}?{urlencode({'consent': consent.consent_id})}"

    def shared(self, who: str = MEI, app: Party | None = None, *, accounts: int = 2, **terms: Any) -> ConsentInWorld:
        """A consent that was asked for and agreed to."""
        return self.agree(self.ask(app, **terms), who, accounts=accounts)

    def read(self, consent: ConsentInWorld, app: Party | None = None, **members: Any) -> Recorded:
        """The app asks to read data."""
        return self.world.record((app or self.app).access(consent, **members))[0]

    def key(self, consent: ConsentInWorld, who: str = MEI) -> int:
        """What the pages of this consent are addressed by."""
        person = self.people[who]
        found = self.world.ledger.records.consents_of_subject(subject_chain(person.holder, person.subject), limit=500)
        return next(key for key, known in found if known.consent_id == consent.consent_id)

    @contextmanager
    def client(self, who: str | None = MEI, *, language: str = "en") -> Iterator[httpx2.Client]:
        """A browser without scripts; signed in unless `who` is None."""
        headers = {
            "accept": "text/html",
            "accept-language": language,
            "origin": self.url,
            "sec-fetch-site": "same-origin",
        }
        with httpx2.Client(base_url=self.url, headers=headers, follow_redirects=True) as client:
            if who is not None:
                self.sign_in(client, who)
            yield client

    def sign_in(self, client: httpx2.Client, who: str, path: str = "/sign-in/start") -> httpx2.Response:
        """Through the development identity provider, as a person would click."""
        page = client.get(path)
        fields = dict(re.findall(r'<input\s+type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page.text))
        answer = client.post("/dev-idp/authorize", data={**unescaped(fields), "customer": who})
        assert answer.status_code == 200, answer.text
        return answer


def separately(consent: ConsentInWorld, now: int) -> tuple[SeparateConsent, ...]:
    """Every separate consent that the terms name, given at `now` (ms) beside some words."""
    kinds = consent.terms["separate_consents"]
    return tuple(SeparateConsent(now // 1000, kind, b64u(sha256(kind.encode()).digest())) for kind in kinds)


def unescaped(fields: dict[str, str]) -> dict[str, str]:
    import html

    return {name: html.unescape(value) for name, value in fields.items()}


def csrf_of(page: httpx2.Response) -> str:
    """The token that a page's forms carry."""
    found = re.search(r'name="csrf"\s+value="([^"]+)"', page.text)
    assert found, page.text[:500]
    return found[1]


def write_people(
    folder: Path,
    bank: str = "bank-a",
    own_accounts: Mapping[str, list[dict[str, Any]]] | None = None,
    *,
    emails: bool = False,
) -> dict[str, Person]:
    """A customers file: Mei and Wei share one relationship, Olga has her own.

    `own_accounts` are accounts by person, in the order in which these people then stand in the file.
    """
    joint, own = reference(), reference()
    accounts = [
        {"id": "a-1", "label": "Everyday account ··4021"},
        {"id": "a-2", "label": "Savings ··7733"},
        {"id": "a-3", "label": "Holiday pot ··1190"},
        {"id": "a-4", "label": "Household ··3001", "joint": True},
    ]
    customers = [
        {"sub": MEI, "holder": bank, "subject": joint, "name": "Mei Lin", "accounts": accounts},
        {"sub": WEI, "holder": bank, "subject": joint, "name": "Wei Chen", "accounts": accounts},
        {
            "sub": OLGA,
            "holder": bank,
            "subject": own,
            "name": "Olga Novak",
            "accounts": [{"id": "o-1", "label": "Current account ··5500"}],
        },
    ]
    if own_accounts:
        order = [*own_accounts, *(one["sub"] for one in customers if one["sub"] not in own_accounts)]
        customers.sort(key=lambda one: order.index(one["sub"]))
        customers = [{**one, "accounts": own_accounts.get(str(one["sub"]), one["accounts"])} for one in customers]
    if emails:
        customers = [{**one, "email": f"{one['sub']}@customers.example"} for one in customers]
    (folder / "customers.json").write_text(json.dumps({"customers": customers}))
    return {one["sub"]: Person(one["sub"], bank, one["subject"], one["name"]) for one in customers}  # type: ignore[misc,arg-type]


def join_bank(world: World, folder: Path, name: str = "bank-a") -> Party:
    """Register a bank with a second key, which signs for the pages."""
    bank = world.holder(name)
    signer = LocalSigner.generate(f"{name}-web")
    signer.save(folder / "bank.key")
    world.ledger.record_documents(key_added(name, signer.kid, signer.alg, "statement", dict(signer.jwk)))
    (folder / "pseudonyms").write_bytes(os.urandom(32))
    (folder / "pseudonyms").chmod(0o600)
    entry = {
        "holder": name,
        "kid": signer.kid,
        "key_file": "bank.key",
        "secret_file": "pseudonyms",
        "accounts_file": "customers.json",
    }
    (folder / "holders.json").write_text(json.dumps({"holders": [entry]}))
    return bank


def site_settings(folder: Path, port: int, *, notices: Mapping[str, Any] | None = None, **web: Any) -> Settings:
    """Settings of a site for development on this port."""
    return Settings(
        state_dir=folder,
        host="127.0.0.1",
        port=port,
        public_url=f"http://localhost:{port}",
        index_interval_ms=0,  # no entry that the test did not ask for
        notices=dict(notices or {}),
        web={
            "environment": "development",
            "holders_file": folder / "holders.json",
            "customers_file": folder / "customers.json",
            **web,
        },
    )


@contextmanager
def serving(app: FastAPI, listener: socket.socket) -> Iterator[None]:
    """Serve an application on an open socket until the end of the block."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    ends = time.monotonic() + 30
    while not server.started and time.monotonic() < ends:
        thread.join(0.01)
    assert server.started
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _office(
    world: World, settings: Settings, bank: Party, app: Party, notes: Notes, clock: Clock | None
) -> GatewayOffice:
    """An office whose gateway may ask in the app's name."""
    path = settings.gateway_file
    file = make_gateway(world.ledger, path, "gateway", "Gateway")
    write_gateway_file(path, structs.replace(file, recipients={app.id: RecipientOptions(asks_again=True)}))
    delegate(world.ledger, app.id, "gateway", RECIPIENT_ACTS)
    delegate(world.ledger, bank.id, "gateway", HOLDER_ACTS)
    gateway = Gateway.load(path, world.ledger.origin)
    assert gateway is not None
    return GatewayOffice(world.ledger, gateway, notes, clock)


@contextmanager
def open_site(
    folder: Path,
    *,
    clock: Clock | None = None,
    recipient: str = "Plum Budget",
    contacts: dict[str, str] | None = None,
    accounts: Mapping[str, list[dict[str, Any]]] | None = None,
    directory: Mapping[str, Mapping[str, str]] | None = None,
    notices: Mapping[str, Any] | None = None,
    emails: bool = False,
    web: Mapping[str, Any] | None = None,
    database: str = "",
    asks_again: bool = False,
) -> Iterator[Site]:
    """A site with one bank, one app and three people.

    `contacts` are what the operator knows of how to reach whom, `directory` what it knows of participants, `notices` the
    settings of notices to customers; with `emails` the bank knows everybody's address. `web`: further settings of the pages.
    `database`: where the log is kept; SQLite in the folder by default. `asks_again`: the app lets its customers share again
    what they have stopped.
    """
    folder.mkdir(exist_ok=True)
    with (
        running_world(database or f"sqlite:///{folder / 'ledger.sqlite'}", folder, clock=clock) as world,
        loopback() as listener,
    ):
        people = write_people(folder, own_accounts=accounts, emails=emails)
        bank = join_bank(world, folder)
        app = join_named(world, "plum", recipient)
        more: dict[str, Any] = dict(web or {})
        if contacts is not None:
            more = {"contacts_file": folder / "contacts.json"}
            more["contacts_file"].write_text(json.dumps(contacts))
        if directory is not None:
            more["directory_file"] = folder / "directory.json"
            more["directory_file"].write_text(json.dumps(directory))
        settings = site_settings(folder, listener.getsockname()[1], notices=notices, **more)
        framework = FastAPI(openapi_url=None)
        flow = CodeFlow(
            settings.base_url,
            signer := TokenSigner.make(folder / "token.key"),
            once := Once(f"sqlite:///{folder / 'tokens.sqlite'}"),
            Grants(world.ledger.records.consent, lambda: world.ledger.registry).is_active,
            registrations := Registrations(f"sqlite:///{folder / 'ledger.sqlite'}", signer, settings.base_url),
        )
        begun = Begun(notes := Notes(database or settings.database_url, world.ledger.keystore))
        handover = Handover(flow, lambda _holder: "", begun.way_back, Backchannels(notes).binding)
        desk = _office(world, settings, bank, app, notes, clock) if asks_again else None
        rights = Rights(Objections(notes, clock), desk)
        mount(framework, world.ledger, settings, clock=clock or SystemClock(), handover=handover, rights=rights)
        office: BankPages = framework.router.default.state.office
        with serving(framework, listener):
            try:
                yield Site(world, bank, app, settings.base_url, office, people, flow, begun)
            finally:
                once.close()
                notes.close()
                registrations.close()
                office.store.close()


def join_named(world: World, participant: str, name: str, *roles: str) -> Party:
    """A participant with a registered name of its own."""
    from tests.keys import KeyPair

    party = Party(participant, KeyPair.generate("EdDSA", f"{participant}-1"), world)
    world.ledger.record_documents(
        registration(participant, name, roles or ("recipient",)),
        world.key_added(participant, party.key, "statement"),
    )
    world.parties[participant] = party
    return party
