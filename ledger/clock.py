"""Time enters the core here only."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where «now» comes from."""

    def now(self) -> int:
        """Milliseconds UTC since 1970."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Milliseconds UTC since 1970, as the machine has them."""
        return time.time_ns() // 1_000_000
