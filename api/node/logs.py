"""Logs: one JSON object per line on standard error, with fields from a fixed list only.

Other fields are dropped, so that no body, address or identifier of a person gets into a log by a careless line. The
core's own log lines name indexes and sizes, never contents.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

FIELDS: Final = (
    "timestamp",
    "level",
    "logger",
    "event",
    "request_id",
    "method",
    "route",
    "status",
    "milliseconds",
    "client",
    "index",
    "problem",
    "error",
    "reason",
    "exception",
    "address",
    "size",
    "log_size",
    "witness",
    "slot",
    "workers",
    "version",
    "process",
    "exit_code",
    "in_seconds",
    "looked_in",
    "alerts",
    "shard",
    "kept",
)


def only_known_fields(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop fields that are not on the list, and those without a value."""
    return {name: event[name] for name in FIELDS if event.get(name) is not None}


def configure_logging(level: str) -> None:
    """Send structlog's and the standard library's records to standard error as JSON lines."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                only_known_fields,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn.access", "httpx2", "httpcore2", "alembic"):  # address lines, and chatter
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True
