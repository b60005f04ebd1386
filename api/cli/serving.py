"""`consent-ledger serve`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from api.cli.shared import State, settings_from, told_in_a_sentence
from api.server.serving import serve as run_server

servers = typer.Typer()


class Role(StrEnum):
    """What a server is there for (docs/scaling.md, «Readers»)."""

    NODE = "node"
    READER = "reader"


@servers.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 lets the system choose.")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes.")] = None,
    role: Annotated[
        Role | None, typer.Option(help="What it is there for: to record, too, or only to answer reads.")
    ] = None,
    state: State = None,
) -> None:
    """Serve the API until told to stop."""

    settings = settings_from(state, host=host, port=port, workers=workers, role=role)
    with told_in_a_sentence():
        run_server(settings)
