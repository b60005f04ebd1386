"""The demo from beginning to end."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.client import ClientError
from api.demo import audit, story
from api.demo.cast import Cast, assemble, open_log
from api.demo.people import People, find_people
from api.demo.recipient import Pulled
from api.demo.servers import DemoFailed, free_port, ledger_process, wait_until_ready
from api.demo.table import ClosingTable
from api.demo.templates import find_templates
from api.demo.witnesses import start_witnesses, wait_until_witnessed
from ledger.errors import LedgerError

LEAST_CUSTOMERS = 10


class Stage:
    """Where the demo shows what it does: bars while it works, and the time each act took."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds = 0.0

    @contextmanager
    def act(self, title: str, total: int | None = None) -> Iterator[story.Tick]:
        """A bar for one act; call what it gives for every step."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<46}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        started = time.perf_counter()
        with Progress(*columns, console=self.console, transient=False) as progress:
            bar = progress.add_task(title, total=total or 1)
            yield lambda: progress.advance(bar)
            progress.update(bar, completed=total or 1)
        self.seconds = time.perf_counter() - started


def play(*, once: bool, customers: int, directory: Path | None) -> int:
    """See api.demo.run."""
    console = Console()
    logging.getLogger("consent_ledger.guard").addHandler(logging.NullHandler())
    if find_spec("verifier") is None:
        console.print(
            "[red]The demo's auditor is a program of its own, consent-verify, which is not installed: "
            "install consent-ledger\\[demo].[/]"
        )
        return 1
    if customers < LEAST_CUSTOMERS:
        console.print(f"[red]The demo needs at least {LEAST_CUSTOMERS} customers.[/]")
        return 1
    if directory is not None and directory.exists() and any(directory.iterdir()):
        console.print(f"[red]{directory} exists and is not empty: name a new folder.[/]")
        return 1
    folder = Path(tempfile.mkdtemp(prefix="consent-ledger-demo-")) if directory is None else directory
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            return runner.run(_play(console, folder, once=once, customers=customers))
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 0 if not once else 1
    except (DemoFailed, ClientError, LedgerError) as error:
        console.print(f"[bold red]The demo failed:[/] {error}")
        return 1
    finally:
        if directory is None:
            shutil.rmtree(folder, ignore_errors=True)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop of libuv where there is one: the demo serves five addresses from one process."""
    try:
        import uvloop  # noqa: PLC0415  (not on every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _play(console: Console, folder: Path, *, once: bool, customers: int) -> int:
    begun = time.perf_counter()
    stage, facts, seen = Stage(console), ClosingTable(), story.StoryCounts()
    people, templates = find_people(), find_templates()
    console.print(f"\n[bold]The consent ledger, at work.[/] The banks serve {people.source}.")
    for template in templates:
        console.print(f"Consents in the manner of {template.standard} {template.version}: {template.source}.")
    console.print(f"All keys were made just now, for this demo, and protect nothing. Everything is in {folder}.\n")
    state, log, witnessed = folder / "ledger", folder / "ledger.log", folder / "policy-with-witnesses"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        with stage.act("A ledger, two banks and three apps start"):
            vkey, keys = await asyncio.to_thread(open_log, state)
            await start_witnesses(stack, vkey, folder / "witnesses", witnessed)
            process = stack.enter_context(ledger_process(state, port, log, witnessed))
            await wait_until_ready(url, process, log)
            cast = await assemble(stack, url, vkey, keys, people, templates, folder)
        facts.add(
            "start",
            "Started a ledger, two banks and three apps, each on its own port",
            f"log {vkey.name}",
            good=True,
            seconds=stage.seconds,
        )
        await _consents(stage, facts, cast, seen, customers)
        await _refusals(stage, facts, cast, seen)
        await _witnessed(stage, facts, cast)
        await _audit(stage, facts, cast, seen, folder)
        facts.add(
            "total", "All of it", f"on this machine, {_size(people)}", good=True, seconds=time.perf_counter() - begun
        )
        console.print()
        facts.show(console)
        (folder / "facts.json").write_text(json.dumps(facts.as_json(), indent=1), encoding="utf-8")
        if not facts.good:
            console.print("[bold red]Something was not as it must be.[/]")
        if not once:
            _show_addresses(console, cast)
            await asyncio.Event().wait()
    return 0 if facts.good else 1


async def _consents(stage: Stage, facts: ClosingTable, cast: Cast, seen: story.StoryCounts, customers: int) -> None:
    chosen = story.cast_customers(cast, customers)
    with stage.act("Customers connect an app to their bank", customers) as tick:
        await story.connect(cast, seen, chosen, tick)
    facts.add(
        "consents",
        "Customers agreed, at their bank, that an app may see their account",
        f"{len(seen.shares)} consents, {seen.joint} of them by two people",
        good=len(seen.shares) == customers,
        seconds=stage.seconds,
    )
    fetches = customers + len(seen.shares[:: story.BALANCES_OF])
    with stage.act("Apps fetch balances and transactions", fetches) as tick:
        await story.pull(seen, tick)
    online, offline = seen.online[200], seen.offline[200]
    facts.add(
        "pulls",
        "Apps fetched data; the banks let nothing out without a decision in the log",
        f"{seen.rows:,} rows in {online + offline} fetches: {online} decided through the bank, {offline} with a receipt "
        "that the bank checked by itself",
        good=online + offline == fetches,
        seconds=stage.seconds,
    )


async def _refusals(stage: Stage, facts: ClosingTable, cast: Cast, seen: story.StoryCounts) -> None:
    with stage.act("Some customers stop sharing", len(seen.shares[::10]) + len(seen.shares[5::10])) as tick:
        await story.revoke(cast, seen, tick)
    facts.add(
        "revocations",
        "Customers stopped sharing",
        f"{seen.revoked_at_bank} at their bank, {seen.revoked_at_recipient} in the app",
        good=True,
        seconds=stage.seconds,
    )
    with stage.act("Apps try what must not work", len(seen.revocations) + 8) as tick:
        await story.try_what_must_fail(seen, tick)
    after = seen.after_revocation
    refused = [pulled for pulled in after if pulled.status == 403 and pulled.reason == "CONSENT_REVOKED"]
    all_refused = len(refused) == len(after) == len(seen.revocations) and _all_denied(seen)
    facts.add(
        "after_revocation",
        "Fetches after the customer stopped sharing",
        f"{len(refused)} of {len(after)} refused (CONSENT_REVOKED), each refusal in the log",
        good=all_refused,
        seconds=stage.seconds,
    )
    stranger, replay = seen.stranger, seen.replay
    facts.add(
        "stranger",
        "An app used another app's consent",
        _told(stranger),
        good=stranger is not None and (stranger.status, stranger.reason) == (403, "CONSENT_UNKNOWN"),
    )
    facts.add(
        "replay",
        "An app used a decision a second time",
        _told(replay),
        good=replay is not None and (replay.status, replay.reason) == (409, "REPLAYED"),
    )
    allowed = [pulled for pulled in seen.frequency if pulled.status == 200]
    too_often = [pulled for pulled in seen.frequency if (pulled.status, pulled.reason) == (429, "FREQUENCY_EXCEEDED")]
    facts.add(
        "frequency",
        "An app came too often while the customer was away",
        f"{len(allowed)} allowed, then {len(too_often)} refused (FREQUENCY_EXCEEDED)",
        good=0 < len(allowed) <= 4 and len(too_often) == len(seen.frequency) - len(allowed) > 0,
    )


def _all_denied(seen: story.StoryCounts) -> bool:
    """The refusals are in the log, above the revocations they follow from."""
    proved = [pulled.receipt for pulled in seen.after_revocation if pulled.receipt is not None]
    return len(proved) == len(seen.after_revocation) and all(
        not receipt.allowed and receipt.item is not None and receipt.index > seen.revocations[receipt.item.consent_id]
        for receipt in proved
    )


def _told(pulled: Pulled | None) -> str:
    return "not tried" if pulled is None else f"refused with {pulled.status} {pulled.reason}"


async def _witnessed(stage: Stage, facts: ClosingTable, cast: Cast) -> None:
    size = (await cast.recipients[0].client.checkpoint()).size
    with stage.act("Both banks witness that the log only grew"):
        cosigned = await wait_until_witnessed(cast.url, cast.trust.vkey, size)
    facts.add(
        "witnessed",
        "Both banks, which do not run the log, signed that it only grew",
        f"up to entry {cosigned - 1:,}",
        good=cosigned >= size,
        seconds=stage.seconds,
    )


async def _audit(stage: Stage, facts: ClosingTable, cast: Cast, seen: story.StoryCounts, folder: Path) -> None:
    policy, bundle, state = folder / "policy", folder / "bundle", folder / "ledger"
    witnessed = folder / "policy-with-witnesses"
    audit.write_policy(policy, cast.trust.vkey)
    held = [receipt for recipient in cast.recipients for receipt in recipient.receipts]
    count = audit.write_receipts(folder / "receipts", held)
    with stage.act("An auditor checks every receipt and the log"):
        # Two programs at the same time: one reads receipts, the other the whole log.
        checking = asyncio.create_task(audit.verify_receipts(folder / "receipts", policy))
        await audit.export(state, bundle, witnessed)
        whole = await audit.verify_bundle(bundle, witnessed)
        verdicts = await checking
    facts.add(
        "receipts",
        "An independent program checked every receipt the apps hold",
        f"{verdicts.get(0, 0):,} of {count:,} verified",
        good=verdicts == {0: count},
    )
    size = (await cast.recipients[0].client.checkpoint()).size
    facts.add(
        "bundle",
        "The same program checked the exported log: hashes, signatures, every decision again",
        f"{size:,} entries, {'verified, and witnessed by both banks' if whole.status == 0 else 'REFUTED'}",
        good=whole.status == 0,
        seconds=stage.seconds,
    )
    index = max(seen.revocations.values())
    with stage.act("Somebody changes one byte in a copy"):
        await asyncio.to_thread(audit.falsify, state, folder / "falsified", index)
        await audit.export(folder / "falsified", folder / "falsified-bundle")
        changed = await audit.verify_bundle(folder / "falsified-bundle", policy)
    named = changed.status == 1 and changed.names(index)
    facts.add(
        "falsified",
        f"Somebody changed one byte of entry {index} (a revocation) in a copy of the database",
        f"refuted, and entry {index} named" if named else f"status {changed.status}, not named",
        good=named,
        seconds=stage.seconds,
    )


def _size(people: People) -> str:
    return f"with {len(people.accounts):,} accounts and {people.transactions:,} transactions"


def _show_addresses(console: Console, cast: Cast) -> None:
    console.print("\nEverything is still running. Look around:")
    for name, url in cast.urls.items():
        console.print(f"  {name:<14} {url}/" + ("checkpoint" if name == "the ledger" else ""))
    console.print("\nCtrl-C ends it.")
