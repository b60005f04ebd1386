"""A month of releases under a tariff: counted, stated, answered, invoiced (docs/partners.md)."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from msgspec import Struct
from starlette.responses import Response

from api.http.describing import answer
from api.http.wire import Reply
from api.node.admission import CallerHere, NodeHere, serve
from api.node.node import Node
from api.partners.invoices import CSV_TYPE, UBL_TYPE, Invoice, invoice_csv, invoice_ubl
from api.routes.partners import PRIVATE, READ, private, supervises
from api.tokens.bearer import Caller
from ledger.billing.months import month_named, name_of
from ledger.errors import InvalidInput, NotFound
from ledger.partners import Tariff, UsageStatement
from ledger.queries.usage import MOST_LEFT_OUT

router = APIRouter()
_ENTRY: Final = Query(ge=0, le=2**53 - 1)


class UsageCountReply(Struct, frozen=True, rename={"from_": "from"}):
    """The members of `usage.state` that follow from the entries. Amounts in minor units, times in seconds."""

    amounts: list[dict[str, int]]
    count: int
    from_: int
    left_out: list[dict[str, Any]]
    offer: int
    recipient: str
    replaces: int
    root: str
    to: int
    to_index: int
    total: int


class UsageReply(Struct, frozen=True):
    """A statement and what became of it: `stated`, `agreed`, `disputed` or `replaced`. Amounts in minor units."""

    index: int
    holder: str
    recipient: str
    offer: int
    tariff: str
    currency: str
    month: str
    state: str
    count: int
    total: int
    amounts: list[dict[str, int]]
    left_out: list[dict[str, Any]]
    disputed: list[dict[str, Any]]
    answered_at: int | None
    replaces: int
    replaced_by: int | None


class UsagesReply(Struct, frozen=True):
    """Usage statements, the last one first."""

    statements: list[UsageReply]


@serve(
    router,
    "GET",
    "/partners/usage",
    access=READ,
    tag="partners",
    summary="Usage statements",
    answers={200: answer("The last one first", schema="UsageStatements")},
)
def get_usage(node: NodeHere, caller: CallerHere) -> Response:
    """The two participants of a statement see it; auditors and regulators see all, a regulator as far as it is
    there for them."""
    partners = node.ledger.registry.partners
    found = [
        usage_reply(each, partners.tariffs[each.says.offer])
        for each in partners.statements.values()
        if caller.id in (each.author, each.says.recipient) or supervises(node, caller, each.author, each.says.recipient)
    ]
    return private(UsagesReply(found[::-1]))


@serve(
    router,
    "GET",
    "/partners/usage/count",
    access=READ,
    tag="partners",
    summary="Count a month",
    answers={200: answer("The members of `usage.state` that follow from the entries", schema="UsageCount")},
    problems=("bad-request", "invalid-input", "illegal-transition", "not-found"),
)
def get_usage_count(
    node: NodeHere,
    caller: CallerHere,
    *,
    offer: Annotated[int, _ENTRY],
    recipient: Annotated[str, Query(max_length=63)],
    month: Annotated[str, Query(max_length=7, description="YYYY-MM, under the tariff's offset")],
    left_out: Annotated[
        list[str] | None, Query(description="INDEX:REASON of an entry that is not billed; repeatable")
    ] = None,
) -> Response:
    """What a statement of this month says, for its holder to sign, or for its recipient to compare. Reads the log: seconds
    for a million releases."""
    tariff = node.ledger.registry.partners.tariff(offer)
    if not (caller.id in (tariff.author, recipient) or supervises(node, caller, tariff.author, recipient)):
        raise NotFound(f"entry {offer} is not a tariff of this participant's", member="offer")
    counted = node.ledger.usage.count(
        node.ledger.registry,
        offer,
        recipient,
        month_named(month, tariff.says.utc_offset),
        now=node.ledger.clock.now(),
        left_out=_left_out(left_out or []),
    )
    return private(msgspec.convert(counted.members(), UsageCountReply))


@serve(
    router,
    "GET",
    "/partners/usage/{index}/entries",
    access=READ,
    tag="partners",
    summary="The entries that a statement counts",
    answers={200: answer("One index in each line, rising", media_type="text/plain")},
    problems=("bad-request", "not-found"),
)
def get_usage_entries(node: NodeHere, caller: CallerHere, index: int) -> Response:
    """Counted again from the log as it is: whoever holds the list against the statement's root sees whether it is this one
    (`consent-verify usage`)."""
    stated = _statement(node, caller, index)
    counted = node.ledger.usage.again(stated, node.ledger.registry)
    text = "".join(f"{each}\n" for each in counted.indexes)
    return Reply(200, text.encode(), media_type="text/plain; charset=utf-8", headers=(PRIVATE,)).response()


@serve(
    router,
    "GET",
    "/partners/usage/{index}/invoice",
    access=READ,
    tag="partners",
    summary="The invoice of a statement",
    answers={200: answer("CSV, or XML in the manner of UBL 2.1", media_type="text/csv")},
    problems=("bad-request", "not-found"),
)
def get_invoice(
    node: NodeHere,
    caller: CallerHere,
    index: int,
    form: Annotated[str, Query(pattern="^(csv|ubl)$", description="csv or ubl")] = "csv",
) -> Response:
    """For the two participants of the statement, with its entry and state."""
    stated = _statement(node, caller, index)
    registry = node.ledger.registry
    invoice = Invoice.of(stated, registry.partners.tariffs[stated.says.offer], registry)
    content, media = (invoice_csv(invoice), CSV_TYPE) if form == "csv" else (invoice_ubl(invoice), UBL_TYPE)
    name = f'attachment; filename="{invoice.number}.{"csv" if form == "csv" else "xml"}"'
    return Reply(200, content, media_type=media, headers=(PRIVATE, ("content-disposition", name))).response()


def usage_reply(stated: UsageStatement, tariff: Tariff) -> UsageReply:
    """A statement as it is shown."""
    says, said = stated.says, msgspec.to_builtins(stated.says)
    return UsageReply(
        stated.index,
        stated.author,
        says.recipient,
        says.offer,
        tariff.says.tariff,
        tariff.says.currency,
        name_of(says.from_, tariff.says.utc_offset),
        stated.state,
        says.count,
        says.total,
        said["amounts"],
        said["left_out"],
        [] if stated.answer is None else msgspec.to_builtins(stated.answer.disputed),
        stated.answered_at,
        says.replaces,
        stated.replaced_by,
    )


def _statement(node: Node, caller: Caller, index: int) -> UsageStatement:
    stated = node.ledger.registry.partners.statements.get(index)
    if stated is None or not (
        caller.id in (stated.author, stated.says.recipient)
        or supervises(node, caller, stated.author, stated.says.recipient)
    ):
        raise NotFound(f"entry {index} is not a usage statement of this participant's", member="index")
    return stated


def _left_out(given: list[str]) -> dict[int, str]:
    if len(given) > MOST_LEFT_OUT:
        raise InvalidInput(f"a statement leaves out at most {MOST_LEFT_OUT} entries", member="left_out")
    found: dict[int, str] = {}
    for one in given:
        index, colon, reason = one.partition(":")
        if not (colon and index.isascii() and index.isdigit() and len(index) <= 16 and reason):
            raise InvalidInput(f"left_out {one[:80]!r} is not INDEX:REASON", member="left_out")
        found[int(index)] = reason
    return found
