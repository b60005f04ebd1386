"""`consent-ledger export`, `chainpoint`: what leaves the log for auditors and for other tools."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from api.cli.packs import Selection, issue_pack
from api.cli.packs import chainpoint as chainpoint_of
from api.cli.saying import fail, say, warn
from api.cli.shared import State, node_of, progress_bar, reader_of, settings_from, told_in_a_sentence
from api.node.building import opened, short_lived
from api.node.logs import configure_logging
from api.node.opening import EvidenceOpening, put_on_record
from api.node.settings import Settings
from api.office.facts import request_texts
from ledger.bundle import DirectoryTarget, Disclose, Target, ZipTarget, create_private, export_bundle
from ledger.errors import Corrupt, Unavailable

exports = typer.Typer()


@exports.command()
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
    requests: Annotated[
        bool,
        typer.Option("--requests", help="With the texts of requests over outward standards, which may name people."),
    ] = False,
    state: State = None,
) -> None:
    """Write a bundle of the whole log for an auditor (consent-verify bundle), with evidence for a --reason that the log
    records, or --evidence none; or, with --customer, --participant, --period or
    --all, an evidence pack, of which each item can be withheld and which the log records (consent-verify pack)."""

    disclose = _disclose(evidence)
    settings = settings_from(state)
    configure_logging("warning")
    if requests and (disclose.level == "none" or customer or participant or period or everything):
        raise typer.BadParameter("texts of requests go with the evidence of a bundle", param_hint="--requests")
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
        say(
            f"{target}: {issued.items} items, recorded in entry {issued.index}{second}",
            index=issued.index,
            items=issued.items,
            target=str(target),
        )
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
                ledger.vkeys,
                writer,
                disclose=disclose,
                policy=policy,
                head=head,
                progress=progress,
                models=node.models.read,
                requests=request_texts if requests else None,
            )
    say(f"{target}: {size} entries", entries=size, target=str(target))


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
        warn(f"evidence is opened OFF THE RECORD: {error.detail}")
        return None
    print(f"{recorded.act}: entry {recorded.index}", file=sys.stderr)
    return recorded.index + 1, recorded.checkpoint


def _target(target: Path, stack: ExitStack) -> Target:
    """Where to write: a zip if the name says so, else a new folder."""
    if target.suffix == ".zip":
        return ZipTarget(stack.enter_context(create_private(target)))
    return DirectoryTarget(target)


def _disclose(evidence: str) -> Disclose:
    """What to open, as the command line says. Exits when it says neither."""
    match evidence.split("-"):
        case ["full"]:
            return Disclose.full()
        case ["none"]:
            return Disclose.none()
        case [first, last] if first.isdecimal() and last.isdecimal() and int(first) <= int(last):
            return Disclose.between(int(first), int(last))
        case _:
            raise typer.BadParameter("say full, none, or FROM-TO", param_hint="--evidence")


@exports.command()
def chainpoint(
    index: Annotated[int, typer.Argument(min=0, help="Index of the entry.")],
    state: State = None,
) -> None:
    """Print the proof of one entry in the form of Chainpoint v3, for tools that read that."""
    with reader_of(state) as node:
        proof = chainpoint_of(node.ledger, index).decode()
    say(proof, **json.loads(proof))
