"""Rate limits of token requests and reads. Submissions are bounded by the queue instead."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from api.http.refusals import RateLimited


class RateLimits:
    """Counts per minute in this process's memory: with N workers a caller may reach N times the limit."""

    def __init__(self, *, tokens_per_minute: int, reads_per_minute: int) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._tokens = RateLimitItemPerMinute(tokens_per_minute, namespace="token")
        self._reads = RateLimitItemPerMinute(reads_per_minute, namespace="read")

    def token(self, who: str) -> None:
        """Count one token request. Raises RateLimited."""
        self._count(self._tokens, who)

    def read(self, who: str) -> None:
        """Count one read. Raises RateLimited."""
        self._count(self._reads, who)

    def _count(self, limit: RateLimitItem, who: str) -> None:
        if not self._limiter.hit(limit, who):
            reset = self._limiter.get_window_stats(limit, who).reset_time
            wait = max(1, math.ceil(reset - time.time()))
            raise RateLimited(
                f"{limit.amount} requests in a minute are allowed here; wait {wait} s",
                headers={"retry-after": str(wait)},
            )
