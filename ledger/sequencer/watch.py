"""The machine's clock, judged before it becomes the log's time (docs/spec/log.md, «Time»; docs/operating.md, «The clock»).

The log's time never runs backwards, so a clock that jumps ahead for a moment would hold up every statement for as long as it
jumped. It may lead by a bounded time only: over what has passed by a counter that nobody sets, since this machine's clock was
first looked at after it was switched on; and over the database's own clock, where that is another machine's.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from ledger.errors import ClockAhead
from ledger.sequencer.figures import Figures
from ledger.storage.log import Head

log = logging.getLogger("ledger.clock")

LEAD_MS: Final = 30_000
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def since_boot() -> int:
    """Milliseconds since the machine was switched on, sleep included: setting the clock does not change them."""
    counter = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.monotonic_ns() if counter is None else time.clock_gettime_ns(counter)) // 1_000_000


def this_boot() -> str:
    """Identifies this run of the machine; empty where the system does not say."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


class Anchor(NamedTuple):
    """One look at the clock: `wall` (ms UTC) when the counter of the run `boot` read `counter` (ms)."""

    boot: str
    counter: int
    wall: int

    def write(self, path: Path) -> None:
        """Keep it, in place of an older one."""
        partial = path.with_name(f"{path.name}.{os.getpid()}.new")
        partial.write_text(f"{self.boot}\n{self.counter}\n{self.wall}\n", "ascii")
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> Anchor | None:
        """The one that was kept; None when there is none, or it does not read."""
        try:
            boot, counter, wall, rest = path.read_text("ascii").split("\n")
            return cls(boot, int(counter), int(wall)) if not rest else None
        except (OSError, ValueError):
            return None


class ClockWatch:
    """Judges one machine's clock. For the sequencer's thread only."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        lead: int = LEAD_MS,
        counter: Callable[[], int] = since_boot,
        boot: str | None = None,
    ) -> None:
        """`path`: where the anchor is kept, so that starting anew does not make a wrong time the right one; None: nowhere.
        `lead`: milliseconds that the clock may be ahead."""
        self._path = path
        self._lead = lead
        self._counter = counter
        self._boot = this_boot() if boot is None else boot
        self._anchor: Anchor | None = None

    def ahead(self, now: int, database: int | None) -> tuple[int, str] | None:
        """(milliseconds, reason) when `now` must not become the log's time; None when it may. `database`: its own time (ms)."""
        if database is not None and now > database + self._lead:
            return now - database, (
                f"this machine's clock is {(now - database) // 1000} s ahead of the database's. Nothing new is recorded until "
                "the two agree; see docs/operating.md, «The clock»"
            )
        passed = self._expected(now)
        if now > passed + self._lead:
            self._anchor = None  # somebody may have said meanwhile that this time is right
            passed = self._expected(now)
        if now <= passed + self._lead:
            return None
        return now - passed, (
            f"this machine's clock is {(now - passed) // 1000} s ahead of the time that has passed since it was "
            "first looked at. Nothing new is recorded until it is right; see docs/operating.md, «The clock»"
        )

    def trust(self, now: int) -> None:
        """From here on `now` is the right time: the operator has said so."""
        self._anchor = Anchor(self._boot, self._counter(), now)
        if self._path is not None and self._boot:
            self._anchor.write(self._path)

    def _expected(self, now: int) -> int:
        """What the clock should show, by the counter."""
        if self._anchor is None and self._path is not None and self._boot:
            kept = Anchor.read(self._path)
            self._anchor = kept if kept is not None and kept.boot == self._boot else None
        if self._anchor is None:
            self.trust(now)
            log.info("the clock of this machine is watched from here on")
        assert self._anchor is not None  # noqa: S101  (`trust` has set it)
        return self._anchor.wall + self._counter() - self._anchor.counter


def judge_clock(watch: ClockWatch | None, figures: Figures, now: int, head: Head, *, record: bool) -> None:
    """Note how the clock stands. Raises ClockAhead when something is to be recorded and `now` (ms) must not become the log's
    time."""
    figures.clock_behind_ms = max(0, head.time - now)
    ahead = None if watch is None else watch.ahead(now, head.clock)
    figures.clock_ahead_ms, reason = (0, None) if ahead is None else ahead
    if reason is not None and figures.paused_because is None:
        log.critical("the sequencer pauses: %s", reason)
    elif reason is None and figures.paused_because is not None:
        log.warning("the clock is right again, and recording continues")
    figures.paused_because = reason
    if reason is not None and record:
        raise ClockAhead(reason)
