"""Both banks witness the log: two parties other than its operator, who watch that it only grows."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx2

from api.demo.servers import DemoFailed, serving
from api.witness.running import make_witness, open_witness
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.keys import VerifierKey

NAMES: Final = ("bank-north.example/witness", "bank-south.example/witness")
PATIENCE_SECONDS: Final = 60.0


async def start_witnesses(stack: AsyncExitStack, log: VerifierKey, folder: Path, policy: Path) -> None:
    """Start a witness for each bank, and write the policy that asks for both; `stack` stops them."""
    keys = {name: make_witness(folder / name.replace("/", "-"), name) for name in NAMES}
    apps = {name: open_witness(folder / name.replace("/", "-"), [log.format()]) for name in NAMES}
    urls = await stack.enter_async_context(serving(dict(apps)))
    lines = [f"witness w{number} {keys[name].format()} {urls[name]}" for number, name in enumerate(NAMES)]
    members = " ".join(f"w{number}" for number in range(len(NAMES)))
    text = "\n".join([f"log {log.format()}", *lines, f"group both all {members}", "quorum both", ""])
    await asyncio.to_thread(policy.write_text, text, "utf-8")


async def wait_until_witnessed(url: str, log: VerifierKey, size: int) -> int:
    """The size of a checkpoint that both have cosigned, `size` or more. Raises DemoFailed when they take too long."""
    async with httpx2.AsyncClient(base_url=url) as http, asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await http.get("/checkpoint/witnessed")
            if answer.status_code == 200:
                cosigned = open_checkpoint(answer.text, log).size
                if cosigned >= size:
                    return cosigned
            elif answer.status_code != 404:
                raise DemoFailed(f"/checkpoint/witnessed was answered {answer.status_code}")
            await asyncio.sleep(0.1)
