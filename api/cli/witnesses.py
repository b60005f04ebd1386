"""`consent-ledger witness`: be a witness for another party's log (docs/witnesses.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.saying import say
from api.cli.shared import told_in_a_sentence
from api.node.logs import configure_logging
from api.witness.running import make_witness, serve_witness

witnesses = typer.Typer(help="Be a witness for another party's log.", no_args_is_help=True)


@witnesses.command("init")
def witness_init(
    folder: Annotated[Path, typer.Argument(help="New folder for the witness's key and memory.")],
    name: Annotated[str, typer.Option(help="Its name, such as witness.regulator.example.")],
) -> None:
    """Make a witness's key."""
    with told_in_a_sentence():
        vkey = make_witness(folder, name)
    key = vkey.format()
    say(f"The verifier key of this witness, for the logs and for their auditors:\n\n  {key}", verifier_key=key)


@witnesses.command("serve")
def witness_serve(
    folder: Annotated[Path, typer.Argument(help="The witness's folder.")],
    log: Annotated[list[str], typer.Option(help="Verifier key of a log to witness; repeatable.")],
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; a proxy in front ends TLS.")] = 8010,
) -> None:
    """Cosign checkpoints of these logs until told to stop."""
    configure_logging("info")
    with told_in_a_sentence():
        serve_witness(folder, log, port)
