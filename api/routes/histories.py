"""Histories that holders attested, and what a holder asks before it attests one (docs/history.md)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request
from msgspec import Meta, Struct
from starlette.responses import Response

from api.http.describing import answer, body
from api.http.wire import read_shape
from api.node.admission import CallerHere, NodeHere, serve
from api.routes.partners import READ, private, supervises
from ledger.canonical import b64u
from ledger.entries.fields import Reference
from ledger.entries.leaf import history_chain, subject_chain
from ledger.queries.subjects import SubjectQueries

router = APIRouter()
BEGINNINGS_LIMIT: Final = 64 * 1024


class AttestedHistoryReply(Struct, frozen=True):
    """A history as its holder attested it: its word about its own records, decided by nobody here. `first`, `last` in seconds;
    `withdrawn_at`: the entry by which the holder took it back."""

    holder: str
    history: str
    title: str
    source: dict[str, Any]
    rows: int
    customers: int
    sheets: int
    left_out: int
    first: int
    last: int
    root: str
    index: int
    withdrawn_at: int | None


class AttestedHistoriesReply(Struct, frozen=True):
    """Histories that the caller may see, in the order of their entries."""

    histories: list[AttestedHistoryReply]


class BeginningsQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """Customers of the caller, by its own references."""

    subjects: Annotated[tuple[Reference, ...], Meta(min_length=1, max_length=500)]


class BeginningsReply(Struct, frozen=True):
    """When (ms) the record of each of these customers begins, of those that have one; and those whose records were erased, of
    whom no history is taken."""

    began: dict[str, int]
    erased: list[str]


@serve(
    router,
    "GET",
    "/partners/histories",
    access=READ,
    tag="partners",
    summary="Attested histories",
    answers={200: answer("Those of the caller; auditors and regulators: all", schema="AttestedHistories")},
)
def get_histories(node: NodeHere, caller: CallerHere) -> Response:
    """A holder sees its own, auditors all, a regulator those of holders for which it is there. Nothing of a customer."""
    found = [
        AttestedHistoryReply(
            each.holder,
            each.says.history,
            each.says.title,
            msgspec.to_builtins(each.says.source),
            each.says.rows,
            each.says.customers,
            each.says.sheets,
            each.says.left_out,
            each.says.first,
            each.says.last,
            each.says.root,
            each.index,
            each.withdrawn_at,
        )
        for each in node.ledger.registry.histories.attested.values()
        if caller.id == each.holder or supervises(node, caller, each.holder, "")
    ]
    return private(AttestedHistoriesReply(found))


@serve(
    router,
    "POST",
    "/partners/histories/beginnings",
    access=READ,
    tag="partners",
    summary="Where customers' records begin",
    description="History ends there: a holder asks before it attests rows of these customers.",
    answers={200: answer("For those customers that have a record here", schema="Beginnings")},
    problems=("bad-request", "too-large", "unsupported-media-type", "unavailable"),
    request_body=body("BeginningsQuestion"),
)
async def ask_beginnings(request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """Only of the caller's own customers: their chains are named after it."""
    asked = await read_shape(request, BeginningsQuestion, BEGINNINGS_LIMIT)
    chains = {subject_chain(caller.id, subject): subject for subject in asked.subjects}
    began = await asyncio.to_thread(SubjectQueries(node.ledger.store).began, chains.keys())
    gone = node.ledger.registry.erased
    return private(
        BeginningsReply(
            {chains[chain]: time for chain, time in began.items()},
            sorted(
                subject
                for chain, subject in chains.items()
                if not gone.isdisjoint((b64u(chain), b64u(history_chain(caller.id, subject))))
            ),
        )
    )
