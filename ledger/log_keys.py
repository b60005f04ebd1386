"""The log's own keys: a fold over the operator documents that speak of them (docs/spec/log.md, «The log's keys»)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger.canonical import unb64u
from ledger.documents import LogKeyAdded, LogKeyCompromised, LogKeyRetired
from ledger.errors import BadEncoding, Conflict, IllegalTransition, InvalidInput, NotFound
from ledger.notes.keys import ED25519, VerifierKey

LogKeyDocument = LogKeyAdded | LogKeyRetired | LogKeyCompromised


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key that a document names, and the sizes of checkpoints that it may sign: `first` to `last` (None: it is in force)."""

    key: bytes
    first: int
    last: int | None = None
    compromised: int | None = None
    """The size from which on somebody else may have signed with it."""
    compromised_at: int | None = None
    """The entry that says so."""


@dataclass(frozen=True, slots=True)
class LogKeys:
    """In the order in which they came; empty while no document names one. It never changes: a document makes a new one."""

    known: tuple[LogKey, ...] = ()

    @property
    def in_force(self) -> tuple[bytes, ...]:
        """The raw keys that sign the next checkpoint, each; empty: the one that no document names."""
        return tuple(one.key for one in self.known if one.last is None)

    @property
    def told_at(self) -> tuple[int, ...]:
        """The entries that began a key's time, ended it or took it back: who knows one key finds the others by them."""
        begun = {one.first - 1 for one in self.known if one.first}
        ended = {index for one in self.known for index in (one.last, one.compromised_at) if index is not None}
        return tuple(sorted(begun | ended))

    def vkeys(self, origin: str) -> tuple[VerifierKey, ...]:
        """All of them as verifier keys: those in force, the newest first, then those of former times."""
        newest_first = self.known[::-1]
        ordered = [one for one in newest_first if one.last is None] + [
            one for one in newest_first if one.last is not None
        ]
        return tuple(VerifierKey(origin, ED25519, one.key) for one in ordered)

    def after(self, document: LogKeyDocument, index: int) -> LogKeys:
        """What this document, recorded at `index`, leads to. Raises Conflict, NotFound, IllegalTransition, InvalidInput."""
        key = unb64u(document.key, size=32)
        match document:
            case LogKeyAdded():
                return self._add(key, unb64u(document.previous, size=32), index)
            case LogKeyRetired():
                return self._end(key, index)
            case LogKeyCompromised():
                return self._compromise(key, document.from_size, index)

    def _add(self, key: bytes, previous: bytes, index: int) -> LogKeys:
        for one in (key, previous):
            _check_point(one)
        if key == previous or any(one.key == key for one in self.known):
            raise Conflict("this log has, or had, this key: a key is added to a log once", member="key")
        if self.known and self.in_force != (previous,):
            raise IllegalTransition(
                "a log key takes its place beside the only one in force: end the present exchange first",
                member="previous",
            )
        return LogKeys((*(self.known or (LogKey(previous, 0),)), LogKey(key, index + 1)))

    def _end(self, key: bytes, index: int) -> LogKeys:
        if key not in self.in_force:
            raise NotFound("this is not a key of this log that is in force", member="key")
        if len(self.in_force) < 2:
            raise IllegalTransition("a log key ends while another is in force: add its successor first", member="key")
        return LogKeys(tuple(replace(one, last=index) if one.key == key else one for one in self.known))

    def _compromise(self, key: bytes, from_size: int, index: int) -> LogKeys:
        known = next((one for one in self.known if one.key == key), None)
        if known is None:
            raise NotFound("this is not a key that a document of this log names", member="key")
        if from_size > index:
            raise InvalidInput(f"the log has {index} entries: from_size is at most that", member="from_size")
        if known.compromised is not None and from_size >= known.compromised:
            raise IllegalTransition(f"the log says that already, from size {known.compromised} on", member="from_size")
        ended = self if known.last is not None else self._end(key, index)
        stolen = [replace(one, compromised=from_size, compromised_at=index) for one in ended.known if one.key == key]
        return LogKeys(tuple(stolen[0] if one.key == key else one for one in ended.known))


def _check_point(key: bytes) -> None:
    try:
        VerifierKey("log", ED25519, key)
    except BadEncoding as error:
        raise InvalidInput(f"the log key is not acceptable: {error.detail}", member="key") from None
