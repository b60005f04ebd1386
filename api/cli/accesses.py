"""`consent-ledger access`: ask to read data now. A denied access is recorded too, and ends with a status of its own."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl, urlsplit

import typer

from api.cli.folder import As, ParticipantFolder, seen, speak
from api.cli.saying import DENIED, say

if TYPE_CHECKING:
    from api.client import LedgerClient, VerifiedReceipt

accesses = typer.Typer()


@accesses.command("access")
def access(
    consent_id: Annotated[str, typer.Argument(help="The consent's id.")],
    own: As,
    permission: Annotated[list[str], typer.Option(help="A permission, such as ReadBalances; repeatable.")],
    purpose: Annotated[str, typer.Option(help="The purpose's code.")],
    request: Annotated[str, typer.Option(help="The request at the bank that it is for: «GET /accounts?…».")],
    account: Annotated[
        list[str] | None, typer.Option(help="An account's reference; repeatable. Default: all of the consent.")
    ] = None,
    since: Annotated[int, typer.Option("--from", min=0, help="First moment, Unix seconds; 0: open.")] = 0,
    to: Annotated[int, typer.Option(min=0, help="Last moment, Unix seconds; 0: open.")] = 0,
    *,
    customer_present: Annotated[
        bool, typer.Option("--customer-present", help="The customer asked for it now.")
    ] = False,
) -> None:
    """As recipient: ask to read data, get the ledger's decision, and keep the receipt. Exit status 5 when it is denied."""
    from api.client import make_item, request_digest  # noqa: PLC0415  (a help text needs no client)

    method, _, address = request.partition(" ")
    target = urlsplit(address)
    if not target.path.startswith("/"):
        raise typer.BadParameter("say METHOD and path, such as «GET /accounts»", param_hint="--request")

    async def ask(client: LedgerClient, folder: ParticipantFolder) -> tuple[VerifiedReceipt, Path]:
        holder = str((await client.consent(consent_id))["holder"])
        item = make_item(
            consent_id=consent_id,
            accounts=account or (),
            permissions=permission,
            purpose=purpose,
            request_digest=request_digest(holder, method, target.path, parse_qsl(target.query, keep_blank_values=True)),
            interaction_id=str(uuid.uuid4()),
            customer_present=customer_present,
            from_=since,
            to=to,
        )
        receipt = await client.access(item)
        return receipt, folder.keep(receipt)

    receipt, file = speak(own, ask)
    decided = "allowed" if receipt.allowed else f"denied ({', '.join(receipt.decision.all_reasons)})"
    say(
        f"{decided}, entry {receipt.index}; the receipt is {file}",
        allowed=receipt.allowed,
        consent_id=consent_id,
        reasons=list(receipt.decision.all_reasons),
        **seen(receipt, file),
    )
    if not receipt.allowed:
        raise typer.Exit(DENIED)
