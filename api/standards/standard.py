"""An outward standard: one folder, and this record of it in the folder's `standard.py`.

A folder holds `routes` (its addresses), `requests` (reading what is asked for, into terms), `answers` (wording what there is),
`dialect` (how it says no), and `operations` where an operation is more than one step of the office. Its words are a file of
`api/standards/words`. `api/standards/served.py` names it in one line; everything else (routes, refusals, the OpenAPI document,
notices, the sender's follower) is taken from the record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter

from api.events.delivery import Message
from api.office.gateway import Gateway
from api.office.office import Office
from api.standards.dialects import Dialect
from ledger.queries.events import Notice
from ledger.queries.records import RecordQueries

Follower = Callable[[Notice], None]
"""Is shown every notice in the log's order, once or more; raises Unavailable to be shown it again."""


@dataclass(frozen=True)
class NoticeForm:
    """How a standard tells an endpoint of an event, in a message of its own."""

    ending: str
    """Addresses that end like this take such messages."""
    message: Callable[[Gateway, str, Notice, str], Message | None]
    """From the gateway, the address, the event and the participant told; None when the standard has no word for it."""


@dataclass(frozen=True, kw_only=True)
class Standard:
    """An outward standard that is served."""

    name: str
    """Of its folder, its words and its page."""
    tag: str
    """Of its operations in the OpenAPI document."""
    about: str
    """The tag's description."""
    routers: tuple[APIRouter, ...]
    dialect: Dialect
    notices: tuple[NoticeForm, ...] = ()
    follower: Callable[[Office, RecordQueries], Follower] | None = None
    """A serving node's own work for this standard."""
