"""`consent-ledger publish`: the log's public files in a directory or a bucket (docs/operating.md, «Publishing»)."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from api.cli.saying import say, warn
from api.cli.shared import State, reader_of
from ledger.errors import Conflict, Unavailable
from ledger.publish.places import open_place
from ledger.publish.publisher import Published, Publisher

publications = typer.Typer()


@publications.command()
def publish(
    place: Annotated[str, typer.Argument(help="A folder, or s3://BUCKET/PREFIX (credentials from the environment).")],
    follow: Annotated[bool, typer.Option("--follow", help="Run until told to stop.")] = False,
    every: Annotated[float, typer.Option(min=0.1, max=3600, help="With --follow: seconds between two looks.")] = 1.0,
    state: State = None,
) -> None:
    """Publish checkpoints, tiles and log keys, so that readers need no database; safe beside servers, and safe to repeat."""
    with reader_of(state) as node:
        publisher = Publisher(node.ledger.store, node.ledger.vkey, open_place(place), node.witnessed)
        _tell(place, publisher.publish())
        if not follow:
            return
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        while not ended.wait(every):
            try:
                done = publisher.publish()
            except (Conflict, Unavailable) as error:  # a place that is away comes back, and nothing is half public
                warn(f"{place}: {error.detail}; the next try is in {every:g} s")
                continue
            if done.written:
                _tell(place, done)


def _tell(place: str, done: Published) -> None:
    say(
        f"{place}: {done.size} entries are public; {done.written} files written, {done.removed} removed",
        place=place,
        removed=done.removed,
        size=done.size,
        written=done.written,
    )
