"""`consent-ledger risk train`, `risk model`: models of risk, made from the log's own history (docs/risk.md, «A model»)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from api.cli.saying import say
from api.cli.shared import State, reader_of, told_in_a_sentence
from api.node.models import FEATURES, ModelCard, read_model
from ledger.errors import Unavailable
from ledger.queries.scoring import activated_models
from ledger.queries.training import read_window
from ledger.scoring.model import Model
from ledger.scoring.training import ForestPlan, train

models = typer.Typer(help="Models of risk.", no_args_is_help=True)


def train_model(
    *,
    first: Annotated[int, typer.Option("--from", min=0, help="First entry of the window.")] = 0,
    last: Annotated[int | None, typer.Option("--to", min=0, help="Last entry of it. Default: the newest.")] = None,
    trees: Annotated[int, typer.Option(min=1, max=256, help="How many trees.")] = 100,
    sample: Annotated[int, typer.Option(min=8, max=1_024, help="Vectors that a tree is grown from.")] = 128,
    seed: Annotated[int, typer.Option(min=0, max=2**32, help="Another seed gives another model.")] = 0,
    threshold: Annotated[
        int,
        typer.Option(
            min=1, max=1_000, help="It raises an alert from this score on, in thousandths of what it learned."
        ),
    ] = 995,
    state: State = None,
) -> None:
    """Make a model of the log's own history; nothing is put in force. The same window and options give the same bytes."""
    with reader_of(state) as node:
        ledger = node.ledger
        window = read_window(ledger.store, ledger.keystore, first, last)
        plan = ForestPlan(trees, sample, seed, threshold)
        trained = train(window.vectors, plan)
        hashed = Model(trained.data).hash
        card = ModelCard(
            accesses=window.accesses,
            above=trained.above,
            features=FEATURES,
            from_index=window.first,
            hash=hashed,
            held_out=trained.held_out,
            kind="isolation-forest",
            learned=trained.learned,
            origin=ledger.origin,
            sample=sample,
            seed=seed,
            threshold=threshold,
            to_index=window.last,
            trees=trees,
            unreadable=window.unreadable,
        )
        file = node.models.keep(trained.data, card.encoded())
    say(
        f"{file}: learned from {trained.learned} vectors ({window.accesses} accesses, entries {window.first} to "
        f"{window.last}); of {trained.held_out} held out, {trained.above} reach {threshold}.\n"
        f"In force only with «consent-ledger risk activate --model {file} --name CODE».",
        file=str(file),
        **msgspec.to_builtins(card),
    )


@models.command("show")
def model_show(
    file: Annotated[Path, typer.Argument(help="A model's file; its card stands beside it.", metavar="FILE")],
) -> None:
    """What a model is and how it was made. A file that is not a model is refused by name."""
    with told_in_a_sentence():
        stored = read_model(file)
    card, model = stored.card, stored.model
    say(
        f"hash          {model.hash}\n"
        f"card          {stored.card_hash}\n"
        f"trees         {model.trees}, {model.nodes} nodes, {len(stored.data)} bytes\n"
        f"threshold     {model.threshold}\n"
        f"learned from  {card.learned} vectors of {card.accesses} accesses, entries {card.from_index} to {card.to_index} of "
        f"{card.origin}; {card.unreadable} entries were erased\n"
        f"judged by     {card.held_out} later vectors: {card.above} reach the threshold\n"
        f"made with     seed {card.seed}, {card.sample} vectors a tree",
        card_hash=stored.card_hash,
        nodes=model.nodes,
        size=len(stored.data),
        **msgspec.to_builtins(card),
    )


@models.command("list")
def model_list(state: State = None) -> None:
    """The models that the log names, the last one in force, and whether their bytes are here."""
    with reader_of(state) as node:
        with node.ledger.store.read() as connection:
            named = activated_models(connection, node.ledger.tree.size())
        found = []
        for index, said in named:
            try:
                here = node.models.read(said["hash"]) is not None
                problem = "" if here else f"its bytes are not in {node.models.folder}"
            except Unavailable as error:
                here, problem = False, error.detail
            found.append({"index": index, "here": here, "problem": problem, **said})
    lines = [
        f"entry {one['index']}: {one['model']}, {one['hash']}, approved by {' and '.join(one['approved_by'])}; "
        f"{one['problem'] or 'its bytes are here'}"
        for one in found
    ]
    say("\n".join(lines) or "The log names no model.", models=found)
