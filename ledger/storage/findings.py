"""What reconciliation reports have found, kept as indexes and codes beside the log (docs/spec/reconciliation.md)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, insert, update

from ledger.policy.reconciliation import CODES, Finding
from ledger.storage.tables import reconciliation_findings as findings


def key_of(access: int, code: str) -> int:
    """Where a finding stands in the order of all findings: by access, then by code."""
    return 8 * access + CODES.index(code)


def code_of(key: int) -> str:
    """The code in a key."""
    return CODES[key % 8]


def keep_findings(connection: Connection, report: int, found: Iterable[Finding]) -> None:
    """Keep what the report at entry `report` found, in its own transaction."""
    rows = [{"key": key_of(one.access, one.code), "report": report, "access": one.access} for one in found]
    if rows:
        connection.execute(insert(findings), rows)


def close_finding(connection: Connection, access: int, code: str, leg: int) -> None:
    """The missing leg of an access has come after all, as entry `leg`."""
    is_open = (findings.c.key == key_of(access, code)) & findings.c.closed_by.is_(None)
    connection.execute(update(findings).where(is_open).values(closed_by=leg))
