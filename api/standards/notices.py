"""Events in the words of outward standards, for endpoints that take those.

The address decides: one that ends as the standard demands gets the standard's own message, signed by the gateway; any
other gets security event tokens (docs/events.md). The same sender sends both: guarded addresses, retries,
acknowledgements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from urllib.parse import urlsplit

from api.events.delivery import Message
from api.office.gateway import Gateway
from api.office.office import Office
from api.standards.standard import Follower, NoticeForm, Standard
from ledger.canonical import b64u
from ledger.queries.events import Notice
from ledger.queries.records import RecordQueries


class OutwardNotices:
    """See `api.events.sender.Outward`."""

    def __init__(self, standards: Iterable[Standard], gateway: Gateway) -> None:
        self._forms = tuple(form for standard in standards for form in standard.notices)
        self._gateway = gateway

    def speaks_at(self, url: str) -> bool:
        """Whether the address ends as a standard's."""
        return self._form(url) is not None

    def message(self, url: str, notice: Notice, participant: str) -> Message | None:
        """The standard's message for an event of a consent of that standard."""
        form = self._form(url)
        return None if form is None else form.message(self._gateway, url, notice, participant)

    def _form(self, url: str) -> NoticeForm | None:
        path = urlsplit(url).path
        return next((form for form in self._forms if path.endswith(form.ending)), None)


def followed(standards: Iterable[Standard], office: Office, records: RecordQueries) -> Follower:
    """One follower that shows each notice to every standard that has one. Raises Unavailable as any of them does."""
    followers = [standard.follower(office, records) for standard in standards if standard.follower is not None]

    def show(notice: Notice) -> None:
        for follower in followers:
            follower(notice)

    return show


def notice_id(notice: Notice, participant: str, salt: int) -> str:
    """The same for every attempt to tell this participant of this entry; with a salt, one per attempt."""
    said = f"{notice.leaf_hash.hex()}\0{participant}\0{salt}"
    return b64u(hashlib.sha256(said.encode()).digest()[:16])
