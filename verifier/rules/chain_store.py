"""Remembers facts about each chain and passkey: the busy ones in memory, the others on disk, so that memory does not grow
with the log.

Records that were not looked at for long move to a temporary SQLite file in batches and come back when they are asked for.
Texts on disk are JSON, so reading a state file cannot execute anything.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from verifier.bytes.scratch import no_room
from verifier.records.terms import Terms
from verifier.rules.consents import Consent, Given, Pending
from verifier.rules.remembered import Habits

HOT: Final = 20_000
"""Chains that are kept in memory: 1.2 KB each with its consent."""
T = TypeVar("T")
_LISTS = ("permissions", "separate_consents", "later", "later_3", "destinations")


class Said(NamedTuple):
    """What a customer said at `time` (ms) of the consent in `chain`, to be answered by `due` (s): the `state` of the last
    answer (empty: none), and whether it was `answered` or closed."""

    time: int
    due: int
    chain: str
    state: str = ""
    answered: bool = False


@dataclass(slots=True)
class Customer:
    """The content of a subject chain: the chains of the consents in it, and the feedback by its number."""

    consents: list[str] = field(default_factory=list)
    feedback: dict[str, Said] = field(default_factory=dict)


@dataclass(slots=True)
class Chain:
    """The end of a chain: `seq` and hash (base64url) of its last leaf. `consent` is the state its entries produce;
    `known` is False from the first entry onwards whose evidence is not there. `steps`: the indexes of its `consent.*` entries
    but those that acknowledge; `moved`: the time (ms) of the last of them. `customer`: of a subject chain, what is in it.
    `habits`: what the scorer remembers of a consent; `acknowledged`: its end was; `began`: of a subject chain, the time
    (ms) of its first entry, once that was seen; `awaited`: when (ms) it came to an end that its recipient
    is to acknowledge and has not, −1 without one."""

    seq: int
    head: bytes
    known: bool = True
    consent: Consent | None = None
    steps: tuple[int, ...] = ()
    moved: int = 0
    customer: Customer | None = None
    habits: Habits | None = None
    acknowledged: bool = False
    began: int = -1
    awaited: int = -1


def to_text(chain: Chain) -> str:
    """A record for the disk."""
    return json.dumps(
        [
            chain.seq,
            chain.head.decode("ascii"),
            chain.known,
            None if chain.consent is None else asdict(chain.consent),
            chain.steps,
            chain.moved,
            None if chain.customer is None else asdict(chain.customer),
            None if chain.habits is None else asdict(chain.habits),
            chain.acknowledged,
            chain.began,
            chain.awaited,
        ]
    )


def from_text(text: str) -> Chain:
    """A record from the disk."""
    seq, head, known, consent, steps, moved, customer, habits, acknowledged, began, awaited = json.loads(text)
    return Chain(
        seq,
        head.encode("ascii"),
        known,
        None if consent is None else _consent(consent),
        tuple(steps),
        moved,
        None if customer is None else _customer(customer),
        None if habits is None else Habits(**habits),
        acknowledged,
        began,
        awaited,
    )


def _customer(members: dict[str, Any]) -> Customer:
    return Customer(members["consents"], {number: Said(*said) for number, said in members["feedback"].items()})


def _consent(members: dict[str, Any]) -> Consent:
    pending = members.pop("pending")
    if pending is not None:
        pending = Pending(_terms(pending["terms"]), pending["terms_hash"], _given(pending["given"]))
    members["terms"], members["given"] = _terms(members["terms"]), _given(members["given"])
    members["accounts"], members["withdrawn"] = tuple(members["accounts"]), tuple(members["withdrawn"])
    members["taken"] = tuple(members["taken"])
    members["used"] = {unit: tuple(count) for unit, count in members["used"].items()}
    return Consent(**members, pending=pending)


def _given(members: dict[str, Any]) -> Given:
    approvals = tuple((authoriser, tuple(accounts)) for authoriser, accounts in members["approvals"])
    return Given(approvals, tuple(members["joint"]), tuple(members["separate"]))


def _terms(members: dict[str, Any]) -> Terms:
    lists = {name: tuple(members[name]) for name in _LISTS}
    return Terms(**{**members, **lists, "filters": tuple(map(tuple, members["filters"]))})


class Store(Generic[T]):
    """Records by name: the ones used last in memory, `hot` of them at most, the others on disk.

    `to_text` and `from_text` write a record as a text and read it. A record that `get` gave may be changed in place: until
    `hot` / 2 others were asked for, it stays the one in memory. All methods raise CannotCheck when there is no room on disk.
    """

    def __init__(self, to_text: Callable[[T], str], from_text: Callable[[str], T], hot: int) -> None:
        self._to_text, self._from_text = to_text, from_text
        self._hot: dict[bytes, T] = {}
        self.limit = hot
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._cold: sqlite3.Connection | None = None

    def get(self, key: bytes) -> T | None:
        """The record, or None if the name is new."""
        record = self._hot.pop(key, None)
        if record is not None:
            self._hot[key] = record  # the newest now: whoever holds it may ask for others before changing it
        elif self._cold is not None:
            try:
                row = self._cold.execute("SELECT record FROM record WHERE name = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                raise no_room(error) from None
            if row is not None:
                record = self._from_text(row[0])
                self.put(key, record)
        return record

    def put(self, key: bytes, record: T) -> None:
        """Keep a new record, or another one in place of the one of this name."""
        self._hot[key] = record
        if len(self._hot) > self.limit:
            self._move()

    def _move(self) -> None:
        """The half that was not asked for the longest goes to disk: dictionaries keep their order."""
        oldest = list(self._hot)[: self.limit // 2]
        try:
            self._connect().executemany(
                "INSERT OR REPLACE INTO record VALUES (?, ?)",
                ((key, self._to_text(self._hot.pop(key))) for key in oldest),
            )
        except (OSError, sqlite3.Error) as error:
            raise no_room(error) from None

    def _connect(self) -> sqlite3.Connection:
        if self._cold is None:
            self._directory = tempfile.TemporaryDirectory(prefix="consent-verify-")
            self._cold = sqlite3.connect(Path(self._directory.name) / "records", isolation_level=None)
            self._cold.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8000;")
            self._cold.execute("CREATE TABLE record (name BLOB PRIMARY KEY, record TEXT) WITHOUT ROWID")
        return self._cold

    def records(self) -> Iterator[tuple[bytes, T]]:
        """All records, each once; nothing may change meanwhile."""
        if self._cold is not None:
            try:
                for name, record in self._cold.execute("SELECT name, record FROM record"):
                    if name not in self._hot:
                        yield name, self._from_text(record)
            except sqlite3.Error as error:
                raise no_room(error) from None
        yield from self._hot.items()

    def texts(self) -> Iterator[tuple[bytes, str]]:
        """All records as texts, for a state file."""
        return ((name, self._to_text(record)) for name, record in self.records())

    def take(self, key: bytes, text: str) -> None:
        """Put back what `texts` gave in an earlier run. Raises ValueError, TypeError, LookupError for another text."""
        self.put(key, self._from_text(text))

    def close(self) -> None:
        """Give the disk space back."""
        if self._cold is not None:
            self._cold.close()
        if self._directory is not None:
            self._directory.cleanup()


class Shelf(Store[Chain]):
    """The chains by their names (base64url)."""

    def __init__(self, hot: int = HOT) -> None:
        super().__init__(to_text, from_text, hot)
