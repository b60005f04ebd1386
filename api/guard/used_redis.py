"""Used decisions in Redis, shared by all processes of a bank; needs redis (the extra `redis`)."""

from __future__ import annotations

from typing import Any, Protocol

from redis.exceptions import RedisError

from api.guard.replay import AlreadyUsed, MemoryUnavailable


class SetsKeys(Protocol):
    """The part of `redis.asyncio.Redis` that is used here."""

    async def set(self, name: str, value: str, *, nx: bool, px: int) -> Any:
        """SET name value NX PX px: true when the key was new, None when it was there."""
        ...


class UsedInRedis:
    """One key for each used decision, which expires when the decision is too old anyway.

    The server must not evict keys (`maxmemory-policy noeviction`). A replica that is promoted may lack the last keys: for
    `max_age` after such a failover a decision could let data out a second time.
    """

    def __init__(self, redis: SetsKeys, log: str, *, prefix: str = "consent-guard:used") -> None:
        """`log`: the origin of the ledger, since two ledgers number their entries alike."""
        self._redis = redis
        self._prefix = f"{prefix}:{log}"

    async def use(self, index: int, *, now: int, until: int) -> None:
        """See UsedDecisions. Raises MemoryUnavailable when Redis does not answer."""
        try:
            fresh = await self._redis.set(f"{self._prefix}:{index}", "1", nx=True, px=max(1, until - now))
        except (RedisError, OSError) as error:
            raise MemoryUnavailable(str(error)) from error
        if not fresh:
            raise AlreadyUsed
