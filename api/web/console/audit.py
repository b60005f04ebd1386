"""The console of auditors and regulators: the log's health, proofs in pictures, bundles, and cases that open evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, BinaryIO, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.http.streams import stream_of
from api.web.console import pictures
from api.web.console.doors import Place, Regulator, RegulatorsForm, WatchDesk, Watcher
from api.web.desk import Desk
from api.web.plain import plain
from api.web.waiting import record_soon
from ledger.bundle import Disclose
from ledger.canonical import b64
from ledger.documents import Disclosure, document_of
from ledger.errors import InvalidInput, NotFound
from ledger.merkle.proofs import verify_consistency, verify_inclusion
from ledger.notes.checkpoint import open_checkpoint
from ledger.planning.commands import RecordDocuments
from ledger.queries.overview import PublicDocument

router = APIRouter(include_in_schema=False, prefix="/console/audit")
CASE_MS: Final = 30 * 86_400_000
"""How long a recorded disclosure may be downloaded."""
CASE_ENTRIES: Final = 65_536
"""The most entries that one case opens."""
DOCUMENTS: Final = 100

About = Literal["all", "disclosure", "erasure", "suspension", "key", "reconciliation", "supervision"]
ABOUT: Final[dict[str, tuple[str, ...]]] = {
    "disclosure": ("disclosure", "evidence.opened", "pack.issued"),
    "erasure": ("erasure",),
    "suspension": ("participant.suspended", "participant.reinstated", "participant.removed"),
    "key": (
        "key.added",
        "key.revoked",
        "delegation.granted",
        "delegation.ended",
        "log.key_added",
        "log.key_retired",
        "log.key_compromised",
    ),
    "reconciliation": ("reconciliation.reported",),
    "partners": ("attestation.approved", "conformance.certified"),
    "supervision": (
        "freeze.ordered",
        "freeze.lifted",
        "hold.placed",
        "hold.lifted",
        "scoring.activated",
        "model.activated",
        "alert.raised",
        "report.defined",
        "report.issued",
    ),
}


@router.get("")
def overview(watcher: Watcher) -> Response:
    """The log's head, its health and its growth."""
    ledger = watcher.desk.office.ledger
    note = ledger.tree.checkpoint()
    checkpoint = open_checkpoint(note, ledger.vkeys)
    points = watcher.overview.growth()
    return watcher.desk.render(
        "console/audit.html",
        watcher=watcher,
        note=note,
        checkpoint=checkpoint,
        root=b64(checkpoint.root),
        newest=watcher.overview.leaf(checkpoint.size - 1),
        line=pictures.growth(points),
        points=points,
        checkpoints=watcher.overview.checkpoints(limit=8),
        stopped=ledger.stopped_because,
        ruleset=ledger.registry.ruleset,
        participants=ledger.registry.participants,
        vkey=ledger.vkey.format(),
    )


@router.get("/proof")
def proof(watcher: Watcher, index: Place | None = None, size: Place | None = None) -> Response:
    """One entry's inclusion proof as a tree, step by step, recomputed here."""
    ledger = watcher.desk.office.ledger
    newest = ledger.tree.size()
    shown: dict[str, Any] = {"index": index, "size": size or newest, "newest": newest, "problem": ""}
    try:
        if index is not None:
            shown |= _explained(watcher, index, size or newest)
    except (InvalidInput, NotFound):
        return watcher.desk.render(
            "console/proof.html", 404, watcher=watcher, **(shown | {"problem": watcher.desk.words.t("con.proof.none")})
        )
    return watcher.desk.render("console/proof.html", watcher=watcher, **shown)


def _explained(watcher: WatchDesk, index: int, size: int) -> dict[str, Any]:
    ledger = watcher.desk.office.ledger
    note = watcher.overview.checkpoint_of(size)
    checkpoint = open_checkpoint(note, ledger.vkeys)
    leaf = watcher.overview.leaf(index)
    hashes = ledger.tree.inclusion(index, size)
    verify_inclusion(index, size, leaf.leaf_hash, hashes, checkpoint.root)
    steps = pictures.climb(index, size, leaf.leaf_hash, hashes)
    return {
        "leaf": leaf,
        "leaf_text": leaf.leaf.decode(),
        "steps": steps,
        "note": note,
        "root": b64(checkpoint.root),
        "tree": pictures.tree(leaf.leaf_hash, index, steps),
        "width": pictures.WIDTH,
        "box": pictures.BOX,
        "high": pictures.HIGH,
        "b64": b64,
    }


@router.get("/consistency")
def consistency(watcher: Watcher, old: Place | None = None, new: Place | None = None) -> Response:
    """That one checkpoint's tree continues another's, recomputed here."""
    ledger = watcher.desk.office.ledger
    newest = ledger.tree.size()
    shown: dict[str, Any] = {
        "old": old,
        "new": new or newest,
        "checkpoints": watcher.overview.checkpoints(limit=8),
        "problem": "",
    }
    try:
        if old is not None:
            shown |= _continued(watcher, old, new or newest)
    except (InvalidInput, NotFound):
        shown["problem"] = watcher.desk.words.t("con.consistency.none")
        return watcher.desk.render("console/consistency.html", 404, watcher=watcher, **shown)
    return watcher.desk.render("console/consistency.html", watcher=watcher, **shown)


def _continued(watcher: WatchDesk, old: int, new: int) -> dict[str, Any]:
    ledger = watcher.desk.office.ledger
    notes = [watcher.overview.checkpoint_of(size) for size in (old, new)]
    before, after = (open_checkpoint(note, ledger.vkeys) for note in notes)
    hashes = ledger.tree.consistency(old, new)
    verify_consistency(old, new, hashes, before.root, after.root)
    return {
        "notes": notes,
        "hashes": [b64(found) for found in hashes],
        "pieces": pictures.pieces(old, new),
        "roots": [b64(before.root), b64(after.root)],
    }


@router.get("/records")
def records(watcher: Watcher, about: About = "all", before: Place | None = None) -> Response:
    """Disclosures, erasures, suspensions and keys: what the operator has put on record, newest first."""
    looked_at = watcher.overview.documents(before=before, limit=DOCUMENTS)
    office = watcher.desk.office
    limited = watcher.staff.role == "regulator" and office.remit_of(watcher.staff.participant).is_limited
    listed = [
        one
        for one in looked_at
        if (about == "all" or one.document["type"] in ABOUT[about])
        and not (limited and one.document["type"] == "alert.raised")  # the queue has those that are the reader's
    ]
    older = looked_at[-1].index if len(looked_at) == DOCUMENTS else None
    return watcher.desk.render(
        "console/records.html",
        watcher=watcher,
        listed=listed,
        about=about,
        kinds=["all", *ABOUT],
        older=older,
        before=before,
        name_of=lambda participant: _name_of(watcher.desk, participant),
    )


def _name_of(desk: Desk, participant: str) -> str:
    found = desk.office.ledger.registry.participants.get(participant)
    return plain(found.name) if found else participant


@router.get("/findings")
def findings(regulator: Regulator, after: int = Query(-1, ge=-1, le=2**53)) -> Response:
    """Accesses whose two sides differ, of all that the regulator is there for: indexes only, no evidence."""
    reconciliation = regulator.desk.office.ledger.reconciliation
    remit = regulator.desk.office.remit_of(regulator.staff.participant)
    found = reconciliation.findings(remit, after=after, limit=DOCUMENTS)
    return regulator.desk.render(
        "console/findings.html",
        watcher=regulator,
        found=found,
        count=reconciliation.open_count(remit),
        older=found[-1].key if len(found) == DOCUMENTS else None,
    )


# -- bundles and cases --------------------------------------------------------------------------------------------------


@router.get("/bundles")
def bundles(watcher: Watcher, first: Place | None = None, last: Place | None = None) -> Response:
    """Take the log home, without evidence; a regulator may open evidence for a case, of entries that a page named."""
    desk = watcher.desk
    cases = _cases(watcher) if watcher.staff.role == "regulator" else []
    fresh = desk.session is not None and desk.session.is_fresh(desk.now)
    return desk.render(
        "console/bundles.html",
        watcher=watcher,
        cases=cases,
        fresh=fresh,
        size=desk.office.bundler.size(),
        until=lambda one: one.time + CASE_MS,
        case_entries=CASE_ENTRIES,
        first=first,
        last=last,
        problem="",
    )


def _cases(watcher: WatchDesk) -> list[PublicDocument]:
    """The newest disclosures to this regulator, among the newest documents."""
    newest = watcher.overview.documents(limit=DOCUMENTS)
    return [one for one in newest if _is_case_of(one, watcher.staff.participant)]


def _is_case_of(one: PublicDocument, participant: str) -> bool:
    return (one.document["type"], one.document.get("participant")) == ("disclosure", participant)


@router.get("/bundle")
async def bundle(watcher: Watcher) -> Response:
    """The whole log without evidence, as a zip."""
    return await _send(watcher.desk, Disclose.none(), "log.zip", -1)


@router.post("/cases")
def open_case(sent: RegulatorsForm) -> Response:
    """Record a disclosure for a case. Nothing is opened before the log says that it was. Raises StepUpNeeded."""
    desk = sent.desk
    desk.require_fresh("/console/audit/bundles")
    first, last = _index(sent.text("from_index", 20)), _index(sent.text("to_index", 20))
    if last - first >= CASE_ENTRIES:
        raise InvalidInput(f"a case opens at most {CASE_ENTRIES} entries")
    document = document_of(
        Disclosure,
        participant=desk.staff.participant,
        case=sent.text("case", 64),
        from_index=first,
        to_index=last,
    )
    [recorded] = record_soon(desk.office.ledger, RecordDocuments((document,)))
    return desk.redirect(f"/console/audit/cases/{recorded.index}")


def _index(text: str) -> int:
    """An entry number as a person types it. Raises InvalidInput."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise InvalidInput("an entry number is written in digits")
    return int(text)


@router.get("/cases/{index}")
def case(regulator: Regulator, index: Place) -> Response:
    """A recorded disclosure and its file."""
    found = _own_case(regulator, index)
    return regulator.desk.render(
        "console/case.html",
        watcher=regulator,
        one=found,
        ends=found.time + CASE_MS,
        is_open=regulator.desk.now < found.time + CASE_MS,
    )


@router.get("/cases/{index}/bundle")
async def case_bundle(regulator: Regulator, index: Place) -> Response:
    """The log with the evidence of a case, for thirty days after it was recorded. Raises StepUpNeeded."""
    desk = regulator.desk
    found = await run_in_threadpool(_own_case, regulator, index)
    if desk.now >= found.time + CASE_MS:
        raise NotFound("this case is closed: record a new disclosure")
    desk.require_fresh(f"/console/audit/cases/{index}")
    first, last = found.document["from_index"], found.document["to_index"]
    disclose = await run_in_threadpool(
        desk.office.bundler.disclosed_to, desk.office.remit_of(desk.staff.participant), first, last
    )
    return await _send(desk, disclose, f"case-{index}.zip", found.document["to_index"])


def _own_case(regulator: WatchDesk, index: int) -> PublicDocument:
    found = regulator.overview.document(index)
    if not _is_case_of(found, regulator.staff.participant):
        raise NotFound("you have no such case")
    return found


async def _send(desk: Desk, disclose: Disclose, name: str, above: int) -> Response:
    bundler = desk.office.bundler

    def write(stream: BinaryIO) -> None:
        bundler.write(stream, disclose, above=above)

    pieces = stream_of(write)
    first = await anext(pieces)  # a failure is an error page, not a broken file

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return desk.keep(StreamingResponse(all_pieces(), media_type="application/zip", headers=headers))
