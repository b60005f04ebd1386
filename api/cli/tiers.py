"""`consent-ledger tier`: old bodies outside the database (docs/operating.md, «Evidence tiers»)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli.saying import fail, say
from api.cli.shared import State, progress_bar, reader_of
from api.node.node import Node
from ledger.publish.places import fetching_from, open_place
from ledger.queries.overview import OverviewQueries
from ledger.storage.moving import MovedBodies, move_bodies, moved_bodies, return_bodies
from ledger.storage.volumes import Volumes

tiers = typer.Typer(help="Old bodies outside the database.", no_args_is_help=True)

LEAST_DAYS: Final = 31


@tiers.command()
def move(
    older_than: Annotated[
        int | None,
        typer.Option(min=LEAST_DAYS, max=36_500, help="Age in days. Default: CONSENT_LEDGER_BODIES_AFTER_DAYS."),
    ] = None,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="From entry 0: also bodies that could not move at an earlier time.")
    ] = False,
    state: State = None,
) -> None:
    """Move bodies of old accesses to where CONSENT_LEDGER_BODIES_AT says; safe beside servers, and safe to repeat."""
    with reader_of(state) as node, progress_bar("entries") as progress:
        where = _place_of(node)
        days = older_than or node.settings.bodies_after_days
        before = datetime.now(UTC) - timedelta(days=days)
        below = OverviewQueries(node.ledger.store).first_at(int(before.timestamp() * 1000))
        if "://" not in where:
            Path(where).mkdir(parents=True, exist_ok=True, mode=0o700)
        place = open_place(where)
        with place.alone():
            moved = move_bodies(
                node.ledger.store,
                node.ledger.keystore,
                place,
                fetching_from(where),
                below,
                afresh=again,
                progress=progress,
            )
    _tell(f"{moved.bodies} bodies were moved to {where}, in {moved.volumes} volumes", moved, where)


@tiers.command("return")
def return_command(state: State = None) -> None:
    """Bring all bodies back into the database; the volumes stay where they are."""
    with reader_of(state) as node, progress_bar("volumes") as progress:
        where = _place_of(node)
        returned = return_bodies(node.ledger.store, Volumes(fetching_from(where)), progress=progress)
    _tell(f"{returned.bodies} bodies are back, from {returned.volumes} volumes", returned, where)


@tiers.command()
def show(state: State = None) -> None:
    """Say how many bodies were ever moved, and where they are read."""
    with reader_of(state) as node:
        with node.ledger.store.read() as connection:
            moved = moved_bodies(connection)
        where = node.settings.bodies_at
    _tell(f"{moved.bodies} bodies in {moved.volumes} volumes; read at {where or 'no place'}", moved, where)


def _place_of(node: Node) -> str:
    where = node.settings.bodies_at
    if not where:
        fail("no setting says where bodies go: set CONSENT_LEDGER_BODIES_AT, the same for every node of this log")
    return where


def _tell(sentence: str, what: MovedBodies, where: str) -> None:
    say(sentence, bodies=what.bodies, place=where or None, volumes=what.volumes)
