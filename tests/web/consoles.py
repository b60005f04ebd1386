"""A site for tests of the consoles: two banks, two apps, a regulator, an auditor, an operator, and a history to look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from api.client.signing import LocalSigner
from api.events.endpoints import Endpoints
from api.events.tokens import EventTokens
from api.tokens.keys import TokenSigner
from api.web import mount
from api.web.agent import read_customers
from api.web.people import Person
from ledger.app import Ledger
from ledger.assembly import create_log, make_keys, open_ledger
from ledger.canonical import b64u
from ledger.clock import Clock, SystemClock
from ledger.documents import (
    DelegationEnded,
    DelegationGranted,
    Erasure,
    KeyRevoked,
    ParticipantSuspended,
    document_of,
    key_added,
)
from ledger.entries.leaf import consent_chain
from ledger.planning.commands import Recorded
from ledger.queries.events import EventQueries
from ledger.storage.events import EventStore
from tests.databases import migrated
from tests.ports import loopback
from tests.web.site import Site, csrf_of, join_bank, join_named, serving, site_settings, unescaped, write_people
from tests.world import DAY, ORIGIN, ConsentInWorld, Party, World, node_config

CASES = "/console/audit/bundles"
HOSTILE = '<b onclick="x()">Plum</b>\u202e =1+1'
STAFF = {
    "bea": ("bank-a", "holder"),
    "ben": ("bank-b", "holder"),
    "pia": ("plum", "recipient"),
    "rex": ("rival", "recipient"),
    "rita": ("regulator-1", "regulator"),
    "rose": ("regulator-1", "regulator"),
    "otto": ("regulator-2", "regulator"),
    "oona": ("regulator-2", "regulator"),
    "ada": ("auditor-1", "auditor"),
    "olaf": ("operator", "operator"),
    "tess": ("sign-co", "technology-provider"),
    "theo": ("other-sign", "technology-provider"),
}
"""Accounts by name: employer and role. Everybody comes in pairs of strangers where there is something to keep apart."""


@dataclass
class Consoles:
    """A running site, and what happened in its log."""

    world: World
    url: str
    pages: FastAPI
    consents: dict[str, ConsentInWorld] = field(default_factory=dict)
    entries: dict[str, Recorded] = field(default_factory=dict)

    def key(self, name: str) -> int:
        """What the console's pages of a consent are addressed by."""
        consent = self.consents[name]
        found = self.world.ledger.records.consents(consent.terms["recipient"], limit=500)
        return next(key for key, known in found if known.consent_id == consent.consent_id)

    @contextmanager
    def client(self, who: str | None, *, language: str = "en") -> Iterator[httpx2.Client]:
        """A browser without scripts, signed in as somebody at work."""
        headers = {
            "accept": "text/html",
            "accept-language": language,
            "origin": self.url,
            "sec-fetch-site": "same-origin",
        }
        with httpx2.Client(base_url=self.url, headers=headers, follow_redirects=True, timeout=30) as client:
            if who is not None:
                assert self.sign_in(client, who).status_code == 200
            yield client

    @staticmethod
    def sign_in(client: httpx2.Client, who: str, path: str = "/sign-in/start") -> httpx2.Response:
        """Through the development identity provider, as a person would click."""
        page = client.get(path)
        fields = dict(re.findall(r'<input\s+type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page.text))
        return client.post("/dev-idp/authorize", data={**unescaped(fields), "customer": who})


def shown_count(page: str) -> str:
    """How many entries a page says that a case would open: what somebody types to confirm."""
    found = re.search(r"type how many entries this opens: ([\d,]+)", page)
    assert found, page
    return found[1]


def open_case(asker: httpx2.Client, second: httpx2.Client, **case: str) -> httpx2.Response:
    """One person asks for `case`, `from_index`, `to_index`, a second one confirms: the page of the case."""
    token = csrf_of(asker.get(CASES))
    look = asker.post("/console/audit/cases/preview", data={**case, "csrf": token})
    assert look.status_code == 200, look.text
    form = {**case, "csrf": token, "typed": shown_count(look.text)}
    assert asker.post("/console/audit/cases", data=form).url.path == CASES
    page = second.get(CASES)
    [number] = re.findall(r"/console/audit/cases/asked/(\w+)/confirm", page.text)
    sure = {"csrf": csrf_of(page), "typed": shown_count(page.text)}
    return second.post(f"/console/audit/cases/asked/{number}/confirm", data=sure)


def write_staff(folder: Path, surname: str, **more: tuple[str, str]) -> Path:
    """A staff file with these accounts."""
    staff = [
        {"sub": sub, "participant": participant, "role": role, "name": f"{sub.title()}{surname}"}
        for sub, (participant, role) in {**STAFF, **more}.items()
    ]
    path = folder / "staff.json"
    path.write_text(json.dumps({"staff": staff}))
    return path


@contextmanager
def open_consoles(
    folder: Path, *, clock: Clock | None = None, plum: str = HOSTILE, **accounts: tuple[str, str]
) -> Iterator[Consoles]:
    """A site with a history; `plum`: the name of its app; `accounts` are further staff accounts."""
    folder.mkdir(exist_ok=True)
    (folder / "highwater").mkdir()
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    config = replace(node_config(url, folder), highwater_file=folder / "highwater" / "000")
    make_keys(config, ORIGIN)
    migrated(url)
    create_log(config, clock=clock)
    ledger = open_ledger(config, clock=clock)
    ledger.start()
    with loopback() as listener:
        try:
            world = World(ledger, clock)
            write_people(folder)
            join_bank(world, folder)
            join_regulators(world, folder)
            settings = site_settings(
                folder,
                listener.getsockname()[1],
                staff_file=write_staff(folder, " <i>at work</i>" if plum == HOSTILE else "", **accounts),
                signers_file=folder / "signers.json",
                regulators_file=folder / "regulators.json",
            )
            framework = FastAPI(openapi_url=None)
            told = endpoints(ledger, url, folder)
            mount(framework, ledger, settings, clock=clock or SystemClock(), endpoints=told)
            pages = framework.router.default
            with serving(framework, listener):
                consoles = Consoles(world, settings.base_url, pages)
                write_history(consoles, plum)
                try:
                    yield consoles
                finally:
                    pages.state.office.store.close()
                    told.store.close()
        finally:
            ledger.stop()


def endpoints(ledger: Ledger, url: str, folder: Path) -> Endpoints:
    """Where this log's participants are told; as in development, on this machine too."""
    tokens = EventTokens("https://ledger.example", ledger.origin, TokenSigner.make(folder / "events.key"))
    return Endpoints(EventStore(url), EventQueries(ledger.store, ledger.keystore), tokens, development=True)


def provided(site: Consoles) -> dict[str, list[Recorded]]:
    """What the two technology providers signed, in their order, by the staff's account; recorded once.

    Tess signs for plum and, no longer, for bank-a; Theo for rival.
    """
    world, ledger = site.world, site.world.ledger
    names = {"tess": ("for plum", "refused for plum", "for bank-a"), "theo": ("for rival",)}
    if "for rival" not in site.entries:
        mine, other = world.parties["sign-co"], world.parties["other-sign"]
        for principal, provider, acts in (
            ("plum", mine, ("access.request",)),
            ("bank-a", mine, ("consent.resume", "consent.suspend")),
            ("rival", other, ("access.request",)),
        ):
            ledger.record_documents(
                document_of(DelegationGranted, participant=principal, delegate=provider.id, acts=acts)
            )
        soon = site.consents["soon"]
        done = {
            "for plum": mine.access(site.consents["active"], purpose="other", on_behalf_of="plum"),
            "refused for plum": mine.access(site.consents["active"], purpose="marketing", on_behalf_of="plum"),
            "suspended": mine.step("suspend", soon, by="holder", reason="audit", on_behalf_of="bank-a"),
            "for bank-a": mine.step("resume", soon, by="holder", reason="audit-over", on_behalf_of="bank-a"),
            "for rival": other.access(site.consents["rival"], on_behalf_of="rival"),
        }
        for name, submission in done.items():
            [site.entries[name]] = world.record(submission)
        ledger.record_documents(
            document_of(DelegationEnded, participant="bank-a", delegate=mine.id, reason="contract-over")
        )
    return {who: [site.entries[name] for name in listed] for who, listed in names.items()}


def join_regulators(world: World, folder: Path) -> None:
    """Two regulators, the second one there for bank-b only; the pages sign for the first and for bank-a."""
    signers = [{"participant": "bank-a", "kid": "bank-a-web", "key_file": "bank.key"}]
    for one in ("regulator-1", "regulator-2"):
        world.join(one, "regulator", client=False)
    signer = LocalSigner.generate("regulator-1-web")
    signer.save(folder / "regulator.key")
    world.ledger.record_documents(key_added("regulator-1", signer.kid, signer.alg, "statement", dict(signer.jwk)))
    signers.append({"participant": "regulator-1", "kid": signer.kid, "key_file": "regulator.key"})
    (folder / "signers.json").write_text(json.dumps({"signers": signers}))
    (folder / "regulators.json").write_text(json.dumps({"regulators": {"regulator-2": {"holders": ["bank-b"]}}}))


def write_history(site: Consoles, app: str) -> None:
    """Consents in several states, calls allowed and refused, deliveries, and what an operator puts on record."""
    world = site.world
    bank, plum = world.parties["bank-a"], join_named(world, "plum", app)
    other_bank, rival = world.holder("bank-b"), world.recipient("rival")
    world.join("auditor-1", "auditor", client=False)

    def consent(name: str, app: Party, holder: Party, **terms: Any) -> ConsentInWorld:
        site.consents[name] = world.active_consent(app, holder, **terms)
        return site.consents[name]

    def read(name: str, app: Party, about: ConsentInWorld, **members: Any) -> Recorded:
        [site.entries[name]] = world.record(app.access(about, **members))
        return site.entries[name]

    now = world.clock.now() // 1000
    active = consent("active", plum, bank, purpose={"code": "other", "text": app})
    consent("soon", plum, bank, expires_at=now + 9 * DAY)
    revoked = consent("revoked", plum, bank)
    rivals = consent("rival", rival, other_bank)
    site.consents["waiting"] = world.requested_consent(plum, bank)
    purpose = {"purpose": "other"}
    allowed = read("allowed", plum, active, **purpose)
    world.record(bank.leg("release", active, allowed))
    world.record(plum.leg("receive", active, allowed))
    read("undelivered", plum, active, **purpose)
    read("purpose", plum, active, purpose="marketing")
    read("permission", plum, active, permissions=["ReadStatementsDetail"], **purpose)
    read("stranger", rival, active, **purpose)
    read("rivals", rival, rivals)
    [site.entries["revocation"]] = world.record(bank.step("revoke", revoked))
    read("late", plum, revoked)
    doomed = consent("erased", rival, other_bank)
    world.ledger.record_documents(
        document_of(
            Erasure,
            chains=(b64u(consent_chain(doomed.consent_id)),),
            basis="gdpr-17",
            approved_by=("officer-1", "officer-2"),
        )
    )
    for provider in ("sign-co", "other-sign"):
        world.join(provider, "technology-provider", client=False)
    world.ledger.record_documents(
        document_of(ParticipantSuspended, participant="bank-b", reason="outage"),
        document_of(KeyRevoked, participant="rival", kid="rival-client", reason="rotation"),
    )


OFFICERS = {"oona": ("operator", "operator")}


def as_site(consoles: Consoles) -> Site:
    """The customers' side of a site that has staff."""
    world, office = consoles.world, consoles.pages.state.office
    known = read_customers(office.settings.customers_file)
    people = {one.sub: Person(one.sub, one.holder, one.subject, one.name) for one in known}
    return Site(world, world.parties["bank-a"], world.parties["plum"], consoles.url, office, people)
