"""`consent-ledger history`: a holder brings what its own records say of the time before (docs/history.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli.folder import As, ParticipantFolder, seen, speak
from api.cli.saying import REFUSED, files_told_in_a_sentence, mention, say, warn
from api.cli.shared import progress_bar
from api.histories.reading import BroughtSource, open_source
from api.histories.rows import RefusedRow
from api.histories.workbook import Workbook
from ledger.clock import SystemClock
from ledger.errors import InvalidInput

if TYPE_CHECKING:
    from api.client import LedgerClient, Pseudonyms, VerifiedReceipt

histories = typer.Typer(
    help="History from before the log, attested by a holder and decided by nobody here.", no_args_is_help=True
)
SHOWN: Final = 20

Code = Annotated[str, typer.Option("--id", help="A new name for this history, a code such as core-2016-2025.")]


@histories.command("attest")
def history_attest(
    source: Annotated[
        Path, typer.Argument(help="A CSV file, a folder of them, or a folder with a QLDB journal export.")
    ],
    own: As,
    history: Code,
    title: Annotated[str, typer.Option(help="What it is, in words for customers: «Consent register 2016 to 2025».")],
    *,
    mapping: Annotated[
        Path | None, typer.Option(help="For a QLDB export: the file that says which field becomes what.")
    ] = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave out rows that cannot be attested, and say how many.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count everything, and record nothing.")] = False,
    workbook: Annotated[
        Path | None,
        typer.Option(help="Where the sheets are put together (personal data; default: in the participant's folder)."),
    ] = None,
) -> None:
    """As a holder: attest what your own records say of the time before this log. Whoever is interrupted says it again."""
    with files_told_in_a_sentence():
        folder = ParticipantFolder.read(own)
        place = workbook or folder.path / "histories" / f"{Path(history).name}.workbook"
        opened = open_source(source, mapping)
        kept = None if dry_run else Workbook.resume(place)
        if kept is not None:
            _require_same(kept, opened, history, title)
            mention(f"going on with {place}")
            _go_on(own, kept)
            return
        pseudonyms = folder.pseudonyms()
        book = Workbook.create(place.with_name(place.name + ".preview") if dry_run else place)
        try:
            refused = read_rows(opened, book, pseudonyms)
        except BaseException:
            book.close(remove=True)
            raise
    _bring_new(own, book, opened, refused, history=history, title=title, leave_out=leave_out, dry_run=dry_run)


@histories.command("show")
def history_show(own: As) -> None:
    """As a holder: your histories; as an auditor or a regulator: those of all holders."""

    async def asked(client: LedgerClient, _: ParticipantFolder) -> Any:
        return await client.read("/partners/histories")

    found = speak(own, asked)
    for each in found["histories"]:
        state = "" if each["withdrawn_at"] is None else f", withdrawn at {each['withdrawn_at']}"
        mention(
            f"{each['index']}  {each['holder']}  {each['history']}  «{each['title']}»  {each['rows']} rows of "
            f"{each['customers']} customers, {_day(each['first'])} to {_day(each['last'])}, left out {each['left_out']}{state}"
        )
    say(f"{len(found['histories'])} histories, attested by their holders.", **found)


@histories.command("withdraw")
def history_withdraw(
    own: As, history: Code, reason: Annotated[str, typer.Option(help="A code such as wrong-columns.")]
) -> None:
    """As a holder: stand by a history no more. What was brought stays, told as withdrawn."""

    async def said(client: LedgerClient, folder: ParticipantFolder) -> tuple[VerifiedReceipt, Path]:
        question = await client.statements.sign("history.withdraw", history=history, reason=reason)
        [receipt] = await client.ask("/partners/histories/withdraw", question)
        return receipt, folder.keep(receipt)

    receipt, file = speak(own, said)
    say(f"history.withdraw: entry {receipt.index}; the receipt is {file}", **seen(receipt, file))


@dataclass(frozen=True)
class RefusedRows:
    """How many rows were refused, and the first of them: a table may hold millions, and nobody reads more."""

    count: int
    shown: list[RefusedRow]


def read_rows(opened: BroughtSource, book: Workbook, pseudonyms: Pseudonyms) -> RefusedRows:
    """All rows into the workbook; those that are refused. Raises InvalidInput, OSError."""
    now = SystemClock().now() // 1000
    count, shown = 0, list[RefusedRow]()
    portion: list[tuple[str, int, bytes]] = []
    for row in opened.rows():
        found = row
        if not isinstance(found, RefusedRow) and found.time > now:
            found = RefusedRow(found.where, "its time lies in the future")
        if isinstance(found, RefusedRow):
            count += 1
            if len(shown) < SHOWN:
                shown.append(found)
        else:
            portion.append((pseudonyms.customer(found.customer), found.time, found.body))
        if len(portion) == 1_000:
            book.take(portion)
            portion = []
    book.take(portion)
    book.prepare()
    return RefusedRows(count, shown)


def _bring_new(
    own: Path,
    book: Workbook,
    opened: BroughtSource,
    refused: RefusedRows,
    *,
    history: str,
    title: str,
    leave_out: bool,
    dry_run: bool,
) -> None:
    from api.histories.bringing import attest, drop_late_rows, finish, send  # noqa: PLC0415  (loads no client until asked)

    for each in refused.shown:
        warn(f"{each.where}: {each.why}")
    wanted = True

    async def brought(client: LedgerClient, folder: ParticipantFolder) -> dict[str, Any]:
        nonlocal wanted
        late = await drop_late_rows(client, book)
        left_out = refused.count + late.begun + late.erased
        source = opened.source()
        members = finish(book, source, history, title, left_out)
        told = members | {
            "after_their_own_record": late.begun,
            "of_erased_customers": late.erased,
            "refused_rows": refused.count,
        }
        if dry_run or (left_out and not leave_out):
            wanted = False
            return told | {"index": None, "recorded": 0}
        receipt = await attest(client, book, members)
        if receipt is not None:
            folder.keep(receipt)
        with progress_bar("sheets") as progress:
            sent = await send(client, book, progress)
        return told | {"index": book.said("entry"), "recorded": sent}

    finished = False
    try:
        told = speak(own, brought)
        finished = True
    finally:
        # what was signed and is not whole is gone on with; all else begins anew
        book.close(remove=finished or book.said("entry") is None)
    _tell(told)
    if not wanted and not dry_run:
        warn(
            "nothing was recorded: mend the source, or say --leave-out to attest the other rows. The history will say how many "
            "were left out"
        )
        raise typer.Exit(REFUSED)


def _go_on(own: Path, book: Workbook) -> None:
    from api.histories.bringing import attest, send  # noqa: PLC0415  (as above)

    members: dict[str, Any] = book.said("attested")

    async def brought(client: LedgerClient, folder: ParticipantFolder) -> dict[str, Any]:
        receipt = await attest(client, book, members)
        if receipt is not None:
            folder.keep(receipt)
        with progress_bar("sheets") as progress:
            sent = await send(client, book, progress)
        return members | {"index": book.said("entry"), "recorded": sent}

    finished = False
    try:
        told = speak(own, brought)
        finished = True
    finally:
        book.close(remove=finished)
    _tell(told)


def _require_same(kept: Workbook, opened: BroughtSource, history: str, title: str) -> None:
    members = kept.said("attested")
    same = (members["history"], members["title"], members["source"]["hash"]) == (history, title, opened.hash)
    if not same:
        kept.close()
        raise InvalidInput(
            f"{kept.path} holds another history that is not recorded whole ({members['history']!r}): go on with that one "
            "first, or name another --workbook"
        )


def _tell(told: dict[str, Any]) -> None:
    mention(
        f"{told['rows']} rows of {told['customers']} customers on {told['sheets']} sheets, {_day(told['first'])} to "
        f"{_day(told['last'])}; {told['left_out']} left out"
    )
    for count, what in (
        (told.get("refused_rows", 0), "could not be read as rows"),
        (told.get("after_their_own_record", 0), "are not before their customer's own record in this log"),
        (told.get("of_erased_customers", 0), "are of customers whose records were erased"),
    ):
        if count:
            mention(f"  {count} {what}")
    where = "nothing recorded" if told["index"] is None else f"attested by entry {told['index']}"
    say(f"{told['history']}: {where}, {told['recorded']} sheets recorded now.", **told)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
