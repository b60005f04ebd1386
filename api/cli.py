"""`consent-ledger`: make a log, run it, look after it (docs/operating.md).

Exit statuses: 0 done; 1 refused, the sentence on standard error says why; 2 wrong usage; 3 the check found a defect.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress
from sqlalchemy.exc import SQLAlchemyError

import migrations
from api.bootstrap import initialise, make_event_key, opened, short_lived
from api.checking import examine
from api.events.addresses import read_endpoint
from api.logs import configure_logging
from api.serving import serve as run_server
from api.settings import Settings
from api.standards.gateway import HOLDER_ACTS, RECIPIENT_ACTS, delegate, make_gateway
from api.version import version as installed_version
from api.witness.running import make_witness, serve_witness
from ledger.assembly import read_signer
from ledger.bundle import DirectoryTarget, Disclose, Target, ZipTarget, export_bundle
from ledger.clock import SystemClock
from ledger.errors import LedgerError, NotFound

app = typer.Typer(
    help="The consent ledger. Settings are environment variables; docs/operating.md lists them.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
participants = typer.Typer(help="Participants and their keys, on the database directly.", no_args_is_help=True)
app.add_typer(participants, name="participant")
gateways = typer.Typer(help="The gateway of outward standards (docs/standards/gateway.md).", no_args_is_help=True)
app.add_typer(gateways, name="gateway")
witnesses = typer.Typer(help="Be a witness for another party's log (docs/witnesses.md).", no_args_is_help=True)
app.add_typer(witnesses, name="witness")

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
        raise AssertionError("a validation error names a problem") from error


def fail(sentence: str, status: int = REFUSED) -> NoReturn:
    """Say why, and exit."""
    print(f"consent-ledger: {sentence}", file=sys.stderr)
    raise typer.Exit(status)


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Turn what may go wrong into one sentence and an exit status."""
    try:
        yield
    except LedgerError as error:
        fail(error.detail)
    except OSError as error:
        fail(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        fail(f"the database did not do as asked ({str(cause).splitlines()[0]}); has «consent-ledger migrate» been run?")


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, shown to people only."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


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
def migrate(state: State = None) -> None:
    """Bring the database to the newest shape."""

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence():
        migrations.upgrade(settings.database_url)
        make_event_key(settings)
    print("The database has the newest shape.")


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
    *,
    witnessed: Annotated[
        bool, typer.Option("--witnessed", help="As of the newest checkpoint that witnesses cosigned.")
    ] = False,
    state: State = None,
) -> None:
    """Write a bundle of the whole log for an auditor (consent-verify bundle)."""

    disclose = _disclose(evidence)
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), opened(settings) as node, ExitStack() as stack:
        zipped = target.suffix == ".zip"
        writer: Target = ZipTarget(stack.enter_context(target.open("xb"))) if zipped else DirectoryTarget(target)
        policy = None if settings.policy_file is None else settings.policy_file.read_text()
        ledger = node.ledger
        head = node.witnessed.checkpoint() if witnessed else None
        with progress_bar("evidence") as progress:
            size = export_bundle(
                ledger.store, ledger.keystore, ledger.vkey, writer, disclose=disclose, policy=policy, head=head,
                progress=progress,
            )  # fmt: skip
    print(f"{target}: {size} entries")


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
def check(state: State = None) -> None:
    """Recompute hashes, chains, tree and commitments from the database, and compare them with the signed checkpoints."""

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), opened(settings) as node, progress_bar("entries") as progress:
        found = examine(node.ledger.store, node.ledger.keystore, node.ledger.vkey, progress)
    for defect in found.defects:
        print(defect)
    if found.count:
        more = found.count - len(found.defects)
        fail(f"{found.count} defects in {found.size} entries" + (f", {more} of them not shown" if more else ""), DEFECT)
    print(f"{found.size} entries are as they were signed; {found.opened} bodies opened, {found.erased} erased.")


@app.command()
def health(
    url: Annotated[str, typer.Option(help="Base address of the server.")] = "http://127.0.0.1:8000",
) -> None:
    """Ask a server whether it records; 0 if it does. For container health checks."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health/ready", timeout=3.0, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
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
            fail(f"{jwk} is not JSON")
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


@participants.command("endpoint")
def participant_endpoint(
    participant: Annotated[str, typer.Argument(help="Participant id.")],
    url: Annotated[str, typer.Argument(help="Where it is told of events, https://…")],
    *,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Whether anything is sent there.")] = True,
    state: State = None,
) -> None:
    """Say where a participant is told of what happens to its consents (docs/events.md)."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), short_lived(settings) as node:
        known = node.ledger.registry.participant(participant)
        read_endpoint(url, development=settings.web.environment == "development")
        node.events.store.set_endpoint(known.id, url, enabled=enabled, now=SystemClock().now())
    print(f"{participant}: {url}" + ("" if enabled else " (disabled)"))


@participants.command("list")
def participant_list(state: State = None) -> None:
    """List participants and their keys."""

    settings = settings_from(state)
    with told_in_a_sentence(), short_lived(settings) as node:
        registry = node.ledger.registry
        for one in sorted(registry.participants.values(), key=lambda one: one.id):
            print(f"{one.id}  {one.name}  [{', '.join(one.roles)}]{'  SUSPENDED' if one.suspended else ''}")
            for key in sorted(registry.keys.values(), key=lambda key: key.added_at):
                if key.participant == one.id:
                    until = "" if key.revoked_at is None else f", revoked at {key.revoked_at}"
                    print(f"    {key.kid}  {key.alg}  {key.use}  added at {key.added_at}{until}")


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


@gateways.command("init")
def gateway_init(
    participant: Annotated[str, typer.Argument(help="Participant id of the gateway.")] = "gateway",
    name: Annotated[str, typer.Option(help="The legal name of who answers for it.")] = "Gateway of this ledger",
    state: State = None,
) -> None:
    """Make the gateway's keys, register it as a technology provider, and write gateway.json."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), short_lived(settings) as node:
        file = make_gateway(node.ledger, settings.gateway_file, participant, name)
    print(
        f"{settings.gateway_file}: {file.participant} signs with {file.kid}. Start the servers anew to serve standards."
    )


@gateways.command("delegate")
def gateway_delegate(
    participant: Annotated[str, typer.Argument(help="The recipient or holder that lets the gateway act for it.")],
    act: Annotated[list[str] | None, typer.Option(help="An act; repeatable. Default: what the standards need.")] = None,
    state: State = None,
) -> None:
    """Record that a participant lets the gateway sign acts for it. Have its own signed word for that before you do so."""
    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), short_lived(settings) as node:
        if node.office is None:
            raise NotFound("there is no gateway; «consent-ledger gateway init» makes it")
        roles = node.ledger.registry.participant(participant).roles
        needed = (RECIPIENT_ACTS if "recipient" in roles else ()) + (HOLDER_ACTS if "holder" in roles else ())
        acts = tuple(sorted(set(act or needed)))
        index = delegate(node.ledger, participant, node.office.gateway.participant, acts)
    print(f"{participant}: entry {index} lets the gateway sign {', '.join(acts)}")


def _record(state: Path | None, document: dict[str, Any]) -> None:

    settings = settings_from(state)
    configure_logging("warning")
    with told_in_a_sentence(), short_lived(settings) as node:
        [recorded] = node.ledger.record_documents(document)
    print(f"{recorded.act}: entry {recorded.index}")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
