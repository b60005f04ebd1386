"""`consent-ledger key …`: the log's own key, and the one that takes its place (docs/operating.md, «Changing the log key»)."""

from __future__ import annotations

from typing import Annotated

import typer

import migrations
from api.cli.saying import say
from api.cli.shared import State, node_of, reader_of, settings_from, told_in_a_sentence
from api.node.log_keys import begin_overlap, declare_compromised, end_overlap, put_in_place
from api.node.logs import configure_logging
from ledger.custody.log_key import make_log_key, next_key_file, read_signer
from ledger.notes.keys import parse_vkey

log_keys = typer.Typer(help="The log's own key, and the one that takes its place.", no_args_is_help=True)

Place = Annotated[str, typer.Option("--to", help="Where the new key is kept: a URI such as pkcs11:…. Default: a file.")]


@log_keys.command("new")
def key_new(to: Place = "", state: State = None) -> None:
    """Make the key that is to take the log key's place, beside it. Nothing signs with it yet."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        origin = read_signer(settings.log_key_file).vkey.name
        migrations.refuse_other_versions(settings.database_url)
        file = next_key_file(settings.log_key_file)
        vkey = make_log_key(file, origin, to).format()
    say(
        f"{file} is the next log key. Copy it to every machine of this log, then «consent-ledger key rotate».\n"
        f"Its verifier key, for the policies of everybody who verifies this log:\n\n  {vkey}",
        key_file=str(file),
        verifier_key=vkey,
    )


@log_keys.command("rotate")
def key_rotate(
    *,
    new: Annotated[
        bool, typer.Option("--new", help="Make the new key first, if there is none beside the log key.")
    ] = False,
    to: Place = "",
    state: State = None,
) -> None:
    """Sign every checkpoint with the new key too, from here on. Safe beside servers that have it."""
    settings = settings_from(state)
    with told_in_a_sentence():
        migrations.refuse_other_versions(settings.database_url)  # before a key is made for it
        file = next_key_file(settings.log_key_file)
        if new and not file.exists():
            make_log_key(file, read_signer(settings.log_key_file).vkey.name, to)
    with node_of(state) as node:
        recorded = begin_overlap(node.ledger, settings.log_key_file)
        vkeys = [vkey.format() for vkey in node.ledger.vkeys]
    say(
        f"Entry {recorded.index}: every checkpoint above it is signed by both keys:\n\n  "
        + "\n  ".join(vkeys[:2])
        + "\n\n"
        "Have both in the policies of everybody who verifies this log, witnesses first; then «consent-ledger key retire».",
        index=recorded.index,
        verifier_keys=vkeys,
    )


@log_keys.command("retire")
def key_retire(
    *,
    newer: Annotated[bool, typer.Option("--newer", help="End the newer key: the exchange is taken back.")] = False,
    state: State = None,
) -> None:
    """End the older key: it signs nothing more. Safe beside servers; repeated on each other machine, it moves the files."""
    settings = settings_from(state)
    with node_of(state) as node:
        ended = put_in_place(node.ledger, settings.log_key_file)
        if ended is None:
            recorded, vkey = end_overlap(node.ledger, node.ledger.vkeys[0] if newer else None)
            said = f"Entry {recorded.index}: {vkey.format()} signs nothing above it."
            ended = put_in_place(node.ledger, settings.log_key_file)
        else:
            said = "The log has ended that key before."
        left = node.ledger.vkey.format()
    moved = f"\n{ended} holds the ended key: keep it nowhere, destroy it and all copies." if ended else ""
    say(f"{said} The log's key is\n\n  {left}\n{moved}", ended_key_file=ended and str(ended), verifier_key=left)


@log_keys.command("compromised")
def key_compromised(
    vkey: Annotated[str, typer.Argument(help="Verifier key of the log with which somebody else may have signed.")],
    from_size: Annotated[int, typer.Option(help="First size of a checkpoint that may not be the operator's.", min=0)],
    reason: Annotated[str, typer.Option(help="A code, such as key-stolen.")] = "key-stolen",
    state: State = None,
) -> None:
    """Put on record that somebody else may have signed with a log key; if it is in force, it ends."""
    settings = settings_from(state)
    with node_of(state) as node:
        recorded = declare_compromised(node.ledger, parse_vkey(vkey), from_size, reason)
        ended = put_in_place(node.ledger, settings.log_key_file)
        left = node.ledger.vkey.format()
    say(
        f"Entry {recorded.index}: what {vkey} signed of sizes from {from_size} on counts under a quorum of witnesses only.\n"
        f"The log's key is\n\n  {left}\n\nTell everybody who verifies this log, by another way than this log.",
        ended_key_file=ended and str(ended),
        index=recorded.index,
        verifier_key=left,
    )


@log_keys.command("show")
def key_show(state: State = None) -> None:
    """The log's keys, and the sizes of checkpoints that each may sign. Safe beside servers."""
    with reader_of(state) as node:
        named = node.ledger.log_keys.known
        rows = [
            {
                "compromised_from_size": one.compromised,
                "valid_from_size": one.first,
                "valid_to_size": one.last,
                "verifier_key": vkey.format(),
            }
            for vkey, one in (
                (vkey, known) for vkey in node.ledger.vkeys for known in named if known.key == vkey.public_key
            )
        ] or [{"valid_from_size": 0, "valid_to_size": None, "verifier_key": node.ledger.vkey.format()}]
    lines = [
        f"{row['verifier_key']}  sizes {row['valid_from_size']} to "
        + ("now" if row["valid_to_size"] is None else str(row["valid_to_size"]))
        + (f", compromised from {found} on" if (found := row.get("compromised_from_size")) is not None else "")
        for row in rows
    ]
    say("\n".join(lines), keys=rows)
