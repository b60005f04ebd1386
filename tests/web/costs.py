"""What a page costs: the SQL statements behind it, and a log long enough to tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event

from tests.web.site import Site
from tests.world import ConsentInWorld


@contextmanager
def counted() -> Iterator[list[str]]:
    """The SQL statements of a block, in all threads."""
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def fill(site: Site, consent: ConsentInWorld, count: int) -> None:
    for done in range(0, count, 1000):
        items = [site.app.item(consent) for _ in range(min(1000, count - done))]
        site.world.record(site.app.batch(items))
