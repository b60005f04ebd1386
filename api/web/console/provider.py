"""The console of technology providers: for whom they may sign what, what they signed, their receipts and keys."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from api.web.console.days import Day, days_as_indexes
from api.web.console.doors import Place, Provider, ProviderDesk, ProvidersForm
from api.web.console.keeping import delegations_at, keys_page, suspend_own
from api.web.happened import read_event, reasons_of
from api.web.plain import cell
from ledger.entries.acts import ACTS
from ledger.entries.evidence import AccessOutcome
from ledger.entries.leaf import Kind
from ledger.errors import NotFound
from ledger.planning.commands import Recorded
from ledger.queries.signed import SignedEntries, SignedEntry, SoughtEntries
from ledger.receipts import MEDIA_TYPE, receipt_bytes

router = APIRouter(include_in_schema=False, prefix="/console/provider")
COLUMNS: Final = ("entry", "recorded_utc", "act", "for", "decision", "reasons", "consent")
ROWS: Final = 50
FILE_ROWS: Final = 5_000
FILE_SPANS: Final = 64
"""Looks of SPAN entries that the file takes: the newest 65,536 of the days that were chosen."""


class ActsForm(BaseModel):
    """The table's form, as it stands in the address."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    principal: Annotated[str, Query(max_length=63)] = ""
    act: Annotated[str, Query(max_length=64)] = ""
    show: Literal["all", "refused"] = "all"
    since: Day = ""
    until: Day = ""

    @property
    def kept(self) -> dict[str, str]:
        """What was chosen, for the links of the page."""
        return {name: str(value) for name, value in self.model_dump(mode="json").items() if value}


ActsHere = Annotated[ActsForm, Query()]


@router.get("")
def overview(provider: Provider) -> Response:
    """For whom one may sign what, since when; what has ended; the newest acts."""
    desk = provider.desk
    given = [one for one in delegations_at(desk, provider.id) if one.delegation.delegate == provider.id]
    newest = provider.signed.signed(provider.id, SoughtEntries(), limit=10)
    registry = desk.office.ledger.registry
    return desk.render(
        "console/provider.html",
        provider=provider,
        given=given,
        newest=newest,
        principals={one.delegation.participant: registry.participant(one.delegation.participant) for one in given},
        reasons_of=reasons_of,
        name_of=desk.name_of,
    )


@router.get("/acts")
def acts(provider: Provider, asked: ActsHere, before: Place | None = None) -> Response:
    """What one signed, as a table."""
    desk = provider.desk
    return desk.render(
        "console/acts.html",
        provider=provider,
        page=provider.signed.signed(provider.id, _sought(provider, asked), before=before, limit=ROWS),
        asked=asked,
        before=before,
        acts=sorted(ACTS),
        principals=_principals(provider),
        reasons_of=reasons_of,
        name_of=desk.name_of,
    )


@router.get("/acts.csv")
def acts_file(provider: Provider, asked: ActsHere) -> Response:
    """The same as a file, times in UTC: FILE_ROWS rows at the most, from the newest FILE_SPANS · SPAN entries."""
    found = provider.signed.signed(provider.id, _sought(provider, asked), limit=FILE_ROWS, spans=FILE_SPANS)
    headers = {"content-disposition": 'attachment; filename="acts.csv"'}
    text = _csv_of(found, provider.desk.words.utc)
    return provider.desk.keep(Response(text, media_type="text/csv; charset=utf-8", headers=headers))


def _csv_of(found: SignedEntries, utc: Callable[[int], str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in found.rows:
        said = one.index, utc(one.time), one.act, one.principal, _decision(one), " ".join(reasons_of(one.outcome))
        writer.writerow([cell(value) for value in (*said, one.consent_id or "")])
    return "\ufeff" + out.getvalue()


def _decision(entry: SignedEntry) -> str:
    return entry.outcome.decision if isinstance(entry.outcome, AccessOutcome) else ""


@router.get("/receipts/{index}")
def receipt(provider: Provider, index: Place) -> Response:
    """One receipt in words, of an entry that one signed."""
    recorded = _own_receipt(provider, index)
    return provider.desk.render(
        "console/receipt.html",
        event=read_event(recorded),
        vkey=provider.desk.office.ledger.vkey.format(),
        name_of=provider.desk.name_of,
        rooms="/console/provider",
    )


@router.get("/receipts/{index}/file")
def receipt_file(provider: Provider, index: Place) -> Response:
    """The receipt file."""
    name = f'attachment; filename="receipt-{index}.json"'
    body = receipt_bytes(_own_receipt(provider, index))
    return provider.desk.keep(Response(body, media_type=MEDIA_TYPE, headers={"content-disposition": name}))


@router.get("/keys")
def keys(provider: Provider) -> Response:
    """Own keys with the indexes between which each may sign."""
    return keys_page(provider.desk, provider.participant, "/console/provider/keys")


@router.post("/suspend")
def suspend(sent: ProvidersForm) -> Response:
    """Suspend one's own participant at once, as after the loss of a key. Raises StepUpNeeded."""
    return suspend_own(sent.desk, "/console/provider/keys")


def _own_receipt(provider: ProviderDesk, index: int) -> Recorded:
    """The receipt of an entry that this provider signed: a console of acts shows no other. Raises NotFound."""
    recorded = provider.desk.office.ledger.records.receipt_for(provider.id, index)
    event = read_event(recorded)
    erased = event.is_erased and recorded.kind in {Kind.CONSENT, Kind.SUBJECT}
    if event.iss != provider.id and not erased:
        raise NotFound("you have signed no such entry")
    return recorded


def _principals(provider: ProviderDesk) -> list[tuple[str, str]]:
    """Whom one signs or signed for: id and name, by name."""
    given = provider.desk.office.ledger.registry.delegations_of(provider.id)
    ids = {one.participant for one in given if one.delegate == provider.id}
    return sorted(((one, provider.desk.name_of(one)) for one in ids), key=lambda pair: pair[1])


def _sought(provider: ProviderDesk, asked: ActsForm) -> SoughtEntries:
    """The form's days are days of the reader's own zone."""
    since, until = days_as_indexes(provider.desk, asked.since, asked.until)
    return SoughtEntries(
        since=since,
        until=until,
        principal=asked.principal.strip() or None,
        act=asked.act.strip() or None,
        refused=asked.show == "refused",
    )
