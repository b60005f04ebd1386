"""A node: a ledger with its token service, its events and its settings, started and stopped together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial

from api.events.delivery import Push
from api.events.endpoints import Endpoints
from api.events.sender import AlertTelling, EventSender, OutwardMessages
from api.events.tokens import EventTokens
from api.http.refusals import InvalidClient
from api.http.wire import Scope, visit_of
from api.node.bundling import Bundler
from api.node.issuing import ReportIssuer
from api.node.models import ModelFolder
from api.node.reconciling import Reporter
from api.node.remits import check_order, remit_of
from api.node.scoring import AlertRaiser
from api.node.settings import Settings
from api.node.signing_place import leave_mark, stop_signing
from api.node.slots import Slot
from api.office.discretion import Discretion
from api.office.office import Office
from api.office.subject import Contact
from api.partners.invitations import Invitations
from api.registers.registration import Registering
from api.registers.watching import RegisterWatcher
from api.sets.committing import HeadCommitter
from api.tokens.bearer import TokenGuard
from api.tokens.certificates import Certificate, CertificateHeader
from api.tokens.clients import Clients
from api.tokens.codes import CodeFlow
from api.tokens.grants import Grants
from api.tokens.introspection import Introspection
from api.tokens.jwt import BadToken
from api.tokens.keys import TokenSigner
from api.tokens.nonces import Nonces
from api.tokens.once import Once
from api.tokens.registrations import Registrations
from api.tokens.service import TokenService
from api.witness.asking import WitnessAsker
from ledger.app import Ledger
from ledger.entries.acts import Act
from ledger.notes.policy import Policy
from ledger.queries.events import EventQueries, Notice
from ledger.queries.heads import HeadQueries
from ledger.queries.remit import Remit
from ledger.queries.witnessed import WitnessedQueries
from ledger.storage.cosignatures import CosignatureStore
from ledger.storage.events import EventStore


@dataclass(frozen=True)
class Events:
    """The parts that tell the parties of consents (docs/events.md)."""

    store: EventStore
    queries: EventQueries
    tokens: EventTokens

    def sender(
        self,
        *,
        development: bool,
        also: Callable[[Notice], None] | None = None,
        outward: OutwardMessages | None = None,
        alerts: AlertTelling | None = None,
    ) -> EventSender:
        """One that sends; several may exist, and one at a time works. `also`, `outward`, `alerts`: see EventSender."""
        return EventSender(
            self.queries,
            self.store,
            self.tokens,
            lambda: Push(development=development),
            also=also,
            outward=outward,
            alerts=alerts,
        )


@dataclass(eq=False)
class Node:
    """A ledger with the settings it was built from. `start` and `stop` may be called more than once."""

    settings: Settings
    ledger: Ledger
    tokens: TokenService
    clients: Clients
    introspection: Introspection
    grants: Grants
    flow: CodeFlow
    """The authorization code flow of the outward standards' clients."""
    guard: TokenGuard
    once: Once
    events: Events
    contacts: Mapping[str, Contact]
    """By participant id: how parties are reached, for receipts that people read."""
    policy: Policy
    """Whose cosignatures make a checkpoint witnessed."""
    witnessed: WitnessedQueries
    registrations: Registrations
    """What clients of outward standards have registered of themselves."""
    registering: Registering
    """How they do so."""
    slot: Slot | None = None
    certificates: CertificateHeader | None = None
    """How the proxy tells of client certificates; None where it does not."""
    office: Office | None = None
    """The office of outward standards; None without a gateway."""
    sender: EventSender | None = None
    """Set in the process that also sequences, and in no command."""
    asker: WitnessAsker | None = None
    """Likewise; None too when the policy names no witness with an address."""
    reporter: Reporter | None = None
    """Likewise."""
    alerts: AlertRaiser | None = None
    """Likewise."""
    issuer: ReportIssuer | None = None
    """Likewise; None too when the settings leave reports to the operator."""
    committer: HeadCommitter | None = None
    """Likewise; it has nothing to do where this is no head log."""
    nonces: Nonces | None = None
    """What DPoP proofs must bring; None where they need not."""
    discretion: Discretion = field(default_factory=Discretion)
    """Which consents one person of a relationship keeps from the others, for standards that show a customer's."""
    watcher: RegisterWatcher | None = None
    """Likewise; None too where no register lists the standing of software."""
    remits: Mapping[str, Remit] = field(default_factory=dict)
    """By regulator: what it is there for; one that is not named is there for all."""
    went_back: str | None = None
    """Why this database must not be continued, for a check that looks at it all the same."""
    _running: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin to write. Raises Rollback, Corrupt, Unavailable."""
        if not self._running:
            self.ledger.start()
            self._running = True
            if self.sender is not None:
                self.sender.start()
            if self.asker is not None:
                self.asker.start()
            if self.reporter is not None:
                self.reporter.start()
            if self.alerts is not None:
                self.alerts.start()
            if self.issuer is not None:
                self.issuer.start()
            if self.committer is not None:
                self.committer.start()
            if self.watcher is not None:
                self.watcher.start()

    def certificate_of(self, scope: Scope) -> Certificate | None:
        """The client certificate of a request, where the proxy tells of one. Raises InvalidClient."""
        if self.certificates is None:
            return None
        try:
            return self.certificates.certificate(scope, time.time())
        except BadToken as error:
            raise InvalidClient(str(error)) from None

    def option_of(self, holder: str, name: str) -> str:
        """What a holder has decided about a standard; empty where it has not."""
        return "" if self.office is None else self.office.gateway.options(holder).options.get(name, "")

    def tell_nonce(self, scope: Scope) -> None:
        """Whatever is answered, the caller's next proof has a nonce (RFC 9449 §8.2). Raises Unavailable."""
        if self.nonces is not None:
            visit_of(scope).headers = self.nonces.told(time.time())

    def remit_of(self, participant: str) -> Remit:
        """What it may see as a regulator."""
        return remit_of(self.remits, self.ledger.registry, participant)

    def check_order(self, says: Act) -> None:
        """What a regulator orders lies within what it is there for. Raises NotPermitted."""
        check_order(self.remits, self.ledger.registry, says)

    @cached_property
    def endpoints(self) -> Endpoints:
        """Where participants are told. One for the node, so that one test of each runs at a time."""
        events, development = self.events, self.settings.web.environment == "development"
        return Endpoints(events.store, events.queries, events.tokens, development)

    @property
    def heads(self) -> HeadQueries:
        """What this log says of its set, where it is a head log."""
        return HeadQueries(self.ledger.store, self.witnessed)

    @property
    def models(self) -> ModelFolder:
        """The models of risk whose bytes are here."""
        return ModelFolder(self.settings.models_dir)

    @property
    def bundler(self) -> Bundler:
        """Writes the bundles that are handed out."""
        return Bundler(self.ledger, self.witnessed, self.settings.policy_file, self.models)

    @property
    def invitations(self) -> Invitations:
        """Makes and reads invitations of newcomers."""
        return Invitations(lambda: TokenSigner.load(self.settings.token_key_file), self.ledger.origin)

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._running and not self._closed

    def ask_witnesses(self) -> WitnessAsker | None:
        """Asks the policy's witnesses; None when none of them has an address."""
        asked = [witness for witness in self.policy.witnesses if witness.url]
        if not asked:
            return None
        store = CosignatureStore(self.settings.database_url)
        return WitnessAsker(self.ledger, store, asked, refused=partial(stop_signing, self.settings, self.ledger))

    def stop(self) -> None:
        """Finish what was submitted, close the databases, give the slot back."""
        if self._closed:
            return
        self._closed = True
        if self._running:
            if self.sender is not None:
                self.sender.stop()
            if self.asker is not None:
                self.asker.stop()
            if self.reporter is not None:
                self.reporter.stop()
            if self.alerts is not None:
                self.alerts.stop()
            if self.issuer is not None:
                self.issuer.stop()
            if self.committer is not None:
                self.committer.stop()
            if self.watcher is not None:
                self.watcher.stop()
            self.ledger.stop()
            leave_mark(self.settings, self.ledger.vkeys)
        else:
            self.ledger.store.close()
            self.ledger.keystore.close()
        self.once.close()
        self.events.store.close()
        if self.office is not None:
            self.office.notes.close()
        self.registrations.close()
        if self.slot is not None:
            self.slot.release()
