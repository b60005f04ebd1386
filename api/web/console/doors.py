"""Decides who may open which console. A page of another role does not exist for its reader: 404, as for everything not
one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from pydantic import Field

from api.web.agent import HolderAgent
from api.web.alert_work import AlertNote, AlertWork
from api.web.console.premises import Premises
from api.web.desk import Anyone, Desk
from api.web.forms import AnyonesForm, Sent
from api.web.staff import Staff, StaffRole
from ledger.errors import NotFound
from ledger.participants import Participant
from ledger.queries.alerts import AlertQueue, Seat
from ledger.queries.alerts import Side as AlertSide
from ledger.queries.overview import OverviewQueries
from ledger.queries.parties import PartyQueries, Side
from ledger.queries.remit import Remit
from ledger.queries.signed import SignedQueries
from ledger.supervision import Supervision

PARTNERS: Final[frozenset[StaffRole]] = frozenset({"holder", "recipient"})
WATCHERS: Final[frozenset[StaffRole]] = frozenset({"auditor", "regulator"})
REGULATORS: Final[frozenset[StaffRole]] = frozenset({"regulator"})
PROVIDERS: Final[frozenset[StaffRole]] = frozenset({"technology-provider"})
DECLARERS: Final[frozenset[StaffRole]] = PARTNERS | REGULATORS
CONCERNED: Final[frozenset[StaffRole]] = PARTNERS | WATCHERS
OPERATORS: Final[frozenset[StaffRole]] = frozenset({"operator"})


def _admit(desk: Desk, roles: frozenset[StaffRole]) -> Staff:
    staff = desk.staff
    if staff.role not in roles:
        raise NotFound("there is no such page for you")
    return staff


@dataclass(frozen=True)
class PartnerDesk:
    """A visit by the staff of a holder or recipient."""

    desk: Desk
    participant: Participant
    side: Side
    own: PartyQueries

    @property
    def id(self) -> str:
        """The participant's id: the viewer in every question."""
        return self.participant.id


@dataclass(frozen=True)
class ProviderDesk:
    """A visit by the staff of a technology provider: nothing here opens what it did not sign itself."""

    desk: Desk
    participant: Participant
    signed: SignedQueries

    @property
    def id(self) -> str:
        """The participant's id: the viewer in every question."""
        return self.participant.id


@dataclass(frozen=True)
class WatchDesk:
    """A visit by an auditor or regulator. `overview` cannot open evidence."""

    desk: Desk
    staff: Staff
    overview: OverviewQueries


@dataclass(frozen=True)
class OperatorDesk:
    """A visit by the operator's staff: figures and public documents, nothing that could open evidence."""

    desk: Desk
    staff: Staff
    overview: OverviewQueries
    premises: Premises


def partner_of(desk: Desk) -> PartnerDesk:
    """The visit of somebody whom a door of partners has let in. Raises NotFound for anybody else."""
    staff = _admit(desk, PARTNERS)
    ledger = desk.office.ledger
    side: Side = "holder" if staff.role == "holder" else "recipient"
    own = PartyQueries(ledger.store, ledger.keystore, ledger.registry.removed)
    return PartnerDesk(desk, ledger.registry.participant(staff.participant), side, own)


@dataclass(frozen=True)
class AlertDesk:
    """A visit by anybody at work whom alerts concern: banks, apps, auditors, regulators."""

    desk: Desk
    seat: Seat
    queue: AlertQueue

    @property
    def id(self) -> str:
        """The employer's id."""
        return self.seat.viewer

    @property
    def supervision(self) -> Supervision:
        """As of now."""
        return self.desk.office.ledger.registry.supervision

    @property
    def work(self) -> AlertWork:
        """What people keep about alerts."""
        return self.desk.office.store.alert_work

    def note(self, index: int) -> AlertNote:
        """What the employer's people keep about an alert."""
        return self.work.of(self.id, [index]).get(index, AlertNote())

    @property
    def agent(self) -> HolderAgent | None:
        """Who signs a decision of the employer's; None where it signs elsewhere."""
        return self.desk.office.agents.get(self.id) if self.seat.side == "holder" else None


def alert_desk_of(desk: Desk) -> AlertDesk:
    """The same, of a desk. Raises NotFound."""
    staff = _admit(desk, PARTNERS | WATCHERS)
    side: AlertSide = "watcher" if staff.role in WATCHERS else "holder" if staff.role == "holder" else "recipient"
    remit = desk.office.remit_of(staff.participant) if staff.role == "regulator" else Remit()
    return AlertDesk(desk, Seat(staff.participant, side, remit), AlertQueue(desk.office.ledger.store))


def _alert_reader(desk: Anyone) -> AlertDesk:
    return alert_desk_of(desk)


def _alert_readers_form(sent: AnyonesForm) -> Sent:
    _admit(sent.desk, PARTNERS | WATCHERS)
    return sent


def _partner(desk: Anyone) -> PartnerDesk:
    return partner_of(desk)


def _provider(desk: Anyone) -> ProviderDesk:
    staff, ledger = _admit(desk, PROVIDERS), desk.office.ledger
    signed = SignedQueries(ledger.store, ledger.keystore)
    return ProviderDesk(desk, ledger.registry.participant(staff.participant), signed)


def _watcher(desk: Anyone) -> WatchDesk:
    return WatchDesk(desk, _admit(desk, WATCHERS), OverviewQueries(desk.office.ledger.store))


def _regulator(desk: Anyone) -> WatchDesk:
    return WatchDesk(desk, _admit(desk, REGULATORS), OverviewQueries(desk.office.ledger.store))


def _operator(desk: Anyone, request: Request) -> OperatorDesk:
    staff = _admit(desk, OPERATORS)
    return OperatorDesk(desk, staff, OverviewQueries(desk.office.ledger.store), request.app.state.premises)


def _regulators_form(sent: AnyonesForm) -> Sent:
    _admit(sent.desk, REGULATORS)
    return sent


def _operators_form(sent: AnyonesForm) -> Sent:
    _admit(sent.desk, OPERATORS)
    return sent


def _partners_form(sent: AnyonesForm) -> Sent:
    _admit(sent.desk, PARTNERS)
    return sent


def _providers_form(sent: AnyonesForm) -> Sent:
    _admit(sent.desk, PROVIDERS)
    return sent


def _concerned(desk: Anyone) -> Desk:
    _admit(desk, CONCERNED)
    return desk


def _declarers_form(sent: AnyonesForm) -> Sent:
    _admit(sent.desk, DECLARERS)
    return sent


def _orderers_form(sent: AnyonesForm) -> Sent:
    _admit(sent.desk, DECLARERS | OPERATORS)
    return sent


def _at_work(desk: Anyone) -> Desk:
    desk.staff  # noqa: B018 (raises SignInNeeded, NotPermitted)
    return desk


Place = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""An index, size or key in an address; one that no log reaches is not an address (404)."""
Partner = Annotated[PartnerDesk, Depends(_partner)]
PartnersForm = Annotated[Sent, Depends(_partners_form)]
Provider = Annotated[ProviderDesk, Depends(_provider)]
ProvidersForm = Annotated[Sent, Depends(_providers_form)]
Watcher = Annotated[WatchDesk, Depends(_watcher)]
Regulator = Annotated[WatchDesk, Depends(_regulator)]
RegulatorsForm = Annotated[Sent, Depends(_regulators_form)]
Operator = Annotated[OperatorDesk, Depends(_operator)]
OperatorsForm = Annotated[Sent, Depends(_operators_form)]
AlertReader = Annotated[AlertDesk, Depends(_alert_reader)]
AlertReadersForm = Annotated[Sent, Depends(_alert_readers_form)]
Concerned = Annotated[Desk, Depends(_concerned)]
DeclarersForm = Annotated[Sent, Depends(_declarers_form)]
OrderersForm = Annotated[Sent, Depends(_orderers_form)]
AtWork = Annotated[Desk, Depends(_at_work)]

DOORS: Final[dict[Callable[..., object], frozenset[StaffRole]]] = {
    _partner: PARTNERS,
    _partners_form: PARTNERS,
    _provider: PROVIDERS,
    _providers_form: PROVIDERS,
    _watcher: WATCHERS,
    _regulator: REGULATORS,
    _regulators_form: REGULATORS,
    _operator: OPERATORS,
    _operators_form: OPERATORS,
    _alert_reader: PARTNERS | WATCHERS,
    _alert_readers_form: PARTNERS | WATCHERS,
    _concerned: CONCERNED,
    _declarers_form: DECLARERS,
    _orderers_form: DECLARERS | OPERATORS,
    _at_work: PARTNERS | PROVIDERS | WATCHERS | OPERATORS,
}
"""Each door with the roles that it lets in; tests walk the route table with it."""
