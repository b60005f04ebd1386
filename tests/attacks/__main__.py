"""The long attack: `scripts/attack`. Ends when the record holds as many as asked for; may be ended and begun again any time."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.attacks import damage
from tests.attacks.hostile import Attacker, Outcome
from tests.attacks.record import PAGE, RECORD, Record, fingerprint, page

SHARES = {"proofs": 0.72, "receipts": 0.27, "packs": 0.01}
"""Packs cost fifteen times as much as proofs: each holds several receipts."""
PORTION = {"proofs": 20_000, "receipts": 7_500, "packs": 278, "damage": 250}
Attempt = Callable[[int], Outcome]


def attempts() -> dict[str, Attempt]:
    """How to try one seed of each kind; raises whatever the verifier lets through."""
    attacker = Attacker()

    def of(kind: str) -> Attempt:
        return lambda seed: attacker.attempt(kind, seed)

    return {
        **{kind: of(kind) for kind in SHARES},
        "damage": lambda seed: Outcome.REFUSED if damage.attempt(seed) else Outcome.TRUE,
    }


def portion(record: Record, kind: str, attempt: Attempt, verifier: str) -> None:
    """Some more seeds of a kind, into the record."""
    stretch, begun = record.open(kind, verifier), time.process_time()
    for seed in range(stretch.first + stretch.tried, stretch.first + stretch.tried + PORTION[kind]):
        try:
            outcome = attempt(seed)
        except damage.Missed as missed:
            print(f"MISSED: {missed}", flush=True)
            stretch.accepted.append(seed)
        except Exception as error:  # noqa: BLE001 - whatever comes out uncaught is what is looked for
            print(f"UNCAUGHT: {kind} {seed}: {error!r}", flush=True)
            stretch.uncaught.append(seed)
        else:
            if outcome is Outcome.ACCEPTED:
                print(f"ACCEPTED: {kind} {seed}", flush=True)
                stretch.accepted.append(seed)
            stretch.true += outcome is Outcome.TRUE
        stretch.tried += 1
    stretch.seconds = round(stretch.seconds + time.process_time() - begun, 2)
    record.save()


def main() -> int:
    """0 if nothing was accepted, missed or let through; else 1."""
    parser = argparse.ArgumentParser(prog="scripts/attack", description=__doc__)
    parser.add_argument("--hostile", type=int, default=10_000_000, help="proofs, receipts and packs, in all")
    parser.add_argument("--damage", type=int, default=100_000, help="single changes of an export")
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument(
        "--repeat", nargs=2, metavar=("KIND", "SEED"), help="one attempt again, and say what comes of it"
    )
    arguments = parser.parse_args()
    tries = attempts()
    if arguments.repeat:
        print(tries[arguments.repeat[0]](int(arguments.repeat[1])))
        return 0
    record, verifier = Record(arguments.record), fingerprint()
    goals = {kind: int(arguments.hostile * share) for kind, share in SHARES.items()} | {"damage": arguments.damage}
    while due := [kind for kind, goal in goals.items() if record.tried(kind) < goal]:
        for kind in due:  # in turn: whenever it is ended, something of each was done
            portion(record, kind, tries[kind], verifier)
        print(", ".join(f"{kind} {record.tried(kind):,}" for kind in goals), flush=True)
    if arguments.record == RECORD:
        PAGE.write_text(page(record))
    return 1 if any(stretch.accepted or stretch.uncaught for stretch in record.stretches) else 0


if __name__ == "__main__":
    sys.exit(main())
