"""A sandbox beside the demo: opened by its own command, asked over HTTP, thrown away."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from api.demo.servers import DemoFailed, command, environment

GUEST: Final = "app-purse"
BANK: Final = "bank-north"
TWO: Final = ("joint", "partial")
"""The customers who own their account with somebody."""


@dataclass(frozen=True)
class Trial:
    """What the sandbox did. `first`, `second`: its origins before and after a reset."""

    answered: int
    of: int
    first: str
    second: str
    seconds: float
    """Of the reset."""

    @property
    def good(self) -> bool:
        """Whether all customers answered, and the reset made another log, neither of which can be taken for a real one."""
        apart = all(one.startswith("sandbox.invalid/") for one in (self.first, self.second))
        return self.answered == self.of > 0 and self.first != self.second and apart


async def try_out() -> Trial:
    """Open a sandbox, have each of its customers answer, and reset it. Raises DemoFailed."""
    opening = command("sandbox", "--port", "0", "--participant", GUEST, "--json")
    process = await asyncio.create_subprocess_exec(
        *opening, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    try:
        if process.stdout is None or not (line := await process.stdout.readline()):
            _, said = await process.communicate()
            raise DemoFailed(f"the sandbox did not open: {said.decode(errors='replace')[-600:]}")
        return await _tried(json.loads(line)["room"])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _tried(room: dict[str, Any]) -> Trial:
    answered = 0
    headers = {"authorization": f"Bearer {room['key']}"}
    async with httpx2.AsyncClient(base_url=room["control"], headers=headers, timeout=60) as http:
        for customer in room["customers"]:
            wanted = {"holder": BANK, "authorisers": 2 if customer in TWO else 1}
            asked = (await http.post("/requests", json=wanted)).json()
            answer = await http.post(f"/customers/{customer}/answer", json={"consent_id": asked["consent_id"]})
            answered += answer.status_code == httpx2.codes.OK
        begun = time.perf_counter()
        after = (await http.post("/reset")).json()
        seconds = time.perf_counter() - begun
    return Trial(answered, len(room["customers"]), room["ledger"]["origin"], after["ledger"]["origin"], seconds)
