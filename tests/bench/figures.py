"""Figures: what one measurement says, and how it is written down."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tests.bench.references import Reference


class Latency(Struct, frozen=True):
    """Milliseconds within which that share of requests was answered; exact, from all of them."""

    p50: float
    p99: float
    p999: float
    worst: float


def latency_of(seconds: Sequence[float]) -> Latency:
    """Of all measured latencies. Raises ValueError when there are none."""
    if not seconds:
        raise ValueError("nothing was answered in the measured window")
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 for share in (0.5, 0.99, 0.999)]
    return Latency(*at, ordered[-1] * 1000)


class Ratio(Struct, frozen=True, kw_only=True):
    """A figure as a multiple of what was measured beside it: what does not hang on the machine's hour."""

    what: str
    value: float
    goal: float = 0.0
    """What the issue asks for; 0 = nothing."""
    at_most: bool = True
    """The goal is an upper bound."""

    @property
    def met(self) -> bool:
        """Whether the goal is met; true without one."""
        return not self.goal or (self.value <= self.goal if self.at_most else self.value >= self.goal)


class Figure(Struct, frozen=True, kw_only=True):
    """One measurement."""

    section: str
    engine: str
    name: str
    value: float
    unit: str
    clients: int = 0
    latency: Latency | None = None
    server_cpu_us: float = 0.0
    """CPU microseconds of the server's processes per request (of the measuring process, at the library level)."""
    generator_cpu_us: float = 0.0
    goal: float = 0.0
    """What the issue asks for; 0 = nothing."""
    at_most: bool = False
    """The goal is an upper bound."""
    note: str = ""
    reference: Reference | None = None
    """What the machine gave in the same minute."""
    ratios: tuple[Ratio, ...] = ()

    @property
    def met(self) -> bool:
        """Whether the goal is met; true without one."""
        return not self.goal or (self.value <= self.goal if self.at_most else self.value >= self.goal)
