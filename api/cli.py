"""`consent-ledger`: make a log, run it, look after it (docs/operating.md).

Exit statuses: 0 done; 1 refused, the sentence on standard error says why; 2 wrong usage; 3 the check found a defect.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from api.settings import Settings
from ledger.errors import LedgerError

app = typer.Typer(
    help="The consent ledger. Settings are environment variables; docs/operating.md lists them.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
participants = typer.Typer(help="Participants and their keys, on the database directly.", no_args_is_help=True)
app.add_typer(participants, name="participant")

REFUSED = 1
DEFECT = 3

State = Annotated[Path | None, typer.Option("--state", help="State folder (CONSENT_LEDGER_STATE_DIR).")]


def settings_from(state: Path | None, **given: Any) -> Settings:
    """Settings of the environment, with those given on the command line above them. Exits when they do not fit."""
    chosen = {name: value for name, value in given.items() if value is not None}
    if state is not None:
        chosen["state_dir"] = state
    try:
        return Settings(**chosen)
    except ValidationError as error:
        for problem in error.errors():
            place = ".".join(str(part) for part in problem["loc"])
            fail(f"{place}: {problem['msg']}" if place else problem["msg"].removeprefix("Value error, "))
        raise


def fail(sentence: str, status: int = REFUSED) -> None:
    """Say why, and exit."""
    print(f"consent-ledger: {sentence}", file=sys.stderr)
    raise typer.Exit(status)


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Turn what may go wrong into one sentence and an exit status."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except LedgerError as error:
        fail(error.detail)
    except OSError as error:
        fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        fail(f"the database did not do as asked ({str(cause).splitlines()[0]}); has «consent-ledger migrate» been run?")


@app.command()
def init(
    origin: Annotated[
        str, typer.Option(help="The log's name, for ever: schema-less and URL-like.")
    ] = "ledger.example/1",
    state: State = None,
) -> None:
    """Make keys, tables and the first entry of a new log."""
    from api.bootstrap import initialise
    from api.logs import configure_logging

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        initialise(settings, origin)
        from ledger.assembly import read_signer

        vkey = read_signer(settings.log_key_file).vkey.format()
    print(f"The log {origin} is open. Its verifier key, to be published:\n\n  {vkey}\n")
    print(f"Keys are in {settings.state_dir}: keep copies of log.key and kek apart from the database's backups.")


@app.command()
def migrate(state: State = None) -> None:
    """Bring the database to the newest shape."""
    import migrations
    from api.logs import configure_logging

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        migrations.upgrade(settings.database_url)
    print("The database has the newest shape.")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 lets the system choose.")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes.")] = None,
    state: State = None,
) -> None:
    """Serve the API until told to stop."""
    from api.serving import serve as run

    settings = settings_from(state, host=host, port=port, workers=workers)
    with told_in_a_sentence():
        run(settings)


@participants.command("add")
def participant_add(
    participant: Annotated[str, typer.Argument(help="Participant id, such as bank-a.")],
    role: Annotated[
        list[str], typer.Option(help="holder, recipient, technology-provider, regulator, auditor; repeatable.")
    ],
    name: Annotated[str, typer.Option(help="Its legal name.")],
    state: State = None,
) -> None:
    """Register a participant."""
    _record(state, {"type": "participant.registered", "v": 1, "participant": participant, "name": name,
                    "roles": sorted(set(role))})  # fmt: skip


@participants.command("key")
def participant_key(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    jwk: Annotated[Path, typer.Argument(help="File with the public key, a JWK.")],
    kid: Annotated[str, typer.Option(help="Key id, unique in the log for ever.")],
    alg: Annotated[str, typer.Option(help="EdDSA, ES256 or PS256.")] = "EdDSA",
    use: Annotated[str, typer.Option(help="statement, or client for token requests.")] = "statement",
    state: State = None,
) -> None:
    """Register a public key of a participant."""
    with told_in_a_sentence():
        try:
            public = json.loads(jwk.read_bytes())
        except ValueError:
            return fail(f"{jwk} is not JSON")
    _record(state, {"type": "key.added", "v": 1, "participant": participant, "kid": kid, "alg": alg, "use": use,
                    "jwk": public})  # fmt: skip


@participants.command("revoke-key")
def participant_revoke_key(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    kid: Annotated[str, typer.Argument(help="Key id.")],
    reason: Annotated[str, typer.Option(help="A code, such as compromised or superseded.")] = "superseded",
    state: State = None,
) -> None:
    """Revoke a key: it signs nothing above this entry."""
    _record(state, {"type": "key.revoked", "v": 1, "participant": participant, "kid": kid, "reason": reason})


@participants.command("suspend")
def participant_suspend(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    reason: Annotated[str, typer.Option(help="A code, such as licence-withdrawn.")],
    state: State = None,
) -> None:
    """Suspend a participant: it may only reduce sharing from here on."""
    _record(state, {"type": "participant.suspended", "v": 1, "participant": participant, "reason": reason})


@participants.command("reinstate")
def participant_reinstate(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    reason: Annotated[str, typer.Option(help="A code.")],
    state: State = None,
) -> None:
    """End a suspension."""
    _record(state, {"type": "participant.reinstated", "v": 1, "participant": participant, "reason": reason})


@participants.command("list")
def participant_list(state: State = None) -> None:
    """List participants and their keys."""
    from api.bootstrap import short_lived

    settings = settings_from(state)
    with told_in_a_sentence(), short_lived(settings) as node:
        registry = node.ledger.registry
        for one in sorted(registry.participants.values(), key=lambda one: one.id):
            print(f"{one.id}  {one.name}  [{', '.join(one.roles)}]{'  SUSPENDED' if one.suspended else ''}")
            for key in sorted(registry.keys.values(), key=lambda key: key.added_at):
                if key.participant == one.id:
                    until = "" if key.revoked_at is None else f", revoked at {key.revoked_at}"
                    print(f"    {key.kid}  {key.alg}  {key.use}  added at {key.added_at}{until}")


def _record(state: Path | None, document: dict[str, Any]) -> None:
    from api.bootstrap import short_lived
    from api.logs import configure_logging

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), short_lived(settings) as node:
        [recorded] = node.ledger.record_documents(document)
    print(f"{recorded.act}: entry {recorded.index}")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
