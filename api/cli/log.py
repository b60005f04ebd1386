"""`consent-ledger`: make a log, run it, look after it (docs/operating.md).

Exit statuses: 0 done; 1 refused, the sentence on standard error says why; 2 wrong usage; 3 the check found a defect.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx2
import typer

import migrations
from api.checking import examine
from api.cli.gateway import gateways
from api.cli.packs import Selection, issue_pack
from api.cli.packs import chainpoint as chainpoint_of
from api.cli.participants import delegations, participants, purposes, rulesets
from api.cli.publishing import publish
from api.cli.shared import (
    DEFECT,
    UNCHECKED,
    State,
    fail,
    node_of,
    progress_bar,
    reader_of,
    settings_from,
    told_in_a_sentence,
)
from api.node.building import initialise, make_event_key, opened, restrict, short_lived
from api.node.logs import configure_logging
from api.node.opening import EvidenceOpening, put_on_record
from api.node.settings import Settings
from api.node.signing_place import sign_here
from api.node.version import version as installed_version
from api.server.serving import serve as run_server
from api.witness.running import make_witness, serve_witness
from ledger.assembly import read_signer
from ledger.bundle import DirectoryTarget, Disclose, Target, ZipTarget, create_private, export_bundle
from ledger.clock import SystemClock
from ledger.errors import Corrupt, Unavailable
from ledger.sequencer.watch import ClockWatch
from ledger.storage.chainmap import rebuild_map
from ledger.storage.reseal import reseal

app = typer.Typer(
    help="The consent ledger. Settings are environment variables; docs/operating.md lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(participants, name="participant")
witnesses = typer.Typer(help="Be a witness for another party's log (docs/witnesses.md).", no_args_is_help=True)
app.add_typer(witnesses, name="witness")
app.add_typer(delegations, name="delegation")
app.add_typer(purposes, name="purpose")
app.add_typer(rulesets, name="ruleset")
app.add_typer(gateways, name="gateway")
app.command()(publish)


@app.command()
def init(
    origin: Annotated[
        str, typer.Option(help="The log's name, for ever: schema-less and URL-like.")
    ] = "ledger.example/1",
    state: State = None,
) -> None:
    """Make keys, tables and the first entry of a new log."""

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        initialise(settings, origin)
        vkey = read_signer(settings.log_key_file).vkey.format()
    print(f"The log {origin} is open. Its verifier key, to be published:\n\n  {vkey}\n")
    print(f"Keys are in {settings.state_dir}: keep copies of log.key and kek apart from the database's backups.")


@app.command()
def migrate(
    role: Annotated[
        str | None,
        typer.Option(help="PostgreSQL: the role that the service logs in as; it may append to the log and no more."),
    ] = None,
    state: State = None,
) -> None:
    """Bring the database to the newest shape; with --role, as its owner, also leave the service's role what it needs."""

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        migrations.upgrade(settings.database_url)
        make_event_key(settings)
        with progress_bar("completeness map") as progress:
            rebuild_map(settings.database_url, afresh=False, progress=progress)
        with opened(settings) as node, progress_bar("states of consents") as progress:
            reseal(node.ledger.store, node.ledger.keystore, progress)
        if role is not None:
            restrict(settings, role)
    print("The database has the newest shape.")
    if role is not None:
        print(f"The role {role} may append to the log and no more.")


@app.command("rebuild-map")
def rebuild_map_command(state: State = None) -> None:
    """Make the completeness map again from the entries, when a node or a check refuses it. Stop the servers first."""

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), progress_bar("completeness map") as progress:
        migrations.refuse_other_versions(settings.database_url)
        size = rebuild_map(settings.database_url, progress=progress)
    print(f"The completeness map covers {size} entries.")


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
    print(f"This machine signs from here on:\n\n{note}")


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
    settings.highwater_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    ClockWatch(settings.highwater_dir / "clock").trust(now)
    print(f"{shown} is taken for the right time.")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 lets the system choose.")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes.")] = None,
    state: State = None,
) -> None:
    """Serve the API until told to stop."""

    settings = settings_from(state, host=host, port=port, workers=workers)
    with told_in_a_sentence():
        run_server(settings)


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="A new folder, or a file that ends in .zip.")],
    evidence: Annotated[str, typer.Option(help="full, none, or FROM-TO (indexes, both included).")] = "full",
    reason: Annotated[
        str | None, typer.Option(help="Why evidence is opened, a code such as audit-2026; recorded.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who opens it, a code of your own; recorded.")] = "operator",
    customer: Annotated[str | None, typer.Option(help="A pack of one customer: HOLDER:REFERENCE.")] = None,
    participant: Annotated[str | None, typer.Option(help="A pack of one participant.")] = None,
    period: Annotated[str | None, typer.Option(help="A pack of one period: FROM..TO, TO not included, UTC.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="A pack of every entry.")] = False,
    witnessed: Annotated[
        bool, typer.Option("--witnessed", help="As of the newest checkpoint that witnesses cosigned.")
    ] = False,
    unrecorded: Annotated[
        bool, typer.Option("--unrecorded", help="Open evidence of a log that no node may continue, off the record.")
    ] = False,
    state: State = None,
) -> None:
    """Write a bundle of the whole log for an auditor (consent-verify bundle), with evidence for a --reason that the log
    records, or --evidence none; or, with --customer, --participant, --period or
    --all, an evidence pack, of which each item can be withheld and which the log records (consent-verify pack)."""

    disclose = _disclose(evidence)
    settings = settings_from(state)
    configure_logging("warning")
    if selection := Selection(customer, participant, period, everything):
        if disclose.level == "partial":
            raise typer.BadParameter(
                "of a pack say full or none; items are withheld by not handing them on", param_hint="--evidence"
            )
        with node_of(state) as node, ExitStack() as stack:
            issued = issue_pack(
                node.ledger, selection, lambda: _target(target, stack), disclose=disclose.level == "full"
            )
        second = "" if issued.compared else "; its tree was not built a second time: merkletools is not installed"
        print(f"{target}: {issued.items} items, recorded in entry {issued.index}{second}")
        return
    if disclose.level != "none" and reason is None:
        fail("evidence is opened for a reason, which the log records: say --reason CODE, or --evidence none")
    with told_in_a_sentence(), ExitStack() as stack:
        if target.is_file() or (target.is_dir() and any(target.iterdir())):
            fail(f"{target} is there already: an export is written to a new place")
        note = None if reason is None else _on_record(settings, by, reason, disclose, unrecorded=unrecorded)
        writer = _target(target, stack)
        node = stack.enter_context(opened(settings))
        policy = None if settings.policy_file is None else settings.policy_file.read_bytes()
        ledger = node.ledger
        head = node.witnessed.checkpoint() if witnessed else note
        with progress_bar("evidence") as progress:
            size = export_bundle(
                ledger.store,
                ledger.keystore,
                ledger.vkey,
                writer,
                disclose=disclose,
                policy=policy,
                head=head,
                progress=progress,
            )
    print(f"{target}: {size} entries")


def _on_record(
    settings: Settings, by: str, reason: str, disclose: Disclose, *, unrecorded: bool
) -> tuple[int, str] | None:
    """Record that evidence is opened; (size, checkpoint) of the log that ends with the record.

    None when nothing is opened, or when no node may write this log and `unrecorded` says that it is opened all the same.
    """
    if disclose.level == "none":
        return None
    try:
        with short_lived(settings) as node:
            recorded = put_on_record(node.ledger, EvidenceOpening(by, reason, disclose.first, disclose.last))
    except (Corrupt, Unavailable) as error:
        if not unrecorded:
            fail(
                f"that evidence is opened cannot be recorded, so none is: {error.detail}. --unrecorded opens it all the same"
            )
        print(f"warning: evidence is opened OFF THE RECORD: {error.detail}", file=sys.stderr)
        return None
    print(f"{recorded.act}: entry {recorded.index}", file=sys.stderr)
    return recorded.index + 1, recorded.checkpoint


def _target(target: Path, stack: ExitStack) -> Target:
    """Where to write: a zip if the name says so, else a new folder."""
    if target.suffix == ".zip":
        return ZipTarget(stack.enter_context(create_private(target)))
    return DirectoryTarget(target)


def _disclose(evidence: str) -> Disclose:
    """What to open, from the command line's word. Exits when it is none."""
    match evidence.split("-"):
        case ["full"]:
            return Disclose.full()
        case ["none"]:
            return Disclose.none()
        case [first, last] if first.isdecimal() and last.isdecimal() and int(first) <= int(last):
            return Disclose.between(int(first), int(last))
        case _:
            raise typer.BadParameter("say full, none, or FROM-TO", param_hint="--evidence")


@app.command()
def chainpoint(
    index: Annotated[int, typer.Argument(min=0, help="Index of the entry.")],
    state: State = None,
) -> None:
    """Print the proof of one entry in the form of Chainpoint v3, for tools that read that."""
    with reader_of(state) as node:
        print(chainpoint_of(node.ledger, index).decode())


@app.command()
def check(state: State = None) -> None:
    """Hold every row of the database against the entries, and the entries against what was signed. Safe beside servers."""
    with reader_of(state, examine=True) as node, progress_bar("entries") as progress:
        went_back = node.went_back
        witnesses = tuple(witness.vkey for witness in node.policy.witnesses)
        found = examine(node.ledger.store, node.ledger.keystore, node.ledger.vkey, progress, witnesses)
    for defect in found.defects:
        print(defect)
    for lacking in found.unchecked:
        print(f"not checked: {lacking}")
    if went_back is not None:
        print(f"database: {went_back}")
    if found.count:
        more = found.count - len(found.defects)
        fail(f"{found.count} defects in {found.size} entries" + (f", {more} of them not shown" if more else ""), DEFECT)
    if went_back is not None:
        fail("the entries are as they were signed, and the newest of them are missing", DEFECT)
    if found.unchecked_count:
        fail(f"no defect was found, and {found.unchecked_count} checks could not be made", UNCHECKED)
    print(
        f"{found.size} entries are as they were signed; {found.opened} bodies opened, {found.erased} erased; "
        f"{found.consents} consents are what their entries lead to."
    )


@app.command()
def reconcile(state: State = None) -> None:
    """Compare the legs of all accesses that are an hour old, and record the report now (docs/spec/reconciliation.md)."""
    with node_of(state) as node:
        recorded = node.ledger.reconcile()
        said = json.loads(recorded.leaf)["document"]
    print(
        f"{recorded.act}: entry {recorded.index}; {said['accesses']} accesses among the entries {said['from_index']} to "
        f"{said['to_index']}, {said['findings']} findings"
    )


@app.command()
def health(
    url: Annotated[str, typer.Option(help="Base address of the server.")] = "http://127.0.0.1:8000",
) -> None:
    """Ask a server whether it records; 0 if it does. For container health checks."""
    try:
        answer = httpx2.get(f"{url.rstrip('/')}/health/ready", timeout=3.0, trust_env=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        fail(f"{url} does not answer ({type(error).__name__})")
    if answer.status_code != 200:
        fail(f"{url} is not ready: {answer.text[:300]}")
    print("ready")


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the closing table.")] = False,
    customers: Annotated[int, typer.Option(min=1, help="How many customers consent.")] = 200,
    directory: Annotated[Path | None, typer.Option(help="Keep everything in this new folder.")] = None,
) -> None:
    """Start a ledger, banks and recipients on this machine, and watch consents live and end."""
    from api.demo import run  # noqa: PLC0415  (it brings much that no server needs)

    with told_in_a_sentence():
        status = run(once=once, customers=customers, directory=directory)
    raise typer.Exit(status)


@app.command()
def version() -> None:
    """Say which version this is."""
    print(installed_version())


@witnesses.command("init")
def witness_init(
    folder: Annotated[Path, typer.Argument(help="New folder for the witness's key and memory.")],
    name: Annotated[str, typer.Option(help="Its name, such as witness.regulator.example.")],
) -> None:
    """Make a witness's key."""
    with told_in_a_sentence():
        vkey = make_witness(folder, name)
    print(f"The verifier key of this witness, for the logs and for their auditors:\n\n  {vkey.format()}")


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
