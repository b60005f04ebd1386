"""The log itself: made, upgraded, checked, and trusted again after something went wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

import migrations
from api.checking import examine
from api.cli.saying import DEFECT, UNCHECKED, fail, mention, result, say
from api.cli.shared import State, node_of, progress_bar, reader_of, settings_from, told_in_a_sentence
from api.node.building import opened
from api.node.founding import KeyPlaces, initialise, make_all_keys, make_event_key, restrict
from api.node.logs import configure_logging
from api.node.signing_place import sign_here
from ledger.clock import SystemClock
from ledger.custody.log_key import read_signer
from ledger.sequencer.watch import ClockWatch
from ledger.storage.chainmap import rebuild_map
from ledger.storage.reseal import reseal

app = typer.Typer()

PLACE: Final = "a URI such as pkcs11:…. Default: its file."


@app.command()
def init(
    origin: Annotated[
        str, typer.Option(help="The log's name, for ever: schema-less and URL-like.")
    ] = "ledger.example/1",
    log_key: Annotated[str, typer.Option(help=f"Where the log key is kept, {PLACE}")] = "",
    kek: Annotated[str, typer.Option(help=f"Where the key-encryption key is kept, {PLACE}")] = "",
    token_key: Annotated[str, typer.Option(help=f"Where the key of access tokens is kept, {PLACE}")] = "",
    event_key: Annotated[str, typer.Option(help=f"Where the key of event tokens is kept, {PLACE}")] = "",
    *,
    keys_only: Annotated[
        bool, typer.Option("--keys-only", help="Make the keys, and open the log elsewhere: no database is asked.")
    ] = False,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Open the log with the keys that are here, as --keys-only made them.")
    ] = False,
    state: State = None,
) -> None:
    """Make keys, tables and the first entry of a new log."""

    settings = settings_from(state)
    configure_logging("warning")
    places = KeyPlaces(log_key, kek, token_key, event_key)
    if with_keys and (keys_only or places != KeyPlaces()):
        fail("--with-keys takes the keys that are here: it makes none, only or anywhere")
    with told_in_a_sentence():
        if keys_only:
            make_all_keys(settings, origin, places)
        else:
            initialise(settings, origin, places, with_keys=with_keys)
        vkey = read_signer(settings.log_key_file).vkey.format()
    say(
        f"The log {origin} is {'yet to be opened' if keys_only else 'open'}. Its verifier key, to be published:\n\n  {vkey}\n\n"
        f"Keys are in {settings.state_dir}: keep copies of log.key and kek apart from the database's backups.",
        origin=origin,
        state_dir=str(settings.state_dir),
        verifier_key=vkey,
    )


@app.command()
def migrate(
    role: Annotated[
        str | None,
        typer.Option(help="PostgreSQL: the role that the service logs in as; it may append to the log and no more."),
    ] = None,
    state: State = None,
) -> None:
    """Upgrade the database schema; with --role, as its owner, also grant the service's role what it needs."""

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        read_signer(settings.log_key_file)  # a mistyped folder, which has no log, gets no files
        migrations.upgrade(settings.database_url)
        make_event_key(settings)
        with progress_bar("completeness map") as progress:
            rebuild_map(settings.database_url, afresh=False, progress=progress)
        with opened(settings) as node, progress_bar("states of consents") as progress:
            reseal(node.ledger.store, node.ledger.keystore, progress)
        if role is not None:
            restrict(settings, role)
    restricted = "" if role is None else f"\nThe role {role} may append to the log and no more."
    say(f"The database schema is up to date.{restricted}", role=role)


@app.command("rebuild-map")
def rebuild_map_command(state: State = None) -> None:
    """Make the completeness map again from the entries, when a node or a check refuses it. Stop the servers first."""

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), progress_bar("completeness map") as progress:
        read_signer(settings.log_key_file)
        migrations.refuse_other_versions(settings.database_url)
        size = rebuild_map(settings.database_url, progress=progress)
    say(f"The completeness map covers {size} entries.", size=size)


@app.command("sign-here")
def sign_here_command(
    *,
    newest: Annotated[
        bool,
        typer.Option(
            "--this-is-the-newest-copy", help="No newer copy of this log exists, and nobody signs from another."
        ),
    ] = False,
    state: State = None,
) -> None:
    """Let this machine sign the log, which it has not signed before, or no longer knows that it has.

    A second history is provable for ever: compare the checkpoint that is shown with one that a participant or witness holds."""
    with reader_of(state) as node:
        note = node.ledger.tree.checkpoint()
        if not newest:
            fail(
                f"the newest checkpoint here is\n\n{note}\nIf no newer one exists, say it with --this-is-the-newest-copy"
            )
        sign_here(node.settings, note)
    say(f"This machine signs from here on:\n\n{note}", checkpoint=note)


@app.command("trust-clock")
def trust_clock(
    *,
    right: Annotated[
        bool, typer.Option("--this-time-is-right", help="You have compared it with another clock.")
    ] = False,
    state: State = None,
) -> None:
    """Take this machine's present time for the right one, after its clock was set forward and the node pauses.

    Whatever is recorded from here on carries it, and the log's time never runs back."""

    settings = settings_from(state)
    now = SystemClock().now()
    shown = f"{datetime.fromtimestamp(now / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if not right:
        fail(f"this machine says that it is {shown}. If another clock says so too, say it with --this-time-is-right")
    with told_in_a_sentence():
        read_signer(settings.log_key_file)
        settings.highwater_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        ClockWatch(settings.highwater_dir / "clock").trust(now)
    say(f"{shown} is taken for the right time.", time=now)


@app.command()
def check(state: State = None) -> None:
    """Hold every row of the database against the entries, and the entries against what was signed. Safe beside servers."""
    with reader_of(state, examine=True) as node, progress_bar("entries") as progress:
        went_back = node.went_back
        witnesses = tuple(witness.vkey for witness in node.policy.witnesses)
        found = examine(node.ledger.store, node.ledger.keystore, node.ledger.vkeys, progress, witnesses)
    for defect in found.defects:
        mention(defect)
    for lacking in found.unchecked:
        mention(f"not checked: {lacking}")
    if went_back is not None:
        mention(f"database: {went_back}")
    result(
        consents=found.consents,
        defect_count=found.count,
        defects=list(found.defects),
        entries=found.size,
        erased=found.erased,
        opened=found.opened,
        unchecked=list(found.unchecked),
        went_back=went_back,
    )
    if found.count:
        more = found.count - len(found.defects)
        fail(f"{found.count} defects in {found.size} entries" + (f", {more} of them not shown" if more else ""), DEFECT)
    if went_back is not None:
        fail("the entries are as they were signed, and the newest of them are missing", DEFECT)
    if found.unchecked_count:
        fail(f"no defect was found, and {found.unchecked_count} checks could not be made", UNCHECKED)
    mention(
        f"{found.size} entries are as they were signed; {found.opened} bodies opened, {found.erased} erased; "
        f"{found.consents} consents are what their entries lead to."
    )


@app.command()
def reconcile(state: State = None) -> None:
    """Compare the legs of all accesses that are an hour old, and record the report now."""
    with node_of(state) as node:
        recorded = node.ledger.reconcile()
        said = json.loads(recorded.leaf)["document"]
    say(
        f"{recorded.act}: entry {recorded.index}; {said['accesses']} accesses among the entries {said['from_index']} to "
        f"{said['to_index']}, {said['findings']} findings",
        document=said,
        index=recorded.index,
    )
