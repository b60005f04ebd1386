"""`consent-ledger set …`: the set of logs that this one is the head log of (docs/sets.md)."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.saying import fail, say
from api.cli.shared import State, node_of, reader_of, say_entry, settings_from, told_in_a_sentence
from api.node.logs import configure_logging
from api.sets.addresses import read_addresses, write_address
from api.sets.committing import HeadCommitter
from ledger.canonical import b64u
from ledger.documents import document_of
from ledger.notes.keys import parse_vkey
from ledger.set_documents import HolderPlaced, ShardAdded

sets = typer.Typer(help="The set of logs that this one is the head log of.", no_args_is_help=True)

Origin = Annotated[str, typer.Argument(help="Origin of the shard, the name of its log.")]


@sets.command("add")
def add(
    vkey: Annotated[str, typer.Argument(help="Verifier key of the shard's log, as «consent-ledger init» printed it.")],
    address: Annotated[str, typer.Argument(help="Where the shard answers: https://…, or http:// on this machine.")],
    state: State = None,
) -> None:
    """Add a log to the set, or say where one of the set answers now. Safe beside servers, which read the address anew."""
    settings = settings_from(state)
    with node_of(state) as node:
        shard = parse_vkey(vkey)
        known = node.ledger.registry.shards.shards.get(shard.name)
        if known is not None and known.vkey != shard:
            fail(f"{shard.name} is in the set with another key, {known.vkey.format()}, which leads to its later ones")
        write_address(settings.set_file, shard.name, address)
        if known is not None:
            say(f"{shard.name} answers at {address} now", origin=shard.name, address=address)
            return
        document = document_of(ShardAdded, origin=shard.name, key=b64u(shard.public_key))
        say_entry(node.ledger.record_documents(document)[0])


@sets.command("place")
def place(
    holder: Annotated[str, typer.Argument(help="Participant id of the holder.")], origin: Origin, state: State = None
) -> None:
    """Say in which shard a holder lives, for ever: before it is registered there, and in no other. Safe beside servers."""
    with node_of(state) as node:
        document = document_of(HolderPlaced, holder=holder, origin=origin)
        say_entry(node.ledger.record_documents(document)[0])


@sets.command("commit")
def commit(state: State = None) -> None:
    """Ask all shards for their heads once, and commit to what has grown; a server does so each second. Ends with 1 if a shard
    gave no head that can be committed. Safe beside servers."""
    settings = settings_from(state)
    with node_of(state) as node:
        committer = HeadCommitter(node.ledger, settings.set_file, settings.state_dir)
        recorded = committer.turn()
    for one in recorded:
        say_entry(one)
    if committer.errors:
        fail("; ".join(f"{origin}: {said}" for origin, said in sorted(committer.errors.items())))
    if not recorded:
        say("no shard has grown", entries=[])


@sets.command("show")
def show(state: State = None) -> None:
    """The shards, what is committed of each, and the holders that live there. Safe beside servers."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        addresses = read_addresses(settings.set_file)
    with reader_of(state) as node:
        known = node.ledger.registry_now().shards
    rows, lines = [], []
    for shard in known.shards.values():
        living = sorted(holder for holder, home in known.holders.items() if home.origin == shard.origin)
        head = shard.head
        rows.append(
            {
                "address": addresses.get(shard.origin),
                "committed_size": head and head.size,
                "holders": living,
                "origin": shard.origin,
                "verifier_key": shard.vkey.format(),
            }
        )
        told = "nothing is committed yet" if head is None else f"{head.size} entries are committed (entry {head.index})"
        lines.append(f"{shard.origin}: {told}; holders: {', '.join(living) or 'none'}")
    say("\n".join(lines) or "This log is the head log of no set.", shards=rows)
