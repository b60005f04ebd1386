"""`consent-ledger sandbox`: logs for trying out (docs/sandbox.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from api.cli.saying import fail, files_told_in_a_sentence, mention, say

sandboxes = typer.Typer()


@sandboxes.command()
def sandbox(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the controls; 0 lets the system choose.")
    ] = 8100,
    participant: Annotated[
        str, typer.Option(help="Open one for this participant at once; its id there. Default: when one is asked for.")
    ] = "",
    role: Annotated[Literal["recipient", "holder"], typer.Option(help="What the participant is there.")] = "recipient",
    own: Annotated[
        Path | None,
        typer.Option("--as", help="Come in at once, with new keys in this new folder; needs --participant."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="Write the token of the controls into this new file (mode 0600).")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Keep the logs in this new folder; removed at the end.")
    ] = None,
) -> None:
    """Open sandboxes: logs for trying out, with customers and banks of nobody's. Ends with Ctrl-C."""
    from api.sandbox.running import SandboxesTold, run  # noqa: PLC0415  (it brings much that no server needs)
    from api.sandbox.world import Guest  # noqa: PLC0415

    if own is not None and not participant:
        fail("--as needs --participant: who comes in")
    if directory is not None and directory.exists() and any(directory.iterdir()):
        fail(f"{directory} exists and is not empty: name a new folder")

    def opened(told: SandboxesTold) -> None:
        """Says where everything is; on another thread than the sandbox's own."""
        if token_file is not None:
            token_file.touch(0o600, exist_ok=False)
            token_file.write_text(told.token, "ascii")
        if told.room is None:
            say(f"sandboxes are opened at {told.url}", url=told.url, token=told.token)
            return
        if own is not None:
            from api.cli.joining import come_in  # noqa: PLC0415  (as above)

            come_in(told.room["invitation"], own, told.room["ledger"]["vkey"])
            (own / "sandbox.json").write_text(json.dumps(told.room, indent=1), "utf-8")
            (own / "sandbox.json").chmod(0o600)
        mention(f"a sandbox: nothing in {told.room['ledger']['origin']} happened to anybody")
        for name, address in told.room["banks"].items():
            mention(f"{name}  {address}")
        mention(f"controls  {told.room['control']}  key {told.room['key']}")
        if own is None:
            mention(f"come in by  {told.room['invitation']}")
        say(f"ledger  {told.room['ledger']['url']}", url=told.url, token=told.token, room=told.room)

    guest = Guest(participant, participant, role) if participant else None
    with files_told_in_a_sentence():
        run(port, directory, guest, opened)
