"""Used decisions in a database that all processes of a bank share; needs SQLAlchemy (the extra `sql`)."""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, delete, insert
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from api.guard.replay import AlreadyUsed, MemoryUnavailable

SWEEP_MS: Final = 60_000
"""How often a process deletes what may be forgotten."""


class UsedInSql:
    """One row for each used decision. The primary key decides between two processes that use one decision at once."""

    def __init__(self, engine: Engine, log: str, *, table: str = "consent_guard_used") -> None:
        """`engine`: the bank's own, to a database that all its processes share. `log`: the origin of the ledger, since two
        ledgers number their entries alike."""
        self._engine = engine
        self._log = log
        self._table = Table(
            table,
            MetaData(),
            Column("log", String(255), primary_key=True),
            Column("entry", BigInteger, primary_key=True, autoincrement=False),
            Column("forget_at", BigInteger, nullable=False, index=True),
        )
        self._swept = 0

    def create(self) -> None:
        """Make the table where it is missing. A bank that manages its schema itself makes it with its own tools."""
        self._table.create(self._engine, checkfirst=True)

    async def use(self, index: int, *, now: int, until: int) -> None:
        """See UsedDecisions. Raises MemoryUnavailable when the database does not answer."""
        await asyncio.to_thread(self._use, index, now, until)

    def _use(self, index: int, now: int, until: int) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(self._table).values(log=self._log, entry=index, forget_at=until))
                if now - self._swept >= SWEEP_MS:
                    connection.execute(delete(self._table).where(self._table.c.forget_at < now))
        except IntegrityError:
            raise AlreadyUsed from None
        except SQLAlchemyError as error:
            raise MemoryUnavailable(str(error)) from error
        if now - self._swept >= SWEEP_MS:
            self._swept = now
