"""Following a log: keep the last verified checkpoint, and demand that each new one continues it.

State is one file per origin with the checkpoint note verbatim, replaced atomically and only on growth. Evidence of
two histories is a file of its own that is never overwritten.  Source: C2SP tlog-tiles; docs/spec/log.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from verifier.crypto.backend import Backend
from verifier.errors import CannotCheck, Code, NotFound, Refuted, located, refuted
from verifier.tlog.evidence import Misbehaviour, encode_evidence, judge
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import MAX_NOTE, NoteKey
from verifier.tlog.source import Source
from verifier.tlog.tiles import C2SP, EntryFormat, TileReader


class Progress(StrEnum):
    """The relation of the log to what was known of it."""

    FIRST = "first"
    SAME = "same"
    GREW = "grew"


@dataclass(frozen=True, slots=True)
class Followed:
    """The head that is now trusted, the one before, and an authenticated reader of the tree."""

    progress: Progress
    head: Head
    before: Head | None
    tiles: TileReader


class Forked(Refuted):
    """EQUIVOCATION, with its evidence and the file it was written to."""

    def __init__(self, found: Misbehaviour, file: Path | None) -> None:
        where = None if file is None else str(file)
        super().__init__(
            refuted(Code.EQUIVOCATION, found.sentence, expected=found.a.root, found=found.b.root, file=where).defect
        )
        self.misbehaviour, self.file = found, file


class State:
    """The trusted state in a directory: `<hex of SHA-256 of the origin>.checkpoint`, `....evidence-<hash>.json`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def load(self, origin: str) -> bytes | None:
        """The note kept for this origin, if any. Raises CannotCheck."""
        try:
            return self.file(origin).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotCheck(f"the state in {self.directory} cannot be read: {error.strerror}") from None

    def save(self, origin: str, note: bytes) -> None:
        """Replace the note in one step that survives a crash: new file, fsync, rename, fsync of the directory."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.directory, prefix=".new-", delete=False) as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self.file(origin))
            self._sync()
        except OSError as error:
            raise CannotCheck(f"the state in {self.directory} cannot be written: {error.strerror}") from None

    def keep_evidence(self, origin: str, evidence: bytes) -> Path:
        """Write evidence to a name of its own; the same notes found again keep the first file."""
        digest = hashlib.sha256(evidence).hexdigest()[:16]
        path = self.file(origin).with_suffix(f".evidence-{digest}.json")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(evidence)
                file.flush()
                os.fsync(file.fileno())
            self._sync()
        except FileExistsError:
            pass
        except OSError as error:
            raise CannotCheck(f"the evidence cannot be written to {path}: {error.strerror}") from None
        return path

    def file(self, origin: str) -> Path:
        """Where the note of this origin is kept."""
        return self.directory / (hashlib.sha256(origin.encode("utf-8")).hexdigest() + ".checkpoint")

    def _sync(self) -> None:
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def follow(
    source: Source,
    log_keys: Sequence[NoteKey],
    state: State,
    backend: Backend,
    *,
    at_ms: int,
    witnesses: Sequence[NoteKey] = (),
    origin: str | None = None,
    entries: EntryFormat = C2SP,
    witnessed: bool = False,
) -> Followed:
    """Fetch the log's checkpoint, hold it against the trusted state, and trust it if it continues that.

    `origin`: see head.open_head. `witnessed`: ask first for the newest checkpoint that witnesses cosigned, where the log has
    one and it is not older than what is trusted already. `at_ms` is written into evidence.
    Raises Refuted: EQUIVOCATION (as `Forked`, with a file), ROLLBACK for a checkpoint smaller than the trusted one (which
    stays), BAD_SIGNATURE, BAD_PROOF, BAD_ENCODING; CannotCheck when the log or the state cannot be read.
    """
    offered = open_head(newest_of(source, witnessed), log_keys, backend, witnesses=witnesses, origin=origin)
    name = offered.checkpoint.origin
    kept = state.load(name)
    trusted = None
    if kept is not None:
        with located(file=str(state.file(name))):
            trusted = open_head(kept, log_keys, backend, witnesses=witnesses, origin=name)
    if trusted is not None and trusted.size > offered.size:
        offered = open_head(_newest_of_all(source), log_keys, backend, witnesses=witnesses, origin=origin)
    if trusted is None:
        tiles = TileReader(source, offered.size, offered.root, entries)
        state.save(name, offered.note)
        return Followed(Progress.FIRST, offered, None, tiles)
    smaller, larger = (trusted, offered) if trusted.size <= offered.size else (offered, trusted)
    if smaller.size == larger.size and smaller.root != larger.root:
        raise _forked(judge(smaller, larger), state, source, at_ms)
    try:
        tiles = TileReader(source, larger.size, larger.root, entries)
        if tiles.range_root(0, smaller.size) != smaller.root:
            proof = tiles.consistency(smaller.size)
            raise _forked(judge(smaller, larger, proof), state, source, at_ms)
    except Forked:
        raise
    except (Refuted, CannotCheck):
        if offered.size >= trusted.size:
            raise
        # A log that lost its newer tiles cannot prove the older checkpoint; it is a rollback all the same.
        raise _rollback(offered, trusted, "and its tiles do not show that the one continues the other") from None
    if offered.size < trusted.size:
        raise _rollback(offered, trusted, "though it is an older state of the same tree; the newer one stays trusted")
    if offered.size > trusted.size:
        state.save(name, offered.note)
        return Followed(Progress.GREW, offered, trusted, tiles)
    return Followed(Progress.SAME, offered, trusted, tiles)


def _newest_of_all(source: Source) -> bytes:
    """What a log shows first may be older: witnesses cosigned it. Among published files, none lies below another."""
    for path in ("checkpoint/newest", "checkpoint.newest"):
        with contextlib.suppress(NotFound):
            return source.read(path, MAX_NOTE)
    return source.read("checkpoint", MAX_NOTE)


def newest_of(source: Source, witnessed: bool) -> bytes:
    """The checkpoint that a log shows, with `witnessed` the newest that witnesses cosigned, where it has one."""
    if witnessed:
        with contextlib.suppress(NotFound):
            return source.read("checkpoint/witnessed", MAX_NOTE)
    return source.read("checkpoint", MAX_NOTE)


def _forked(found: Misbehaviour, state: State, source: Source, at_ms: int) -> Forked:
    evidence = encode_evidence(found, at_ms, [f"trusted state in {state.directory}", source.name])
    return Forked(found, state.keep_evidence(found.a.checkpoint.origin, evidence))


def _rollback(offered: Head, trusted: Head, more: str) -> Refuted:
    return refuted(
        Code.ROLLBACK,
        f"the log shows a smaller tree than it has shown before, {more}",
        expected=f"at least {trusted.size} entries",
        found=f"{offered.size} entries",
    )
