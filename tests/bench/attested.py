"""What bringing a history of many rows takes, from the command to the verifier's word (docs/history.md, «How much it takes»):

    python -m tests.bench.attested 100000
    python -m tests.bench.attested 1000000 --at /some/folder     keeps the log, the table and the bundle there

`consent-ledger serve` and `history attest` as a bank runs them, on SQLite; then `export`, and `consent-verify history` with the
table beside the bundle. Each is a process of its own. What is told of each: seconds on the clock and of the processor, its own
and its children's; the most memory of any one process; and the processor's time of a row in checks of an Ed25519 signature.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

import psutil

from api.cli.folder import ParticipantFolder
from api.client import LocalSigner
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.documents import key_added, registration
from tests.bench.places import ORIGIN, ROOT, Place, serving, site
from tests.bench.references import bare_check

BANK: Final = "bank-a"
ROWS_OF_ONE: Final = 40
"""Rows of each customer, who come by turns: a table in the order of time, as a core system writes it."""
MIB: Final = 2**20
LOOK_SECONDS: Final = 0.1
"""How often a process is asked for the memory that it has had."""


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds, and the most memory in bytes."""

    clock: float
    processor: float
    peak: int


def write_table(path: Path, rows: int) -> None:
    """A register of consents and accesses of `rows` / `ROWS_OF_ONE` customers."""
    customers = max(1, rows // ROWS_OF_ONE)
    with path.open("w", encoding="utf-8") as out:
        out.write("customer,kind,time,recipient,consent,permissions,purpose,result\n")
        for row in range(rows):
            customer, turn = row % customers, row // customers
            time = f"20{12 + turn // 4:02}-{turn % 4 * 3 + 1:02}-{row % 28 + 1:02}T{row % 24:02}:{row // 24 % 60:02}:00+08:00"
            kind, result = ("access", "allowed") if turn else ("consent", "")
            out.write(
                f'CUST-{customer:09},{kind},{time},"Old App, Ltd",C-{customer:09},balances|transactions,budgeting,{result}\n'
            )


def bank_folder(log: Place, folder: Path) -> Path:
    """The bank, registered, and its folder as «keys new» makes it; its address is said once the server has one."""
    signer, client = LocalSigner.generate(f"{BANK}-1", "EdDSA"), LocalSigner.generate(f"{BANK}-c", "ES256")
    folder.mkdir(mode=0o700)
    signer.save(folder / "statement.pem")
    client.save(folder / "client.pem")
    (folder / "references.key").write_bytes(bytes(32))
    (folder / "references.key").chmod(0o600)
    with log.node() as ledger:
        ledger.record_documents(
            registration(BANK, BANK, ("holder",)),
            *(
                key_added(BANK, key.kid, key.alg, use, dict(key.jwk))
                for key, use in ((signer, "statement"), (client, "client"))
            ),
        )
        vkey = ledger.vkey.format()
    ParticipantFolder(folder, BANK, "", vkey, signer.kid, client.kid).write()
    (folder / "policy").write_text(f"log {vkey}\nquorum none\n")
    return folder


def run(words: Sequence[str], log: Path, settings: dict[str, str] | None = None) -> Cost:
    """Run a program to its end, its words in `log`. Raises RuntimeError with them when it does not end with 0."""
    begun, peak = perf_counter(), 0
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env={**os.environ, **(settings or {})}, stdout=out, stderr=out
        )
    found = psutil.Process(process.pid)
    while True:
        peak = max(peak, peak_of(found))
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        sleep(LOOK_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words}: {process.returncode}\n{log.read_text(errors='replace')[-3000:]}")
    return Cost(perf_counter() - begun, used.ru_utime + used.ru_stime, peak)


def peak_of(first: psutil.Process) -> int:
    """The most memory that a process or one of its children has had so far, in bytes."""
    found = 0
    with suppress(psutil.Error):
        for one in (first, *first.children(recursive=True)):
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{one.pid}/status").read_text().splitlines()
                found = max(found, int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024)
    return found


def tell(what: str, cost: Cost, rows: int) -> None:
    """One line."""
    checks = cost.processor / rows * 1e6 / bare_check()
    print(
        f"{what}: {cost.clock:.0f} s on the clock, {cost.processor:.0f} s of the processor, at most "
        f"{cost.peak / MIB:.0f} MiB; a row costs {checks:.2f} × an Ed25519 check",
        flush=True,
    )


def measure(folder: Path, rows: int) -> None:
    """Bring a history of so many rows, and have it verified."""
    log = Place("sqlite", Settings(state_dir=folder / "state", database_url=f"sqlite:///{folder / 'ledger.sqlite'}"))
    log.settings.state_dir.mkdir()
    initialise(log.settings, ORIGIN)
    own, table, bundle = bank_folder(log, folder / "bank"), folder / "register.csv", folder / "bundle"
    said = folder / "said"
    write_table(table, rows)
    print(
        f"{rows:,} rows of {max(1, rows // ROWS_OF_ONE):,} customers, {table.stat().st_size / MIB:.0f} MiB of CSV",
        flush=True,
    )
    attest = [
        "api.cli.main",
        "history",
        "attest",
        str(table),
        "--as",
        str(own),
        "--id",
        "core",
        "--title",
        "The register",
    ]
    with serving(log) as server:
        replace(ParticipantFolder.read(own), url=f"http://{server.host}:{server.port}").write()
        tell("read and counted (--dry-run)", run([*attest, "--dry-run"], said), rows)
        before, begun = server.cpu_seconds(), perf_counter()
        tell("attested and recorded, the bank's side", run(attest, said), rows)
        spent, peak = server.cpu_seconds() - before, peak_of(psutil.Process(server.process.pid))
        tell("the ledger's side", Cost(perf_counter() - begun, spent, peak), rows)
    node = {
        "CONSENT_LEDGER_DATABASE_URL": log.settings.database_url,
        "CONSENT_LEDGER_STATE_DIR": str(log.settings.state_dir),
    }
    tell("exported", run(["api.cli.main", "export", str(bundle), "--reason", "bench"], said, node), rows)
    checked = [
        "verifier",
        "history",
        str(bundle),
        "--policy",
        str(own / "policy"),
        "--entry",
        entry_of(own),
        "--source",
        str(table),
    ]
    tell("verified, with the table", run(checked, said), rows)


def entry_of(own: Path) -> str:
    """The entry that attests the history: the bank's folder holds one receipt, named after it."""
    [receipt] = (own / "receipts").iterdir()
    return receipt.name.partition(".")[0]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("--at", type=Path, help="a folder that is kept (default: one that goes)")
    asked = parser.parse_args()
    with ExitStack() as stack:
        if asked.at is None:
            folder = stack.enter_context(site()).new_folder("attested")
        else:
            asked.at.mkdir(parents=True)
            folder = asked.at
        measure(folder, asked.rows)
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
