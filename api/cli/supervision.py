"""`consent-ledger freeze …`, `hold …`: what two officers of the operator order (docs/supervision.md)."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from api.cli.officers import Officers, two_of
from api.cli.saying import say
from api.cli.shared import State, node_of, record
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.entries.leaf import consent_chain
from ledger.entries.scope import Scope
from ledger.orders import FreezeLifted, FreezeOrdered, HoldLifted, HoldPlaced

freezes = typer.Typer(help="Freezes of the operator: accesses that are denied for a while.", no_args_is_help=True)
holds = typer.Typer(help="Holds: consents whose records must not be erased.", no_args_is_help=True)

MOST_DAYS: Final = 90
Reason = Annotated[str, typer.Option(help="A code, such as court-order.")]


def _scope(**members: str | None) -> Scope:
    return Scope(**{name: member for name, member in members.items() if member is not None})


@freezes.command("order")
def freeze_order(
    freeze_id: Annotated[str, typer.Argument(help="A new id, such as freeze-2026-7.")],
    approved_by: Officers,
    reason: Reason,
    *,
    hours: Annotated[int, typer.Option(min=1, max=MOST_DAYS * 24, help="How long it lasts.")] = 24,
    country: Annotated[str | None, typer.Option(help="Only data that is taken to this country.")] = None,
    holder: Annotated[str | None, typer.Option(help="Only consents of this holder.")] = None,
    permission: Annotated[str | None, typer.Option(help="Only accesses that ask for this permission.")] = None,
    purpose: Annotated[str | None, typer.Option(help="Only consents for this purpose.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Only consents of this recipient.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All accesses of all consents.")] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="An exercise: recorded as one, and nothing is denied.")
    ] = False,
    state: State = None,
) -> None:
    """Deny all accesses in a scope from the next entry on. All parts of the scope that are named must match."""
    scope = _scope(country=country, holder=holder, permission=permission, purpose=purpose, recipient=recipient)
    if (scope == Scope()) != everything:
        raise typer.BadParameter("say what is frozen: at least one part of a scope, or --everything")
    record(
        state,
        FreezeOrdered,
        approved_by=two_of(approved_by),
        drill=drill,
        freeze_id=freeze_id,
        from_=0,
        reason=reason,
        scope=scope,
        until=SystemClock().now() // 1000 + hours * 3_600,
    )


@freezes.command("lift")
def freeze_lift(
    freeze_id: Annotated[str, typer.Argument(help="The id it was ordered under.")],
    approved_by: Officers,
    reason: Reason,
    state: State = None,
) -> None:
    """End a freeze of the operator. Those of participants are ended by themselves."""
    record(state, FreezeLifted, approved_by=two_of(approved_by), freeze_id=freeze_id, reason=reason)


@freezes.command("list")
def freeze_list(state: State = None) -> None:
    """Freezes of the operator and of participants, in the order of their entries."""
    with node_of(state) as node:
        supervision, now = node.ledger.registry.supervision, SystemClock().now()
    for each in supervision.freezes.values():
        stands = "drill" if each.drill else "lifted" if each.lifted_at is not None else "in force"
        if stands == "in force" and not each.holds(now):
            stands = "not in its time"
        say(
            f"{each.index}  {each.author or 'the operator'}  {each.freeze_id}  {stands}, until {each.until}, {each.reason}",
            author=each.author or None,
            freeze_id=each.freeze_id,
            index=each.index,
            reason=each.reason,
            stands=stands,
            until=each.until,
        )


@holds.command("place")
def hold_place(
    hold: Annotated[str, typer.Argument(help="A new name, such as case-4711.")],
    approved_by: Officers,
    basis: Annotated[str, typer.Option(help="A code, such as court-order.")],
    consent: Annotated[list[str], typer.Option(help="A consent that must be kept; repeatable, at most 8.")],
    *,
    days: Annotated[int, typer.Option(min=0, help="How long; 0 = until it is lifted.")] = 0,
    state: State = None,
) -> None:
    """Keep the records of these consents from being erased."""
    record(
        state,
        HoldPlaced,
        approved_by=two_of(approved_by),
        basis=basis,
        chains=tuple(sorted({b64u(consent_chain(each)) for each in consent})),
        hold=hold,
        until=SystemClock().now() // 1000 + days * 86_400 if days else 0,
    )


@holds.command("lift")
def hold_lift(
    hold: Annotated[str, typer.Argument(help="Its name.")], approved_by: Officers, reason: Reason, state: State = None
) -> None:
    """End a hold: what it kept may be erased again."""
    record(state, HoldLifted, approved_by=two_of(approved_by), hold=hold, reason=reason)


@holds.command("list")
def hold_list(state: State = None) -> None:
    """Holds, in the order of their entries."""
    with node_of(state) as node:
        supervision, now = node.ledger.registry.supervision, SystemClock().now()
    for name, each in supervision.holds.items():
        stands = "in force" if each.is_in_force(now) else "over"
        say(
            f"{each.index}  {name}  {stands}, {len(each.says.chains)} chains, {each.says.basis}",
            basis=each.says.basis,
            chains=list(each.says.chains),
            hold=name,
            index=each.index,
            stands=stands,
            until=each.says.until,
        )
