"""`consent-ledger doctor`: what stands around a node, in one look (docs/operating.md, «Checks»)."""

from __future__ import annotations

from dataclasses import asdict

import typer

from api.checking.doctor import diagnose
from api.cli.saying import DEFECT, UNCHECKED, mention, result
from api.cli.shared import State, settings_from
from api.node.logs import configure_logging

doctors = typer.Typer()


@doctors.command("doctor")
def doctor(state: State = None) -> None:
    """Look at files, clock, databases, policy, witnesses and disk, beside servers, and say what to do about each.

    Exit status 3 when something failed, 4 when something could not be looked at."""
    settings = settings_from(state)
    configure_logging("error")
    found = []
    for one in diagnose(settings):
        mention(f"{one.verdict:<12} {one.what}: {one.said}")
        found.append(one)
    result(looks=[asdict(one) for one in found])
    verdicts = {one.verdict for one in found}
    if "failed" in verdicts:
        raise typer.Exit(DEFECT)
    if "not checked" in verdicts:
        raise typer.Exit(UNCHECKED)
