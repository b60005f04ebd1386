"""What stands around a node: files, clock, databases, policy, witnesses, disk. Looking changes nothing; safe beside servers.

Each line is ok, warning, failed or not checked, and says what to do. Something that could not be looked at is never ok.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import httpx2
from sqlalchemy.exc import SQLAlchemyError

import migrations
from api.node.building import opened
from api.node.bundling import read_policy
from api.node.node import Node
from api.node.settings import Settings
from api.tokens.keys import TokenSigner
from ledger.clock import SystemClock
from ledger.custody.log_key import LogKeyring, read_signer
from ledger.engines.engine import is_file
from ledger.errors import LedgerError
from ledger.notes.policy import Policy
from ledger.sequencer.watch import Anchor, ClockWatch, this_boot
from ledger.vault.kek import read_kek

Verdict = Literal["ok", "warning", "failed", "not checked"]
ROOM_WARNING: Final = 2**30
ROOM_FAILED: Final = 2**27
WITNESS_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings of one look."""

    what: str
    verdict: Verdict
    said: str


def diagnose(settings: Settings) -> Iterator[Diagnosis]:
    """One line for each thing that is looked at; later ones are «not checked» when they need what has failed."""
    yield from _files(settings)
    yield _disk(settings.state_dir)
    shape = _try("schema", lambda: _shape(settings))
    yield shape
    policy: list[Policy] = []
    yield _try("policy", lambda: _policy(settings, policy))
    yield from _witnesses(policy)
    with ExitStack() as stack:
        node: list[Node] = []
        if shape.verdict == "ok":
            yield _try("log and key store", lambda: _open(settings, stack, node))
        else:
            yield Diagnosis("log and key store", "not checked", "the database must be in order first")
        for what, look in (("database set-up", _set_up), ("clock", _clock)):
            if node:
                yield from _all(what, lambda look=look: look(settings, node[0]))  # type: ignore[misc]
            else:
                yield Diagnosis(what, "not checked", "the log must open first")
    yield _backup(settings)


def _try(what: str, look: Callable[[], str]) -> Diagnosis:
    return _all(what, lambda: [Diagnosis(what, "ok", look())])[-1]


def _all(what: str, look: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    try:
        return look()
    except LedgerError as error:
        return [Diagnosis(what, "failed", error.detail)]
    except (OSError, SQLAlchemyError, ModuleNotFoundError) as error:
        cause = getattr(error, "orig", None) or error
        return [Diagnosis(what, "failed", f"{str(cause).splitlines()[0]}")]


def _files(settings: Settings) -> Iterator[Diagnosis]:
    """Secrets are there, read, and are their owner's only."""
    folder = settings.state_dir
    if not folder.is_dir():
        yield Diagnosis("state folder", "failed", f"{folder} does not exist: «consent-ledger init» makes a log")
    elif stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Diagnosis("state folder", "warning", f"{folder} is open to others: chmod 700 it")
    else:
        yield Diagnosis("state folder", "ok", str(folder))
    yield _try("log key", lambda: _log_key(settings.log_key_file))
    yield _try("KEK", lambda: _kek(settings.kek_file))
    for what, path in (("token key", settings.token_key_file), ("event key", settings.event_key_file)):
        yield _try(what, lambda path=path: _token_key(path))  # type: ignore[misc]


def _log_key(path: Path) -> str:
    signer = read_signer(path)
    signer.probe()
    return f"of {signer.vkey.name}{_at(signer.place)}"


def _kek(path: Path) -> str:
    kek = read_kek(path)
    kek.wrapping().probe()
    return f"of epoch {kek.epoch}{_at(kek.uri)}"


def _token_key(path: Path) -> str:
    signer = TokenSigner.load(path)
    signer.probe()
    return f"{signer.alg} in {path}{_at(signer.place)}"


def _at(place: str) -> str:
    return f", at {place}, which answers" if place else ""


def _disk(folder: Path) -> Diagnosis:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Diagnosis("disk", "not checked", f"{folder}: {error.strerror}")
    verdict: Verdict = "failed" if free < ROOM_FAILED else "warning" if free < ROOM_WARNING else "ok"
    room = f"{free / 2**30:.1f} GiB free at {folder}"
    return Diagnosis("disk", verdict, room if verdict == "ok" else f"{room}: make room, or the log stops")


def _shape(settings: Settings) -> str:
    migrations.refuse_other_versions(settings.database_url)
    return "this version's"


def _policy(settings: Settings, found: list[Policy]) -> str:
    policy = read_policy(settings, LogKeyring.at(settings.log_key_file).vkeys())
    found.append(policy)
    if settings.policy_file is None:
        return "none is set: bundles enclose this log's key, and nobody is asked to cosign"
    return f"{settings.policy_file} names this log and {len(policy.witnesses)} witnesses"


def _witnesses(policy: list[Policy]) -> Iterator[Diagnosis]:
    """Any answer over HTTP will do: a witness's words are judged when it cosigns."""
    if not policy:
        yield Diagnosis("witnesses", "not checked", "the policy must be in order first")
        return
    for witness in policy[0].witnesses:
        what = f"witness {witness.name}"
        if not witness.url:
            yield Diagnosis(what, "not checked", "the policy names no address: somebody else asks it")
            continue
        try:
            httpx2.get(witness.url, timeout=WITNESS_SECONDS, trust_env=False)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            yield Diagnosis(what, "failed", f"{witness.url} does not answer ({type(error).__name__})")
        else:
            yield Diagnosis(what, "ok", f"{witness.url} answers")


def _open(settings: Settings, stack: ExitStack, node: list[Node]) -> str:
    node.append(stack.enter_context(opened(settings)))
    opens = (
        "its keys open"
        if node[0].ledger.keystore.live()
        else "it has no key yet that would show whether the KEK is right"
    )
    return f"{node[0].ledger.tree.size()} entries; the key store is the log's own, and {opens}"


def _set_up(settings: Settings, node: Node) -> list[Diagnosis]:
    what = "database set-up"
    found = [Diagnosis(what, "warning", weakness) for weakness in node.ledger.store.weaknesses()]
    kind = "a file of this machine" if is_file(settings.database_url) else "PostgreSQL forces commits to its disk"
    return found or [Diagnosis(what, "ok", kind)]


_TIME: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


def _clock(settings: Settings, node: Node) -> list[Diagnosis]:
    """Against the database's, where that is another machine's, and against the time that has passed since it was looked at."""
    now, path = SystemClock().now(), settings.highwater_dir / "clock"
    theirs: int | None = None
    if not is_file(settings.database_url):
        with node.ledger.store.read() as connection:
            theirs = int(connection.exec_driver_sql(_TIME).scalar_one())
    anchor = Anchor.read(path)
    anchored = anchor is not None and anchor.boot == this_boot()  # else a look would make one, and trust it
    watch = ClockWatch(path if anchored else None, lead=settings.clock_lead_seconds * 1000)
    if (ahead := watch.ahead(now, theirs)) is not None:
        return [Diagnosis("clock", "failed", ahead[1])]
    if theirs is not None and theirs > now + settings.clock_lead_seconds * 1000:
        return [Diagnosis("clock", "warning", f"{(theirs - now) // 1000} s behind the database's: set it right (NTP)")]
    if theirs is None and not anchored:
        return [Diagnosis("clock", "not checked", "no server has looked at it since this machine was switched on")]
    against = "the time that has passed" if theirs is None else "the database's"
    return [Diagnosis("clock", "ok", f"agrees with {against}")]


def _backup(settings: Settings) -> Diagnosis:
    file = settings.state_dir / "backup.checkpoint"
    if not file.exists():
        return Diagnosis("backup", "warning", "none is known here: «consent-ledger backup DIR» takes one")
    days = (SystemClock().now() / 1000 - file.stat().st_mtime) / 86_400
    verdict: Verdict = "warning" if days > 2 else "ok"
    return Diagnosis("backup", verdict, f"the newest one known here is {days:.1f} days old")
