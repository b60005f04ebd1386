"""Scopes in forms: what somebody wants to freeze or says is affected, and what that touches (docs/consoles.md, «Preview»)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from api.web.desk import Desk
from api.web.forms import Sent
from ledger.entries.scope import Scope
from ledger.errors import InvalidInput
from ledger.queries.figures import FigureQueries, ScopeReach

MEMBERS: Final = ("holder", "recipient", "purpose", "permission", "country")
LOOK_BACK_DAYS: Final = 30
"""The days whose accesses a preview counts."""
LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Preview:
    """What a scope touches. `behind`: entries of the log that are not counted yet; nothing is ordered on such a preview."""

    reach: ScopeReach
    behind: int


def scope_of(sent: Sent) -> Scope:
    """The scope that a form names. Raises InvalidInput, which names the member."""
    named = {name: value for name in MEMBERS if (value := sent.text(name, 64).strip())}
    try:
        return msgspec.convert(named, Scope)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the scope does not read: {error}", member="scope") from None


def preview(desk: Desk, scope: Scope) -> Preview:
    """Count what it touches now; for a regulator, of what it is there for. Raises Corrupt, Unavailable."""
    staff, office = desk.staff, desk.office
    figures = office.figures_for(staff.participant) if staff.role == "regulator" else FigureQueries(office.counting)
    read = figures.read(LOOK_SECONDS)
    return Preview(figures.reach(scope, desk.now, desk.now - LOOK_BACK_DAYS * 86_400_000), read.of - read.size)


def choices(desk: Desk) -> dict[str, list[str]]:
    """What forms offer for the members of a scope."""
    registry = desk.office.ledger.registry
    with_role = {
        role: sorted(one.id for one in registry.participants.values() if role in one.roles)
        for role in ("holder", "recipient")
    }
    return {**with_role, "purpose": sorted(registry.purposes)}


def typed(sent: Sent, number: int) -> bool:
    """Whether the number that was shown was typed, so that nobody orders more than was seen."""
    return sent.text("typed", 20).strip().replace(" ", "").replace(",", "") == str(number)


def members_of(scope: Scope) -> dict[str, Any]:
    """A scope for a statement or document."""
    named: dict[str, Any] = msgspec.to_builtins(scope)
    return named
