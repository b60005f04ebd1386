"""The bank's office behind the pages: the parts that all visits share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import Environment

from api.client.statements import StatementMaker
from api.events.endpoints import Endpoints
from api.node.bundling import Bundler
from api.node.remits import remit_of
from api.node.web_settings import WebSettings
from api.office.discretion import Discretion
from api.office.rights import Rights
from api.partners.invitations import Invitations
from api.web.agent import HolderAgent
from api.web.brand import Brand
from api.web.directory import ParticipantDirectory
from api.web.disclosures import Disclosures
from api.web.handover import Handover
from api.web.oidc import RelyingParty
from api.web.passkeys import Ceremonies
from api.web.people import Person
from api.web.sandboxes import SandboxService
from api.web.store import Store
from api.web.subscriptions import Channel
from ledger.app import Ledger
from ledger.clock import Clock
from ledger.errors import NotFound
from ledger.notes.sandbox import is_sandbox
from ledger.queries.counting import Counting
from ledger.queries.figures import FigureQueries
from ledger.queries.glances import GlanceQueries
from ledger.queries.remit import Remit


@dataclass(frozen=True)
class BankPages:
    """The parts that all visits share."""

    ledger: Ledger
    settings: WebSettings
    base_url: str
    store: Store
    agents: Mapping[str, HolderAgent]
    relying_party: RelyingParty | None
    ceremonies: Ceremonies
    templates: Environment
    clock: Clock
    disclosures: Disclosures
    discretion: Discretion
    contacts: Mapping[str, str]
    """Participant id → how to reach it, in its own words, for those whom the operator knows it of."""
    directory: ParticipantDirectory
    brand: Brand
    glances: GlanceQueries
    channels: tuple[Channel, ...]
    """The ways in which customers can be told of what happens."""
    invitations: Invitations
    """Makes invitations of newcomers."""
    bundler: Bundler
    """Writes the bundles for auditors and regulators."""
    state_dir: Path
    """Where the count book of this node is."""
    remits: Mapping[str, Remit]
    """Regulator → what it is there for; one that is not named is there for all."""

    declarers: Mapping[str, StatementMaker]
    """Participant → who signs here what its staff declare."""
    sandboxes: SandboxService | None = None
    """Where partners open sandboxes; None where there is no such place."""
    handover: Handover | None = None
    """How apps send customers here; None where no standard is served."""
    rights: Rights | None = None
    """Objecting to all sharing, and sharing again from here; None where no standard is served."""
    endpoints: Endpoints | None = None
    """Where participants are told of events; None where pages stand by themselves."""

    @property
    def is_sandbox(self) -> bool:
        """Whether nothing in this log happened to anybody."""
        return is_sandbox(self.ledger.origin)

    @cached_property
    def counting(self) -> Counting:
        """Reads the log into the count book. Opened when a page first asks for figures. Raises Unavailable."""
        return Counting.beside(self.ledger.store, self.ledger.keystore, self.state_dir)

    def remit_of(self, regulator: str) -> Remit:
        """What this regulator is there for."""
        return remit_of(self.remits, self.ledger.registry, regulator)

    def figures_for(self, regulator: str) -> FigureQueries:
        """Figures as far as this regulator is there for them. Raises Unavailable."""
        return FigureQueries(self.counting, self.remit_of(regulator))

    @property
    def is_secure(self) -> bool:
        """Whether people reach us over https."""
        return self.base_url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The session cookie's name: `__Host-` binds it to this host, and browsers accept that over https only."""
        return "__Host-session" if self.is_secure else "session"

    def objects_since(self, person: Person) -> int:
        """Since when (ms) she objects to all sharing; 0 = she does not. Raises Unavailable."""
        return 0 if self.rights is None else self.rights.objections.since(person.holder, person.subject)

    def agent_of(self, person: Person) -> HolderAgent:
        """Who signs for this person's bank. Raises NotFound."""
        agent = self.agents.get(person.holder)
        if agent is None:
            raise NotFound("this bank's customers are not served here")
        return agent
