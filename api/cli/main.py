"""`consent-ledger`, the command: which commands there are. Each is loaded when it is called, and `--help` loads none."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group
from typing_extensions import override

from api.cli.saying import INTERRUPTED, read_configuration_from, speak_json
from api.node.version import version as installed_version
from api.server.loading import begin_preloading, load


class CommandPlace(NamedTuple):
    """Where a command is, and what it is for: the first sentence of its own help, which a test compares."""

    module: str
    typer: str
    """The name of its function in the module."""
    help: str
    group: bool = False
    """Whether it is a group: all that the module holds, with commands of its own."""


PLACES: Final[Mapping[str, CommandPlace]] = {
    # the operator's: they work on the database directly
    "init": CommandPlace("api.cli.log", "app", "Make keys, tables and the first entry of a new log."),
    "serve": CommandPlace("api.cli.serving", "servers", "Serve the API until told to stop."),
    "migrate": CommandPlace("api.cli.log", "app", "Upgrade the database schema."),
    "participant": CommandPlace("api.cli.participants", "participants", "Participants and their keys.", group=True),
    "delegation": CommandPlace("api.cli.participants", "delegations", "Who may sign on behalf of whom.", group=True),
    "purpose": CommandPlace("api.cli.participants", "purposes", "What consents for a purpose may ask for.", group=True),
    "ruleset": CommandPlace("api.cli.participants", "rulesets", "The rules that entries are judged by.", group=True),
    "rules": CommandPlace(
        "api.cli.trying", "rules", "Rules that are not in force, tried on what happened.", group=True
    ),
    "freeze": CommandPlace(
        "api.cli.supervision", "freezes", "Freezes of the operator: accesses that are denied for a while.", group=True
    ),
    "hold": CommandPlace(
        "api.cli.supervision", "holds", "Holds: consents whose records must not be erased.", group=True
    ),
    "remit": CommandPlace("api.cli.remits", "remits", "What each regulator is there for, on record.", group=True),
    "config": CommandPlace(
        "api.cli.configuring", "configurations", "Settings in force, and where each comes from.", group=True
    ),
    "key": CommandPlace(
        "api.cli.log_keys", "log_keys", "The log's own key, and the one that takes its place.", group=True
    ),
    "set": CommandPlace("api.cli.sets", "sets", "The set of logs that this one is the head log of.", group=True),
    "kek": CommandPlace("api.cli.keks", "keks", "The key-encryption key of the key store.", group=True),
    "tier": CommandPlace("api.cli.tiers", "tiers", "Old bodies outside the database.", group=True),
    "gateway": CommandPlace("api.cli.gateway", "gateways", "The gateway of outward standards.", group=True),
    "risk": CommandPlace("api.cli.risks", "risks", "Alerts about who reads what.", group=True),
    "report": CommandPlace(
        "api.cli.reports", "reports", "Figures for supervisors that anyone can recompute.", group=True
    ),
    "reconcile": CommandPlace("api.cli.log", "app", "Compare the legs of all accesses that are an hour old."),
    "doctor": CommandPlace("api.cli.doctors", "doctors", "Look at files, clock, databases, policy, witnesses and disk"),
    "check": CommandPlace("api.cli.log", "app", "Hold every row of the database against the entries."),
    "backup": CommandPlace("api.cli.backups", "backups", "Copy the log, then the key store, into a new folder"),
    "restore": CommandPlace("api.cli.backups", "backups", "Put a backup in place, with all servers stopped"),
    "export": CommandPlace("api.cli.exporting", "exports", "Write a bundle of the whole log for an auditor"),
    "publish": CommandPlace("api.cli.publishing", "publications", "Publish checkpoints, tiles and log keys."),
    "chainpoint": CommandPlace(
        "api.cli.exporting", "exports", "Print the proof of one entry in the form of Chainpoint v3."
    ),
    "rebuild-map": CommandPlace("api.cli.log", "app", "Make the completeness map again from the entries."),
    "sign-here": CommandPlace("api.cli.log", "app", "Let this machine sign the log."),
    "trust-clock": CommandPlace("api.cli.log", "app", "Take this machine's present time for the right one."),
    "health": CommandPlace("api.cli.asking", "others", "Ask a server whether it records."),
    "witness": CommandPlace("api.cli.witnesses", "witnesses", "Be a witness for another party's log.", group=True),
    "demo": CommandPlace(
        "api.cli.asking",
        "others",
        "Start a ledger, banks and recipients on this machine, and watch consents live and end.",
    ),
    "sandbox": CommandPlace(
        "api.cli.sandboxes", "sandboxes", "Open sandboxes: logs for trying out, with customers and banks of nobody's."
    ),
    # a participant's: they work over HTTP, with its own keys
    "keys": CommandPlace("api.cli.keys", "keys", "A participant's own keys.", group=True),
    "consent": CommandPlace("api.cli.consents", "consents", "Ask for, give, end and read consents.", group=True),
    "access": CommandPlace(
        "api.cli.accesses",
        "accesses",
        "As recipient: ask to read data, get the ledger's decision, and keep the receipt.",
    ),
    "attestation": CommandPlace(
        "api.cli.partners", "attestations", "Licences, certificates, tests and contacts of participants.", group=True
    ),
    "case": CommandPlace("api.cli.cases", "cases", "Cases that one authority hands to another.", group=True),
    "datamap": CommandPlace(
        "api.cli.datamaps",
        "datamaps",
        "Which fields a holder gives out: by what permission, how grave, how masked.",
        group=True,
    ),
    "history": CommandPlace(
        "api.cli.histories",
        "histories",
        "History from before the log, attested by a holder and decided by nobody here.",
        group=True,
    ),
    "partner": CommandPlace(
        "api.cli.joining", "joining", "Coming in by an invitation, changing keys, stopping.", group=True
    ),
    "tariff": CommandPlace("api.cli.partners", "tariffs", "What releases cost, signed by both sides.", group=True),
    "usage": CommandPlace(
        "api.cli.partners", "usages", "What a month of releases comes to, signed by both sides.", group=True
    ),
    "receipt": CommandPlace("api.cli.receipts", "receipts", "Read and verify receipts.", group=True),
    "follow": CommandPlace(
        "api.cli.following", "following", "Follow the log: each checkpoint must continue all before it."
    ),
    "version": CommandPlace("api.cli.about", "about", "Say which version this is."),
}


class LazyCommands(TyperGroup):
    """The commands of the table, in its order: name and help only, since whatever runs a command resolves it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {
            name: TyperCommand(name=name, help=place.help, rich_markup_mode=None) for name, place in PLACES.items()
        }

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, loaded(str(name)), rest


def loaded(name: str) -> Any:
    """The command or the group of this name, whole."""
    place = PLACES[name]
    module = sys.modules.get(place.module) or load(place.module)
    held: typer.Typer = getattr(module, place.typer)
    held.rich_markup_mode = None  # plain text, the same in a terminal and in a pipe
    group = get_group(held)
    command: Any = group if place.group else group.commands[name]
    command.name = name
    _let_speak_json(command)
    return command


def _let_speak_json(command: Any) -> None:
    """Every command can give its result as JSON."""
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            _let_speak_json(each)
    else:
        command.params += get_command(_template).params[:1]


_template = typer.Typer(add_completion=False, rich_markup_mode=None)


@_template.command()
def _speaking(
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One object on a line, for programs.", callback=speak_json, expose_value=False),
    ] = False,
) -> None:
    """What `--json` is, for all commands."""


app = typer.Typer(
    cls=LazyCommands,
    help="The consent ledger: every consent, revocation and data access, provable.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(installed_version())
        raise typer.Exit


@app.callback()
def consent_ledger(
    *,
    version: Annotated[  # noqa: ARG001  (its callback tells it)
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which version this is.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings (CONSENT_LEDGER_CONFIG).")] = None,
) -> None:
    """The consent ledger: every consent, revocation and data access, provable."""
    read_configuration_from(config)


def main() -> None:
    """Run the command line."""
    if _serves_with_several(sys.argv[1:], os.environ):
        begin_preloading()  # on another core, while this process loads the same
    try:
        app(prog_name="consent-ledger")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _serves_with_several(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether a node of several processes is about to be started. A guess that is wrong costs time, and nothing else."""
    asked = any(argument.startswith("--workers") for argument in arguments) or "CONSENT_LEDGER_WORKERS" in environment
    return arguments[:1] == ["serve"] and asked


if __name__ == "__main__":
    main()
