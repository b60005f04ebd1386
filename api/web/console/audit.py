"""The console of auditors and regulators: the log's health, proofs in pictures, bundles, what is on record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, BinaryIO, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from api.http.streams import stream_of
from api.web.console import pictures
from api.web.console.doors import Place, Regulator, WatchDesk, Watcher
from api.web.desk import Desk
from ledger.bundle import Disclose
from ledger.canonical import b64
from ledger.errors import InvalidInput, NotFound
from ledger.merkle.proofs import verify_consistency, verify_inclusion
from ledger.notes.checkpoint import open_checkpoint

router = APIRouter(include_in_schema=False, prefix="/console/audit")
CASE_MS: Final = 30 * 86_400_000
"""How long a recorded disclosure may be downloaded."""
DOCUMENTS: Final = 100


@router.get("")
def overview(watcher: Watcher) -> Response:
    """The log's head, its health and its growth."""
    ledger = watcher.desk.office.ledger
    note = ledger.tree.checkpoint()
    checkpoint = open_checkpoint(note, ledger.vkeys)
    points = watcher.overview.growth()
    remit = watcher.desk.office.remit_of(watcher.staff.participant)
    attested = ledger.registry.histories.attested.values()
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
        histories=[each for each in attested if remit.may_touch("", each.holder, None)][-DOCUMENTS:],
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


# -- bundles ------------------------------------------------------------------------------------------------------------


@router.get("/bundle")
async def bundle(watcher: Watcher) -> Response:
    """The whole log without evidence, as a zip."""
    return await send_bundle(watcher.desk, Disclose.none(), "log.zip", -1)


async def send_bundle(desk: Desk, disclose: Disclose, name: str, above: int) -> Response:
    """A bundle as a file, streamed. `above`: an entry that must be in it."""
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
