"""`consent-ledger health`, `demo`: commands that need nothing of this machine's own node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.cli.readiness import unready
from api.cli.saying import fail, files_told_in_a_sentence, say

others = typer.Typer()


@others.command()
def health(
    url: Annotated[str, typer.Option(help="Base address of the server.")] = "http://127.0.0.1:8000",
) -> None:
    """Ask a server whether it records; 0 if it does. For container health checks."""
    why = unready(url)
    if why is not None:
        fail(why)
    say("ready", ready=True, url=url)


@others.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the closing table.")] = False,
    customers: Annotated[int, typer.Option(min=1, help="How many customers consent.")] = 200,
    directory: Annotated[Path | None, typer.Option(help="Keep everything in this new folder.")] = None,
    shards: Annotated[
        int, typer.Option(min=0, max=8, help="Show several logs as one instead: so many, and their head log; then end.")
    ] = 0,
    lang: Annotated[Literal["en", "pt", "zh"], typer.Option(help="Language of what is said here.")] = "en",
) -> None:
    """Start a ledger, banks and recipients on this machine, and watch consents live and end."""
    from api.demo import run  # noqa: PLC0415  (it brings much that no server needs)

    with files_told_in_a_sentence():
        status = run(once=once, customers=customers, directory=directory, language=lang, shards=shards)
    raise typer.Exit(status)
