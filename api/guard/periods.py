"""When a consent that was used as often as it may be is free again (docs/spec/ruleset-3.md, The unit of an access)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MINUTE_MS: Final = 60_000
MINUTES: Final[Mapping[str, int]] = {"day": 1_440, "hour": 60}
"""The periods that are short enough for a caller to wait for their end."""


def free_after(terms: Mapping[str, Any], refused_at: int, now: int) -> int | None:
    """Seconds from `now` to the end of the period in which a consent of these terms was refused at `refused_at` (both ms), at
    least 1; None for months and years, for which nobody waits with a request in hand. Raises KeyError, TypeError for others.

    All units are counted in the same periods, so the first comes free when all do.
    """
    period = terms.get("frequency_period", "day")
    if period in {"month", "year"}:
        return None
    offset, length = int(terms.get("utc_offset", 0)), MINUTES[period]
    ends = ((refused_at // MINUTE_MS + offset) // length + 1) * length - offset
    return max(1, -((now - ends * MINUTE_MS) // 1_000))
