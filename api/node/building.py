"""Building a node from settings: the ledger, its slot, its token keys. The only place where parts are put together; a new
log is founded in `founding`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import migrations
from api.events.sender import OutwardMessages
from api.events.tokens import EventTokens
from api.node.bundling import read_policy
from api.node.issuing import ReportIssuer
from api.node.node import Events, Node
from api.node.reconciling import Reporter
from api.node.registering import registering_of, watcher_of
from api.node.remits import read_remits
from api.node.scoring import AlertRaiser
from api.node.settings import Settings
from api.node.shelf import NAME, FileShelf
from api.node.signing_place import check_place, leave_mark
from api.node.slots import Slot, claim_slot, highwater_files
from api.node.telling import AlertTeller
from api.office.facts import Notes
from api.office.gateway import Gateway
from api.office.office import Office
from api.office.subject import read_contacts
from api.sets.committing import HeadCommitter
from api.tokens.bearer import TokenGuard
from api.tokens.certificates import CertificateHeader
from api.tokens.clients import Clients
from api.tokens.codes import CodeFlow
from api.tokens.external import ExternalIssuers, Reach
from api.tokens.grants import Grants
from api.tokens.introspection import Introspection
from api.tokens.keys import TokenSigner, read_key_set
from api.tokens.nonces import Nonces
from api.tokens.once import Once
from api.tokens.registrations import Registrations
from api.tokens.service import TokenService
from ledger.app import Ledger
from ledger.assembly import open_ledger
from ledger.clock import Clock
from ledger.custody.log_key import read_signer
from ledger.errors import InvalidInput, Rollback, Unavailable
from ledger.highwater import HighWater
from ledger.notes.sandbox import is_sandbox
from ledger.opening import open_key_store
from ledger.queries.events import EventQueries, Notice
from ledger.queries.records import RecordQueries
from ledger.queries.scoring import AlertReader
from ledger.queries.tree import visible_note, visible_size
from ledger.queries.witnessed import WitnessedQueries
from ledger.secrets import read_secret
from ledger.storage.events import EventStore
from ledger.storage.log import LogStore

log = logging.getLogger("api.node.building")


@dataclass(frozen=True)
class Outward:
    """A serving node's work for outward standards beside answering; handed in by the server, which knows them."""

    follower: Callable[[Office, RecordQueries], Callable[[Notice], None]]
    """Makes what is shown every notice (see `EventSender`, `also`)."""
    messages: Callable[[Gateway], OutwardMessages]
    """Makes what words events for endpoints that take a standard's own messages."""


def build_node(
    settings: Settings,
    *,
    serves: bool = False,
    outward: Outward | None = None,
    clock: Clock | None = None,
    sandbox: bool = False,
) -> Node:
    """A node that is ready to start; one that serves also tells the parties of consents and asks witnesses.

    `outward` is what it does for outward standards, where it has a gateway; a `clock` other than the machine's is believed.
    `sandbox`: a sandbox is served, which nobody else serves.

    Raises NotFound or InvalidInput for missing or unfit files, Rollback, Corrupt.
    """
    _refuse_other_versions(settings)
    if serves and not sandbox and is_sandbox(name := read_signer(settings.log_key_file).vkey.name):
        raise InvalidInput(f"{name} is a sandbox, which no ledger serves: «consent-ledger sandbox» does")
    slot = claim_slot(settings.highwater_dir)
    try:
        ledger = open_ledger(settings.node_config(slot.highwater_file), clock=clock)
        try:
            return _built(settings, ledger, slot, serves=serves, outward=outward)
        except BaseException:
            ledger.store.close()
            ledger.keystore.close()
            raise
    except BaseException:
        slot.release()
        raise


def _built(settings: Settings, ledger: Ledger, slot: Slot, *, serves: bool, outward: Outward | None) -> Node:
    _check_all_highwater_files(settings, ledger)
    check_place(settings, ledger)
    node = equip(settings, ledger, slot)
    if serves and settings.events_enabled:
        office = node.office if outward is not None else None
        node.sender = node.events.sender(
            development=settings.web.environment == "development",
            also=None if office is None or outward is None else outward.follower(office, ledger.records),
            outward=None if office is None or outward is None else outward.messages(office.gateway),
            alerts=AlertTeller(ledger, node.events.queries, node.remits),
        )
    if serves:
        node.asker = node.ask_witnesses()
        node.reporter = Reporter(ledger)
        node.issuer = ReportIssuer(ledger, settings.state_dir) if settings.issue_reports else None
        shelf = FileShelf(settings.state_dir / NAME, TokenSigner.load(settings.event_key_file), ledger.origin)
        node.alerts = AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore, node.models.read, shelf))
        node.committer = HeadCommitter(ledger, settings.set_file, settings.state_dir)
        node.watcher = watcher_of(settings, ledger, node.registering)
    return node


def _refuse_other_versions(settings: Settings) -> None:
    """Before anything is opened, and so made: looking at a state folder without a log makes no files in it."""
    read_signer(settings.log_key_file)
    migrations.refuse_other_versions(settings.database_url)


def equip(settings: Settings, ledger: Ledger, slot: Slot | None = None) -> Node:
    """A node around a ledger that exists already. Raises NotFound or InvalidInput for unfit key files."""
    ledger.usage.use_book_in(settings.state_dir)
    signer = TokenSigner.load(settings.token_key_file)
    operator_keys = read_key_set(settings.operator_jwks_file)
    once = Once(settings.token_store_url)
    issuer = settings.base_url
    registry = ledger.registry_now  # a token dies in the commit that ends it, on every front
    clients = Clients(issuer, once, registry, operator_keys)
    grants = Grants(ledger.records.consent, registry)
    registrations = Registrations(settings.database_url, signer, issuer)
    flow = CodeFlow(issuer, signer, once, grants.is_active, registrations)
    certificates = _certificates(settings)
    nonces = Nonces(signer) if settings.dpop_nonce == "required" else None
    registering = registering_of(settings, ledger, registrations, once)
    tokens = TokenService(
        issuer,
        signer,
        once,
        registry,
        clients,
        grants,
        flow,
        lifetime=settings.access_token_seconds,
        mutual_tls=certificates is not None,
        code_flow=settings.gateway_file.exists(),
        registration=registering.offered,
        nonces=nonces,
    )
    introspection = Introspection(issuer, signer, once, clients, grants, flow)
    guard = TokenGuard(issuer, signer, once, registry, _external(settings), certificates, nonces)
    told = EventTokens(issuer, ledger.origin, TokenSigner.load(settings.event_key_file))
    events = Events(EventStore(settings.database_url), EventQueries(ledger.store, ledger.keystore), told)
    policy = read_policy(settings, ledger.vkeys)
    return Node(
        settings,
        ledger,
        tokens,
        clients,
        introspection,
        grants,
        flow,
        guard,
        once,
        events,
        read_contacts(settings.contacts_file),
        policy,
        WitnessedQueries(ledger.store, policy),
        registrations,
        registering,
        slot,
        certificates,
        _office(settings, ledger),
        nonces=nonces,
        remits=read_remits(settings.web.regulators_file),
    )


def _certificates(settings: Settings) -> CertificateHeader | None:
    """How the proxy tells of client certificates. Raises NotFound or InvalidInput for an unfit secret."""
    if settings.proxy_secret_file is None:
        return None
    secret = read_secret(settings.proxy_secret_file).strip()
    if len(secret) < 16:
        raise InvalidInput(
            f"{settings.proxy_secret_file} holds less than 16 characters: a secret that can be guessed is none"
        )
    return CertificateHeader(settings.client_certificate_header, secret)


def _office(settings: Settings, ledger: Ledger) -> Office | None:
    gateway = Gateway.load(settings.gateway_file, ledger.origin)
    return None if gateway is None else Office(ledger, gateway, Notes(settings.database_url, ledger.keystore))


def _check_all_highwater_files(settings: Settings, ledger: Ledger) -> None:
    """What any process of this machine has signed binds every other one, also when fewer run today than yesterday."""
    for path in highwater_files(settings.highwater_dir):
        highwater = HighWater(path, ledger.vkeys)
        recorded = highwater.read()  # before the database is asked: a file never runs ahead of it
        if recorded is not None:
            with ledger.store.read() as connection:
                size, note = visible_size(connection) or 0, visible_note(connection, recorded[0].size)
            highwater.check(recorded, size, note)


@contextmanager
def short_lived(settings: Settings) -> Iterator[Node]:
    """A running node for one command; safe beside running servers."""
    node = build_node(settings)
    try:
        node.start()
        yield node
    finally:
        node.stop()


@contextmanager
def at_another_time(settings: Settings, clock: Clock) -> Iterator[Ledger]:
    """A log that is written by another clock than the machine's: for a demo, whose past is made up. No server may run."""
    slot = claim_slot(settings.highwater_dir)
    try:
        ledger = open_ledger(settings.node_config(slot.highwater_file), clock=clock)
        ledger.start()
        try:
            yield ledger
        finally:
            ledger.stop()
            leave_mark(settings, ledger.vkeys)
    finally:
        slot.release()


@contextmanager
def opened(settings: Settings, *, examine: bool = False) -> Iterator[Node]:
    """A node that only reads: for exports and checks, also of a log that this node may not continue.

    Before anything is read, the database is held against the high-water files, erasures are applied to the key store, and what
    the database shows is confirmed. With `examine`, a database that was rolled back and a key store that lacks keys
    pass: for the check, which reports them (`went_back`). Raises Rollback, Corrupt, Unavailable.
    """
    _refuse_other_versions(settings)
    ledger = open_ledger(settings.node_config(settings.highwater_dir / "reader"))
    try:
        node = equip(settings, ledger)
    except BaseException:
        ledger.store.close()
        ledger.keystore.close()
        raise
    try:
        store, keystore = node.ledger.store, node.ledger.keystore
        try:
            _check_all_highwater_files(settings, node.ledger)
        except Rollback as error:
            if not examine:
                raise
            node.went_back = error.detail
        open_key_store(store, keystore, whole=not examine)
        if node.went_back is None:
            _confirm(store)
        yield node
    finally:
        node.stop()


def _confirm(store: LogStore) -> None:
    try:
        store.confirm()
    except Unavailable as error:  # a replica cannot be written: its head row's word is used
        log.info("what the database shows beyond its confirmed size is left aside: %s", error.detail)


def _external(settings: Settings) -> ExternalIssuers:
    return ExternalIssuers(
        {one.issuer: Reach(frozenset(one.participants), frozenset(one.scopes)) for one in settings.external_issuers}
    )
