"""How soon an alert is on record, and what finding them costs: `python -m tests.bench.alerts [--seconds N] [--rate N]`,
in a minute or two.

On a SQLite log in this process. Times are the log's own: an alert's entry less the entry that it is about. The cost is told in
two ways, by turns on one log: the ratio of throughputs with and without the thread that reads for the rules, which a busy
machine moves; and the processor's time that all other threads take for an access, which it moves less. What the reading thread
itself takes for an entry is told beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from sqlalchemy import select

from api.node.scoring import AlertRaiser
from ledger.app import Ledger
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.orders import SCORING
from ledger.queries.scoring import AlertReader, recorded_alerts
from ledger.storage.tables import entries
from tests.ledger.supervised import Place, supervised
from tests.world import Node, Party, item, registered, separately, terms_hash

BATCH = 50
CATCH_UP_SECONDS = 60
HOLDERS = 24
WAITING = 50
"""Ends that nobody has taken note of yet."""


def consent_at(node: Node, bank: Party) -> str:
    """A consent that a further holder gave."""
    consent = node.request(holder=bank.id)
    said = {
        "accounts": ["a" * 22],
        "authoriser": "b" * 22,
        "consent_id": consent,
        "sca": {"acr": "loa3", "amr": ["pwd"], "at": node.clock.now() // 1000},
        "subject": "c" * 22,
        "terms_hash": terms_hash(node.terms_of[consent]),
        "version": 1,
        "separate_consents": separately(("provision", "sensitive"), node.clock.now()),
    }
    companion = bank.sign("subject.consent", consent_id=consent, subject="d" * 22)
    statement = bank.sign("consent.authorise", **said)
    node.ledger.submit_and_wait(node.ledger.prepare(statement, companion=companion))
    return consent


def plant(node: Node, bank: Party, consent: str) -> int:
    """An access whose legs differ; the entry at which an alert is found."""
    asked = item(consent)
    [access] = node.ledger.submit_and_wait(node.batch(asked))
    index = 0
    for act, signer, rows in (("access.release", bank, 5), ("access.receive", node.fintech, 6)):
        index = signer.record(
            act,
            consent_id=consent,
            interaction_id=asked["interaction_id"],
            basis=access.index,
            rows=rows,
            bytes=10,
            digest=b64u(bytes(32)),
        ).index
    return index


def latencies(
    place: Place, banks: list[tuple[Party, str]], consents: list[str], rate: int, seconds: int
) -> tuple[list[int], float]:
    """Milliseconds from entry to alert, and the accesses a second that were reached, while `rate` of them are asked for."""
    node, ended, done = place.node, threading.Event(), [0]

    def load() -> None:
        begun = time.perf_counter()
        while not ended.is_set():
            node.ledger.submit_and_wait(node.batch(*(item(consents[one % len(consents)]) for one in range(BATCH))))
            done[0] += BATCH
            ended.wait(max(0.0, begun + done[0] / rate - time.perf_counter()))

    thread = threading.Thread(target=load)
    begun = time.perf_counter()
    thread.start()
    planted = set()
    for bank, consent in banks:
        planted.add(plant(node, bank, consent))
        time.sleep(seconds / len(banks))
    ended.set()
    thread.join()
    reached = done[0] / (time.perf_counter() - begun)
    wanted = time.monotonic() + 30
    found: dict[int, int] = {}
    while len(found) < len(planted) and time.monotonic() < wanted:
        found = {
            said["at_index"]: index
            for index, said in recorded_alerts(node.ledger.store, limit=10_000)
            if said["at_index"] in planted
        }
        time.sleep(0.2)
    times = _times(node, [*found, *found.values()])
    return [times[index] - times[at] for at, index in found.items()], reached


def _times(node: Node, indexes: list[int]) -> dict[int, int]:
    with node.ledger.store.read() as connection:
        rows = connection.execute(select(entries.c.idx, entries.c.leaf).where(entries.c.idx.in_(indexes))).all()
    return {row.idx: json.loads(row.leaf)["time"] for row in rows}


class Reading:
    """Reads for the rules behind the writing, and knows what its thread has taken of the processor (s)."""

    def __init__(self, ledger: Ledger) -> None:
        self._size = ledger.tree.size
        self._reader = AlertReader(ledger.store, ledger.keystore)
        self.raiser = AlertRaiser(ledger, lambda: self._reader)
        self.raiser.turn()  # it has caught up: what is measured is reading behind the writing
        self.raiser.start()
        [thread] = [one for one in threading.enumerate() if one.name == "alerts"]
        self._clock = time.pthread_getcpuclockid(thread.ident or 0)

    @property
    def taken(self) -> float:
        """So far."""
        return time.clock_gettime(self._clock)

    def catch_up(self) -> None:
        """Wait until it has read all there is: it looks twice a second, so what it takes for an entry comes later."""
        until, size = time.monotonic() + CATCH_UP_SECONDS, self._size()
        while self._reader.position < size:
            if time.monotonic() > until:
                raise SystemExit(f"entries from {self._reader.position} on were not read in {CATCH_UP_SECONDS} s")
            time.sleep(0.05)


class Pushed(NamedTuple):
    """How fast accesses were taken, and the processor's time of each (s): of the thread that reads for the rules, until it had
    read all of them, and of all others while they were taken."""

    rate: float
    others: float
    reading: float


def pushed(place: Place, consents: list[str], batches: int, reading: Reading | None = None) -> Pushed:
    """Accesses as fast as they are taken."""
    node = place.node
    commands = [node.batch(*(item(consents[one % len(consents)]) for one in range(BATCH))) for _ in range(batches)]
    before = 0.0 if reading is None else reading.taken
    begun, spent = time.perf_counter(), time.process_time()
    for command in commands:
        node.ledger.submit_and_wait(command)
    count = batches * BATCH
    took, spent = time.perf_counter() - begun, time.process_time() - spent
    meanwhile = 0.0 if reading is None else reading.taken - before
    if reading is not None:
        reading.catch_up()
    read = 0.0 if reading is None else reading.taken - before
    return Pushed(count / took, (spent - meanwhile) / count, read / count)


def tell(what: str, turns: list[float]) -> None:
    """A line with the median and each turn."""
    print(f"{what}: median {median(turns):.3f} of {len(turns)} turns ({', '.join(f'{one:.2f}' for one in turns)})")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--batches", type=int, default=60)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        supervised(
            f"sqlite:///{folder}/ledger.sqlite",
            Path(folder),
            clock=SystemClock(),  # type: ignore[arg-type]  # the machine's own
        ) as place,
    ):
        node = place.node
        place.approved("scoring.activated", scoring=SCORING)
        for _ in range(WAITING):
            node.revoke(node.grant())  # nobody takes note: each of them waits in the queue of rule 14
        banks: list[tuple[Party, str]] = []
        for number in range(HOLDERS):
            bank = node.party(f"bench-bank-{number:02d}")
            node.ledger.record_documents(registered(bank.id, "holder"), bank.key_added())
            banks.append((bank, consent_at(node, bank)))
        consents = [node.grant(frequency_per_day=0) for _ in range(200)]
        working = Reading(node.ledger)
        found, reached = latencies(place, banks, consents, asked.rate, asked.seconds)
        working.raiser.stop()
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(
            f"entry to alert at {reached:.0f} accesses/s (asked: {asked.rate}): {len(found)} of {len(banks)} found, "
            f"median {median(found):.0f} ms, worst {max(found)} ms"
        )
        turns = []
        for _ in range(asked.turns):
            without = pushed(place, consents, asked.batches)
            working = Reading(node.ledger)
            with_it = pushed(place, consents, asked.batches, working)
            working.raiser.stop()
            turns.append((without, with_it))
        tell("throughput with the rules read, of that without", [after.rate / before.rate for before, after in turns])
        tell(
            "processor of an access but for the reading, with the rules read, of that without",
            [after.others / before.others for before, after in turns],
        )
        tell("processor of the reading for an access, in µs", [after.reading * 1e6 for _, after in turns])


if __name__ == "__main__":
    main()
