"""Brings a history to a ledger: asks where customers' records begin, signs once, and sends the sheets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from api.histories.workbook import SheetTree, Workbook, WrittenSheet
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.entries.history_acts import sheet_jti
from ledger.errors import InvalidInput

if TYPE_CHECKING:
    from api.client import LedgerClient, VerifiedReceipt

AT_ONCE: Final = 16
"""Sheets under way: so many share a commit."""
_CONFLICT: Final = 409

Progress = Callable[[int, int], None]


class LateRows(NamedTuple):
    """Rows that no history may hold. `begun`: at or after the beginning of their customer's own record; `erased`: of customers
    whose records were erased."""

    begun: int
    erased: int


async def drop_late_rows(client: LedgerClient, workbook: Workbook) -> LateRows:
    """Take out of the workbook what the ledger would refuse."""
    begun = erased = 0
    for subjects in workbook.subjects():
        answer = await client.send("POST", "/partners/histories/beginnings", {"subjects": subjects})
        begun += workbook.leave_out({subject: -(-time // 1000) for subject, time in answer["began"].items()})
        erased += workbook.leave_out(dict.fromkeys(answer["erased"], 0))
    return LateRows(begun, erased)


def finish(workbook: Workbook, source: Mapping[str, Any], history: str, title: str, left_out: int) -> dict[str, Any]:
    """Cut the sheets, and give the members of the `history.attest` that commits to them. Raises InvalidInput."""
    totals = workbook.totals()
    sheets = workbook.cut(lambda: b64u(os.urandom(32)))
    return {
        "customers": totals.customers,
        "first": totals.first,
        "history": history,
        "last": totals.last,
        "left_out": left_out,
        "root": b64u(workbook.tree().root),
        "rows": totals.rows,
        "sheets": sheets,
        "source": dict(source),
        "title": title,
    }


async def attest(client: LedgerClient, workbook: Workbook, members: Mapping[str, Any]) -> VerifiedReceipt | None:
    """Sign the history, unless an earlier try did. None if it did: then its entry is known."""
    known = (await client.read("/partners/histories"))["histories"]
    for each in known:
        if (each["holder"], each["history"]) == (client.participant, members["history"]):
            if each["root"] != members["root"]:
                raise InvalidInput(f"the name {members['history']!r} was used at entry {each['index']}: choose another")
            workbook.say("entry", each["index"])
            return None
    # before anything is signed: whoever is interrupted goes on with these sheets, and no others
    workbook.say("attested", dict(members))
    [receipt] = await client.ask("/partners/histories", await client.statements.sign("history.attest", **members))
    workbook.say("entry", receipt.index)
    return receipt


async def send(client: LedgerClient, workbook: Workbook, progress: Progress) -> int:
    """Record the sheets that are not recorded yet; how many. Called again after an interruption, it goes on.

    What was under way then is signed again with the same time, so that the ledger knows it for a repeat.
    """
    entry, members, signed_at = workbook.said("entry"), workbook.said("attested"), workbook.said("signed_at")
    tree, sent = workbook.tree(), 0
    for page in workbook.waiting():
        for at in range(0, len(page), AT_ONCE):
            portion = page[at : at + AT_ONCE]
            if signed_at is None:
                signed_at = _now()
                workbook.say("signed_at", signed_at)
            signing = SheetSigning(client, entry, tree, signed_at)
            hers = groupby(portion, key=lambda sheet: sheet.subject)
            await asyncio.gather(*(_record_in_turn(signing, list(some)) for _, some in hers))
            workbook.recorded([sheet.position for sheet in portion])
            signed_at = None
            sent += len(portion)
            progress(portion[-1].position + 1, members["sheets"])
    return sent


class SheetSigning(NamedTuple):
    """What the sheets of a portion have in common. `signed_at`: their `iat`."""

    client: LedgerClient
    entry: int
    tree: SheetTree
    signed_at: int


async def _record_in_turn(signing: SheetSigning, sheets: list[WrittenSheet]) -> None:
    """Those of one customer, so that they stand in her chain in their order."""
    for sheet in sheets:
        await _record(signing, sheet)


async def _record(signing: SheetSigning, sheet: WrittenSheet) -> None:
    from api.client import RefusedByLedger  # noqa: PLC0415  (loads the client)

    try:
        await _ask(signing, sheet)
    except RefusedByLedger as refusal:
        if refusal.problem.get("member") == "iat":  # it was signed before a long interruption, and not recorded
            await _ask(signing._replace(signed_at=_now()), sheet)
        elif refusal.status != _CONFLICT or not str(refusal.problem.get("type", "")).endswith("jti-reused"):
            raise
        # else it is recorded: its jti is of this root and position, so it can be no other sheet


async def _ask(signing: SheetSigning, sheet: WrittenSheet) -> None:
    tree = signing.tree
    question = await signing.client.statements.sign(
        "history.sheet",
        history=signing.entry,
        iat=signing.signed_at,
        jti=sheet_jti(tree.root, sheet.position),
        path=tree.path(sheet.position),
        sheet=msgspec.json.decode(sheet.body),
    )
    await signing.client.ask("/partners/histories/sheets", question)


def _now() -> int:
    return SystemClock().now() // 1000
