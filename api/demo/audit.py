"""The last act, an auditor who trusts nobody: export, verify everything, change one byte, verify again.

The verifier runs as another program, which shares no code with this one.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.client import VerifiedReceipt
from api.demo.servers import DemoFailed, command, environment
from ledger.notes.keys import VerifierKey

RECEIPTS: Final = """
import contextlib, io, json, pathlib, sys
from verifier.cli import main
verdicts = {}
for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
    with contextlib.redirect_stdout(io.StringIO()):
        status = main(["receipt", str(path), "--policy", sys.argv[1]])
    verdicts[status] = verdicts.get(status, 0) + 1
print(json.dumps(verdicts))
"""
"""Runs the verifier's own command for every file of a folder; prints how often it ended with which status."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the verifier said."""

    status: int
    output: str

    def checked(self, what: str) -> int:
        """How many of these were checked and found right."""
        told = (json.loads(line) for line in self.output.splitlines() if line.startswith("{"))
        return sum(one["count"] for one in told if (one.get("event"), one.get("what")) == ("checked", what))

    def names_in(self, log: str, index: int) -> bool:
        """Whether a defect is reported at this entry of this log (its origin)."""
        told = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return any(one.get("event") == "defect" and (one.get("log"), one.get("index")) == (log, index) for one in told)

    def names(self, index: int) -> bool:
        """Whether a defect is reported at this entry."""
        return any(index == found for found in _indexes(self.output))


def write_policy(path: Path, vkey: VerifierKey) -> None:
    """The auditor's policy: which log key to trust, learnt before and elsewhere."""
    path.write_text(f"log {vkey.format()}\nquorum none\n", encoding="utf-8")


def write_receipts(folder: Path, receipts: Iterable[VerifiedReceipt]) -> int:
    """One file per entry; how many."""
    folder.mkdir(parents=True)
    files = {receipt.index: receipt.file for receipt in receipts}
    for index, file in files.items():
        (folder / f"{index:07d}.json").write_bytes(file)
    return len(files)


async def export(state: Path, target: Path, witnessed_by: Path | None = None) -> None:
    """`consent-ledger export`, of a checkpoint cosigned under the policy `witnessed_by`, if given. Raises DemoFailed."""
    witnessed = () if witnessed_by is None else ("--witnessed",)
    status, output = await run(
        command("export", target, "--state", state, "--reason", "demo", *witnessed), witnessed_by
    )
    if status != 0:
        raise DemoFailed(f"the export ended with {status}: {output[-600:]}")


async def verify_bundle(bundle: Path, policy: Path) -> Audit:
    """`consent-verify bundle`: every hash, proof, chain, signature, transition and decision."""
    program = "import sys; from verifier.cli import main; sys.exit(main())"
    return Audit(*await run([sys.executable, "-c", program, "bundle", str(bundle), "--policy", str(policy), "--json"]))


async def verify_set(folder: Path, policy: Path) -> Audit:
    """`consent-verify set`: the head log and each shard, by the head log's key alone."""
    program = "import sys; from verifier.cli import main; sys.exit(main())"
    return Audit(*await run([sys.executable, "-c", program, "set", str(folder), "--policy", str(policy), "--json"]))


async def verify_receipts(folder: Path, policy: Path) -> dict[int, int]:
    """`consent-verify receipt` for every file; exit status → how many."""
    status, output = await run([sys.executable, "-c", RECEIPTS, str(policy), str(folder)])
    if status != 0:
        raise DemoFailed(f"the verifier ended with {status}: {output[-600:]}")
    counted: dict[str, int] = json.loads(output.strip().splitlines()[-1])
    return {int(code): count for code, count in counted.items()}


def falsify(state: Path, copy: Path, index: int) -> None:
    """Copy the ledger's folder, and change one byte of one stored entry, as anyone with access to the disk can.

    The byte belongs to the commitment in the leaf of entry `index`. The database's own triggers refuse the change, so they are
    removed first, as an attacker would.
    """
    copy.mkdir()
    for path in state.iterdir():
        if path.suffix == ".sqlite":
            _copy_database(path, copy / path.name)
        elif path.is_dir():
            shutil.copytree(path, copy / path.name)
        elif not path.name.endswith(("-wal", "-shm")):
            shutil.copy2(path, copy / path.name)
    with sqlite3.connect(copy / "ledger.sqlite") as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')
        [leaf] = database.execute("SELECT leaf FROM entries WHERE idx = ?", (index,)).fetchone()
        changed = bytearray(leaf)
        place = leaf.index(b'"commitment":"') + len(b'"commitment":"')
        changed[place] = ord("A") if changed[place] != ord("A") else ord("B")
        database.execute("UPDATE entries SET leaf = ? WHERE idx = ?", (bytes(changed), index))
    database.close()


def _copy_database(source: Path, target: Path) -> None:
    """A consistent copy of a database in use."""
    reading, writing = sqlite3.connect(source), sqlite3.connect(target)
    try:
        reading.backup(writing)
    finally:
        reading.close()
        writing.close()


async def run(arguments: list[str], policy: Path | None = None) -> tuple[int, str]:
    """Run a program, under the policy if one is given: (exit status, what it said)."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(policy),
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


def _indexes(output: str) -> Iterable[int]:
    """Every value of a member `index` in lines of JSON."""
    for line in output.splitlines():
        try:
            yield from _values(json.loads(line))
        except json.JSONDecodeError:
            continue


def _values(found: Any) -> Iterable[int]:
    if isinstance(found, dict):
        for name, value in found.items():
            if name == "index" and isinstance(value, int):
                yield value
            else:
                yield from _values(value)
    elif isinstance(found, list):
        for value in found:
            yield from _values(value)
