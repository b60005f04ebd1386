"""The demo from beginning to end."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from api.client import ClientError
from api.client.supervision import USUAL_CLOCKS
from api.demo import alarms, audit, history, oversight, story, trial
from api.demo.cast import RECIPIENTS, BankPlace, Cast, assemble, open_log
from api.demo.doors import answering, doors, show_doors
from api.demo.past import BILLED, HOLDER, Past
from api.demo.people import People, find_people
from api.demo.recipient import Pulled
from api.demo.servers import DemoFailed, free_port, ledger_process, wait_until_ready
from api.demo.sets import play_set
from api.demo.stage import Stage
from api.demo.table import ClosingTable
from api.demo.templates import find_templates
from api.demo.witnesses import start_witnesses, wait_until_witnessed
from api.demo.words import Language, Says
from ledger.errors import LedgerError

LEAST_CUSTOMERS = 10


def play(*, once: bool, customers: int, directory: Path | None, language: Language, shards: int = 0) -> int:
    """See api.demo.run."""
    console, say = Console(), Says(language)
    logging.getLogger("consent_ledger.guard").addHandler(logging.NullHandler())
    if find_spec("verifier") is None:
        console.print(say("no-verifier"), style="red", markup=False)
        return 1
    if customers < LEAST_CUSTOMERS:
        console.print(say("too-few", least=LEAST_CUSTOMERS), style="red")
        return 1
    if directory is not None and directory.exists() and any(directory.iterdir()):
        console.print(say("not-empty", folder=directory), style="red", markup=False)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="consent-ledger-demo-")) if directory is None else directory
    folder.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGHUP):  # the ledger is a process of its own: however we end, it ends first
        signal.signal(number, signal.default_int_handler)
    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            stage = Stage(console, say)
            if shards:
                return runner.run(_play_set(stage, folder, shards))
            return runner.run(_play(stage, folder, once=once, customers=customers))
    except KeyboardInterrupt:
        console.print(f"\n{say('stopped')}")
        return 0 if not once else 1
    except (DemoFailed, ClientError, LedgerError) as error:
        console.print(f"{say('failed')} {error}", style="bold red", markup=False)
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


async def _play(stage: Stage, folder: Path, *, once: bool, customers: int) -> int:
    begun = time.perf_counter()
    console, say = stage.console, stage.say
    facts, seen = ClosingTable(say), story.StoryCounts()
    people, templates = find_people(), find_templates()
    console.print(f"\n[bold]{say('opening')}[/] {_whose(say, people)}")
    for one in templates:
        console.print(say("opening.template", standard=one.standard, version=one.version, source=one.source))
    console.print(f"{say('opening.keys', folder=folder)}\n")
    state, log, witnessed = folder / "ledger", folder / "ledger.log", folder / "policy-with-witnesses"
    port = free_port()
    url = f"http://localhost:{port}"
    async with AsyncExitStack() as stack:
        with stage.act("start"):
            premises = BankPlace.found(folder / "pages")
            vkey, keys, past = await asyncio.to_thread(open_log, state, customers)
            await start_witnesses(stack, vkey, folder / "witnesses", witnessed)
            process = stack.enter_context(ledger_process(state, port, log, witnessed, premises.pages.settings(port)))
            await wait_until_ready(url, process, log)
            cast = await assemble(stack, url, vkey, keys, people, templates, folder, premises)
        facts.add("start", say("start.result", name=vkey.name), good=True, seconds=stage.seconds)
        await _consents(stage, facts, cast, seen, customers)
        await _refusals(stage, facts, cast, seen)
        histories = await _histories(stage, facts, cast)
        noticed = await _alerts(stage, cast, past, seen)
        counted = await _overseen(stage, facts, cast, past, state)
        await _incident(stage, facts, cast, past, seen)
        month, scores = await _partners(stage, facts, cast, past, state)
        await _witnessed(stage, facts, cast)
        whole = await _audit(stage, facts, cast, seen, folder)
        _noticed(stage, facts, noticed, whole)
        _counted(stage, facts, counted, past, whole)
        _recounted(stage, facts, month, scores, whole)
        size = say("total.result", accounts=len(people.accounts), transactions=people.transactions)
        facts.add("total", size, good=True, seconds=time.perf_counter() - begun)
        _close(stage, facts, folder)
        if not once:
            show_doors(console, say, doors(url, histories.waiting, say.language))
            _show_addresses(console, say, cast)
            await history.go_on(histories)
            await asyncio.Event().wait()
    return 0 if facts.good else 1


async def _play_set(stage: Stage, folder: Path, shards: int) -> int:
    console, say = stage.console, stage.say
    console.print(f"\n[bold]{say('opening')}[/] {say('opening.set', count=shards)}")
    console.print(f"{say('opening.keys', folder=folder)}\n")
    facts = await play_set(stage, folder, shards)
    _close(stage, facts, folder)
    return 0 if facts.good else 1


def _close(stage: Stage, facts: ClosingTable, folder: Path) -> None:
    """Show the table, keep it, and say so if something is not as it must be."""
    stage.console.print()
    facts.show(stage.console)
    (folder / "facts.json").write_text(json.dumps(facts.as_json(), indent=1), encoding="utf-8")
    if not facts.good:
        stage.console.print(stage.say("wrong"), style="bold red")


async def _consents(stage: Stage, facts: ClosingTable, cast: Cast, seen: story.StoryCounts, customers: int) -> None:
    say = stage.say
    chosen = story.cast_customers(cast, customers)
    with stage.act("connect", customers) as tick:
        await story.connect(cast, seen, chosen, tick)
    facts.add(
        "consents",
        say("consents.result", count=len(seen.shares), joint=seen.joint),
        good=len(seen.shares) == customers,
        seconds=stage.seconds,
    )
    fetches = customers + len(seen.shares[:: story.BALANCES_OF])
    with stage.act("pull", fetches) as tick:
        await story.pull(seen, tick)
    online, offline = seen.online[200], seen.offline[200]
    facts.add(
        "pulls",
        say("pulls.result", rows=seen.rows, fetches=online + offline, online=online, offline=offline),
        good=online + offline == fetches,
        seconds=stage.seconds,
    )


async def _refusals(stage: Stage, facts: ClosingTable, cast: Cast, seen: story.StoryCounts) -> None:
    say = stage.say
    with stage.act("stop", len(seen.shares[::10]) + len(seen.shares[5::10])) as tick:
        await story.revoke(cast, seen, tick)
    stopped = say("revocations.result", bank=seen.revoked_at_bank, app=seen.revoked_at_recipient)
    facts.add("revocations", stopped, good=True, seconds=stage.seconds)
    with stage.act("refused", len(seen.revocations) + 8) as tick:
        await story.try_what_must_fail(seen, tick)
    after = seen.after_revocation
    refused = [pulled for pulled in after if pulled.status == 403 and pulled.reason == "CONSENT_REVOKED"]
    facts.add(
        "after_revocation",
        say("after_revocation.result", refused=len(refused), count=len(after)),
        good=len(refused) == len(after) == len(seen.revocations) and _all_denied(seen),
        seconds=stage.seconds,
    )
    stranger, replay = seen.stranger, seen.replay
    facts.add(
        "stranger",
        _told(say, stranger),
        good=stranger is not None and (stranger.status, stranger.reason) == (403, "CONSENT_UNKNOWN"),
    )
    facts.add(
        "replay",
        _told(say, replay),
        good=replay is not None and (replay.status, replay.reason) == (409, "REPLAYED"),
    )
    allowed = [pulled for pulled in seen.frequency if pulled.status == 200]
    too_often = [pulled for pulled in seen.frequency if (pulled.status, pulled.reason) == (429, "FREQUENCY_EXCEEDED")]
    facts.add(
        "frequency",
        say("frequency.result", allowed=len(allowed), refused=len(too_often)),
        good=0 < len(allowed) <= 4 and len(too_often) == len(seen.frequency) - len(allowed) > 0,
    )


def _all_denied(seen: story.StoryCounts) -> bool:
    """The refusals are in the log, above the revocations they follow from."""
    proved = [pulled.receipt for pulled in seen.after_revocation if pulled.receipt is not None]
    return len(proved) == len(seen.after_revocation) and all(
        not receipt.allowed and receipt.item is not None and receipt.index > seen.revocations[receipt.item.consent_id]
        for receipt in proved
    )


def _told(say: Says, pulled: Pulled | None) -> str:
    return (
        say("untried.result") if pulled is None else say("refused.result", status=pulled.status, reason=pulled.reason)
    )


async def _histories(stage: Stage, facts: ClosingTable, cast: Cast) -> history.Histories:
    """Customers whose pages can be looked at; every door is tried."""
    with stage.act("people", history.STEPS) as tick:
        told = await history.live(cast, tick)
    found = doors(cast.url, told.waiting, stage.say.language)
    good = await answering(found)
    facts.add("pages", stage.say("pages.result", count=good), good=good == len(found), seconds=stage.seconds)
    return told


async def _alerts(stage: Stage, cast: Cast, past: Past, seen: story.StoryCounts) -> alarms.Noticed:
    """Five things that are wrong, one after the other."""
    living = next(
        share.connection
        for share in seen.shares
        if share.connection.consent_id not in seen.revocations and share.connection.bank == HOLDER
    )
    with stage.act("alerts", alarms.STEPS) as tick:
        return await alarms.plant(cast, past, living, tick)


async def _overseen(stage: Stage, facts: ClosingTable, cast: Cast, past: Past, state: Path) -> dict[str, str]:
    """The scraping recipient is frozen for a moment; the figures of a bad day are put on record."""
    scraping = cast.recipients[-1].client
    with stage.act("freeze", oversight.STEPS) as tick:
        frozen = await oversight.freeze(state, scraping, past.usual[scraping.participant][0], tick)
    told = stage.say("freeze.result", at=str(frozen.at), lifted=str(frozen.lifted_at), reason=", ".join(frozen.reasons))
    facts.add("freeze", told, good=frozen.stopped, seconds=stage.seconds)
    return await oversight.report(state, past, state.parent / "went-wrong.csv")


async def _incident(stage: Stage, facts: ClosingTable, cast: Cast, past: Past, seen: story.StoryCounts) -> None:
    """The bank whose customers were scraped reports it, and has hours left for what is due next."""
    scraping = cast.recipients[-1]
    living = [share.connection for share in seen.shares if share.connection.consent_id not in seen.revocations]
    theirs = sum(one.bank == HOLDER and one.consent_id in scraping.connections for one in living)
    affected = theirs + len(past.usual[scraping.client.participant])
    opened = await oversight.incident(cast.banks[HOLDER].client, scraping.client.participant, affected)
    told = stage.say("incident.result", name=opened.name, consents=opened.consents, hours=opened.hours)
    facts.add("incident", told, good=opened.running == len(USUAL_CLOCKS))


async def _partners(
    stage: Stage, facts: ClosingTable, cast: Cast, past: Past, state: Path
) -> tuple[oversight.BilledMonth, dict[str, int]]:
    """What partners do with each other: a month is billed, their work is scored, and one tries itself out."""
    with stage.act("partners", 3) as tick:
        month = await oversight.bill(cast.banks[HOLDER].client, cast.recipients[0].client, past)
        tick()
        scores = await oversight.score(state, past, state.parent / "quality.csv")
        tick()
        tried = await trial.try_out()
        tick()
    told = stage.say("sandbox.result", answered=tried.answered, of=tried.of, name=tried.second)
    facts.add("sandbox", told, good=tried.good, seconds=tried.seconds)
    return month, scores


def _recounted(
    stage: Stage, facts: ClosingTable, month: oversight.BilledMonth, scores: dict[str, int], whole: audit.Audit
) -> None:
    """Both have signed the month, and whoever has the log counts the same; so it is with the scores."""
    signed = month.agreed and month.releases == BILLED and month.total == BILLED * oversight.PRICE // 1_000
    recounted = whole.checked("statements of usage") == 1 and not whole.names(month.at) and whole.status == 0
    amount = f"{month.total // 100}.{month.total % 100:02d} CZK"
    told = stage.say("usage.result", month=month.month, releases=month.releases, amount=amount, entry=str(month.at))
    facts.add("usage", told, good=signed and recounted)
    shown = ", ".join(f"{name} {value}" for name, value in sorted(scores.items()))
    good = len(scores) == len(RECIPIENTS) and min(scores.values()) < max(scores.values()) <= 1_000 and whole.status == 0
    facts.add("score", stage.say("score.result", scores=shown), good=good and whole.checked("reports") > 1)


def _noticed(stage: Stage, facts: ClosingTable, noticed: alarms.Noticed, whole: audit.Audit) -> None:
    raised, count = whole.checked("alerts"), len(noticed.seconds)
    slowest = f"{noticed.slowest:.1f}"
    facts.add(
        "alerts",
        stage.say("alerts.result", planted=count, of=len(alarms.PLANTED), raised=raised, slowest=slowest),
        good=count == len(alarms.PLANTED) <= raised and whole.status == 0,
        seconds=noticed.slowest,
    )


def _counted(stage: Stage, facts: ClosingTable, counted: dict[str, str], past: Past, whole: audit.Audit) -> None:
    """The report says how many alerts there were that day, and whoever recomputes it says the same."""
    wanted = {"accesses_refused": "3", "acknowledged": "1", "alerts": str(past.alerts), "consents_withdrawn": "0"}
    found = {measure: counted.get(measure) for measure in wanted}
    hours = int(counted.get("acknowledge_seconds_max", "0")) // 3_600
    told = stage.say("report.result", alerts=past.alerts, refused=counted.get("accesses_refused", "?"), hours=hours)
    good = found == wanted and past.alerts >= len(alarms.PLANTED) and whole.checked("reports") > 0 and whole.status == 0
    facts.add("report", told, good=good, day=past.bad_day)


async def _witnessed(stage: Stage, facts: ClosingTable, cast: Cast) -> None:
    size = (await cast.recipients[0].client.checkpoint()).size
    with stage.act("witness"):
        cosigned = await wait_until_witnessed(cast.url, cast.trust.vkey, size)
    facts.add(
        "witnessed", stage.say("witnessed.result", entry=cosigned - 1), good=cosigned >= size, seconds=stage.seconds
    )


async def _audit(stage: Stage, facts: ClosingTable, cast: Cast, seen: story.StoryCounts, folder: Path) -> audit.Audit:
    say = stage.say
    policy, bundle, state = folder / "policy", folder / "bundle", folder / "ledger"
    witnessed = folder / "policy-with-witnesses"
    audit.write_policy(policy, cast.trust.vkey)
    held = [receipt for recipient in cast.recipients for receipt in recipient.receipts]
    count = audit.write_receipts(folder / "receipts", held)
    with stage.act("audit"):
        # Two programs at the same time: one reads receipts, the other the whole log.
        checking = asyncio.create_task(audit.verify_receipts(folder / "receipts", policy))
        await audit.export(state, bundle, witnessed)
        whole = await audit.verify_bundle(bundle, witnessed)
        verdicts = await checking
    facts.add("receipts", say("receipts.result", good=verdicts.get(0, 0), count=count), good=verdicts == {0: count})
    size = (await cast.recipients[0].client.checkpoint()).size
    good = whole.status == 0
    facts.add("bundle", say("bundle.good" if good else "bundle.bad", size=size), good=good, seconds=stage.seconds)
    index = max(seen.revocations.values())
    with stage.act("falsify"):
        await asyncio.to_thread(audit.falsify, state, folder / "falsified", index)
        await audit.export(folder / "falsified", folder / "falsified-bundle")
        changed = await audit.verify_bundle(folder / "falsified-bundle", policy)
    named = changed.status == 1 and changed.names(index)
    result = say("falsified.good", entry=str(index)) if named else say("falsified.bad", status=changed.status)
    facts.add("falsified", result, good=named, seconds=stage.seconds, entry=str(index))
    return whole


def _whose(say: Says, people: People) -> str:
    kind = "sample" if people.is_sample else "real"
    return say(f"opening.{kind}", accounts=len(people.accounts), rows=people.transactions)


def _show_addresses(console: Console, say: Says, cast: Cast) -> None:
    console.print(f"\n{say('programs')}")
    addresses = {say("log"): f"{cast.url}/checkpoint", **{name: f"{url}/" for name, url in cast.urls.items()}}
    for name, url in addresses.items():
        console.print(f"  {name:<14} {url}", highlight=False)
    console.print(f"\n{say('end')}")
