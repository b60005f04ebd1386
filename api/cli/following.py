"""`consent-ledger follow`: hold each checkpoint of the log against all that were seen before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.folder import As, ParticipantFolder, speak
from api.cli.saying import say, warn
from ledger.canonical import b64u

if TYPE_CHECKING:
    from api.client import LedgerClient

following = typer.Typer()


@following.command("follow")
def follow(
    own: As,
    every: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds between two looks.")] = 10.0,
    *,
    once: Annotated[bool, typer.Option("--once", help="One look, then end.")] = False,
) -> None:
    """Follow the log: each checkpoint must continue all before it. Ends with 3 when one does not, and keeps both.

    A new key of the log is believed if the one that is known vouches for it, and is written to participant.toml.
    """

    async def look(client: LedgerClient, own: ParticipantFolder) -> None:
        from api.client import LedgerUnavailable, ReceiptRefused  # noqa: PLC0415  (a help text needs no client)

        told = -1
        while True:
            try:
                seen = await client.checkpoint()
            except LedgerUnavailable as error:
                if once:
                    raise
                warn(error.detail)
            except ReceiptRefused as refused:
                if not await _learn(client, own, refused):
                    raise
                continue
            else:
                if seen.size != told:
                    told = seen.size
                    say(
                        f"{seen.origin}: {seen.size} entries, and they continue what was seen before",
                        log=seen.origin,
                        root=b64u(seen.root),
                        size=seen.size,
                    )
            if once:
                return
            await asyncio.sleep(every)

    speak(own, look)


async def _learn(client: LedgerClient, own: ParticipantFolder, refused: Exception) -> bool:
    """Whether the log has changed its key, and the known one vouches for the next. Raises ReceiptRefused; `refused` when the
    ledger tells of no keys."""
    from api.client import RefusedByLedger  # noqa: PLC0415  (see above)

    try:
        found = await client.learn_keys()
    except RefusedByLedger:
        raise refused from None
    if found:
        own.believe(client.trust)  # before a checkpoint is remembered that only the new key has signed
    for one in found:
        say(
            f"{one.vkey.name} has another key, for which the one before it vouches: {one.vkey.format()}, from size "
            f"{one.first} on; participant.toml believes it now",
            log=one.vkey.name,
            log_key=one.vkey.format(),
            vouched_by=one.by.format(),
            first=one.first,
        )
    return bool(found)
