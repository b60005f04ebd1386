"""`consent-ledger backup`, `restore` (docs/operating.md, «Backup and restore»)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.saying import mention, say
from api.cli.shared import State, settings_from, told_in_a_sentence
from api.node.backups import back_up, restore
from api.node.logs import configure_logging

backups = typer.Typer()


@backups.command("backup")
def backup_command(
    folder: Annotated[Path, typer.Argument(help="New folder for the copies of the log and of the key store.")],
    state: State = None,
) -> None:
    """Copy the log, then the key store, into a new folder; safe beside servers. The KEK is never in it."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        manifest = back_up(settings, folder)
    size = int(manifest.checkpoint.split("\n")[1])
    say(
        f"{folder}: at least the first {size} entries of {manifest.origin}, and their keys. Keep it apart from the KEK, and "
        f"the key store's copy ({folder / 'keys'}) for a short time only: it brings back what is erased later.",
        checkpoint=manifest.checkpoint,
        files=manifest.files,
        folder=str(folder),
        origin=manifest.origin,
        size=size,
    )


@backups.command("restore")
def restore_command(
    folder: Annotated[Path, typer.Argument(help="A backup's folder.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Set databases that are there aside (SQLite), under other names.")
    ] = False,
    although_older: Annotated[
        bool,
        typer.Option("--although-older", help="This machine has signed more: it may then be read, not continued."),
    ] = False,
    state: State = None,
) -> None:
    """Put a backup in place, with all servers stopped, after looking at its files, its age and whose log it is."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        done = restore(settings, folder, replace=replace, although_older=although_older, told=mention)
    if done.newest_here:
        then = "Nothing newer was signed here."
    elif although_older:
        then = "This machine has signed more: no node continues from it (docs/operating.md, «Rollback»)."
    else:
        then = "What was signed before is not known here: «consent-ledger sign-here» shows what to compare."
    say(
        f"{done.size} entries are back; the keys of {done.erased} erased chains are destroyed. {then} Now run "
        "«consent-ledger check».",
        entries=done.size,
        erased=done.erased,
        may_go_on=done.newest_here,
    )
