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
    """Follow the log: each checkpoint must continue all before it. Ends with 3 when one does not, and keeps both."""

    async def look(client: LedgerClient, _: ParticipantFolder) -> None:
        from api.client import LedgerUnavailable  # noqa: PLC0415  (a help text needs no client)

        told = -1
        while True:
            try:
                seen = await client.checkpoint()
            except LedgerUnavailable as error:
                if once:
                    raise
                warn(error.detail)
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
