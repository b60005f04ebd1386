"""What others do with the same events, run by a Python that has them installed: `peer_program.py ledgerchain|pymerkle …`.

It imports nothing of ours. Reads one event (JSON) a line on standard input, writes one JSON object on standard output.
"""

from __future__ import annotations

import json
import sys
import threading
import time


def ledgerchain(url: str, clients: int, events: list[dict[str, object]]) -> dict[str, float]:
    """Each client appends and commits in a loop, as the library's own documentation does."""
    import ledgerchain as peer
    from sqlalchemy import create_engine, event
    from sqlalchemy.orm import Session

    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    engine = create_engine(url, pool_size=clients + 1, **options)
    if url.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def configure(connection, _):
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

        @event.listens_for(engine, "begin")
        def begin(connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    peer.create_all(engine)
    peer.install_immutability(engine)
    waiting = iter(events)
    turn, taken = threading.Lock(), []

    def append(payload: dict[str, object]) -> None:
        with Session(engine) as session:
            peer.LedgerWriter.append(
                session,
                event_type="access",
                payload=payload,
                actor={"kind": "service", "sub": "tpp-1"},
                tenant_id="bank-a",
            )
            session.commit()

    append(next(waiting))

    def work() -> None:
        while True:
            with turn:
                payload = next(waiting, None)
            if payload is None:
                return
            begun = time.perf_counter()
            append(payload)
            taken.append(time.perf_counter() - begun)

    return _timed(work, clients, taken)


def pymerkle(path: str, _clients: int, events: list[dict[str, object]]) -> dict[str, float]:
    """A Merkle tree in SQLite: append, then the proof of each entry."""
    from pymerkle import SqliteTree

    tree = SqliteTree(path)
    entries = [json.dumps(event).encode() for event in events]
    begun = time.perf_counter()
    for entry in entries:
        tree.append_entry(entry)
    appended = time.perf_counter()
    proofs = 0
    while time.perf_counter() - appended < 2 and proofs < len(entries):
        tree.prove_inclusion(proofs + 1, len(entries))
        proofs += 1
    return {"rate": len(entries) / (appended - begun), "proofs": proofs / (time.perf_counter() - appended)}


def _timed(work, clients: int, taken: list[float]) -> dict[str, float]:
    threads = [threading.Thread(target=work) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    taken.sort()
    return {
        "rate": len(taken) / seconds,
        "p50": taken[len(taken) // 2] * 1e3,
        "p99": taken[int(len(taken) * 0.99)] * 1e3,
    }


if __name__ == "__main__":
    name, where, how_many = sys.argv[1:]
    program = {"ledgerchain": ledgerchain, "pymerkle": pymerkle}[name]
    print(json.dumps(program(where, int(how_many), [json.loads(line) for line in sys.stdin])))
