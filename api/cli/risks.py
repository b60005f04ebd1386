"""`consent-ledger risk`: alerts that anyone can recompute (docs/spec/risk.md, docs/risk.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.models import models, train_model
from api.cli.officers import Officers, two_of
from api.cli.saying import fail, mention, say
from api.cli.shared import State, node_of, record, told_in_a_sentence
from api.node.models import StoredModel, read_model
from ledger.documents import document_of
from ledger.orders import SCORING, ModelActivated, ScoringActivated
from ledger.queries.scoring import AlertReader, recorded_alerts

risks = typer.Typer(help="Alerts about who reads what.", no_args_is_help=True)
risks.add_typer(models, name="model")
risks.command("train")(train_model)


@risks.command("activate")
def risk_activate(
    approved_by: Officers,
    *,
    model: Annotated[
        Path | None, typer.Option(help="A model's file, with its card beside it: it scores from the next entry on.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Code of the model, new in this log.")] = None,
    state: State = None,
) -> None:
    """Owe alerts from the next entry on, and raise them while a server runs. Again: begin with nothing remembered.

    With --model: put a model in force. What the rules remember stays.
    """
    approving = two_of(approved_by)
    if (model is None) != (name is None):
        fail("--model FILE goes with --name CODE, by which its alerts name it")
    if model is None or name is None:
        record(state, ScoringActivated, scoring=SCORING, approved_by=approving)
        return
    with told_in_a_sentence():
        stored = read_model(model)
    _activate_model(state, stored, name, approving)


def _activate_model(state: Path | None, stored: StoredModel, name: str, approving: tuple[str, str]) -> None:
    card = stored.card
    with node_of(state) as node:
        ledger = node.ledger
        own = card.origin == ledger.origin
        document = document_of(
            ModelActivated,
            model=name,
            hash=stored.model.hash,
            card_hash=stored.card_hash,
            from_index=card.from_index if own else 0,
            to_index=card.to_index if own else 0,
            approved_by=approving,
        )
        begins = (
            ()
            if ledger.registry.supervision.scoring
            else (document_of(ScoringActivated, scoring=SCORING, approved_by=approving),)
        )
        node.models.keep(stored.data, card.encoded())  # before the document: a node that serves needs it at once
        recorded = ledger.record_documents(*begins, document)
    for one in recorded:
        say(f"{one.act}: entry {one.index}", act=one.act, index=one.index)


@risks.command("stop")
def risk_stop(approved_by: Officers, state: State = None) -> None:
    """Owe no alerts from the next entry on."""
    record(state, ScoringActivated, scoring=0, approved_by=two_of(approved_by))


@risks.command("alerts")
def risk_alerts(
    *,
    after: Annotated[int, typer.Option(min=-1, help="Only alerts recorded above this entry.")] = -1,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many at most.")] = 50,
    state: State = None,
) -> None:
    """The alerts on record, and whether one that the rules give is not there yet."""
    with node_of(state) as node:
        alerts = recorded_alerts(node.ledger.store, after=after, limit=limit)
        reader = AlertReader(node.ledger.store, node.ledger.keystore, node.models.read)
        while not reader.read():
            pass
        waiting = len(reader.waiting)
    for index, said in alerts:
        about = said["about"]
        mention(
            f"entry {index}: {said['rule']}, score {said['score']}, {about['kind']} {about['id']}, at entry "
            f"{said['at_index']} ({', '.join(map(str, said['features']))})"
        )
    say(
        f"{len(alerts)} alerts shown; {waiting} that the rules give are not on record yet.",
        alerts=[{"index": index, **said} for index, said in alerts],
        waiting=waiting,
    )
