"""How random lives are run: how many, and on PostgreSQL each in a database of its own."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

LIMITS = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


def on_postgresql(lives: type[Any], server: Any, prefix: str) -> None:
    """Run a few lives, each in a database of its own."""
    names = iter(range(10_000))

    class Postgres(lives):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.name = f"{prefix}_{next(names)}"
            with server.connect() as admin:
                admin.execute(f"CREATE DATABASE {self.name}")
            self.url = server.url(self.name)

        def teardown(self) -> None:
            super().teardown()
            with server.connect() as admin:
                admin.execute(f"DROP DATABASE {self.name} WITH (FORCE)")

    run_state_machine_as_test(Postgres, settings=settings(LIMITS, max_examples=4))
