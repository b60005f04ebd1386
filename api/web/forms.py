"""Forms that come from our own pages, and from nowhere else."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect

from api.web.desk import Anyone, Desk, SignedOut, SignInNeeded
from api.web.security import HOME, CrossSite, check_same_origin

WORDS: Final = "words"
"""The field of a form in which somebody writes sentences."""
MOST_WORDS: Final = 1_000


@dataclass(frozen=True)
class Sent:
    """A form that came from one of our pages, and the visit it came with."""

    desk: Desk
    form: FormData

    def text(self, name: str, limit: int = 2_000) -> str:
        """A field; empty when it is missing, cut at `limit` characters."""
        value = self.form.get(name)
        return value[:limit] if isinstance(value, str) else ""

    def texts(self, name: str, limit: int = 100) -> tuple[str, ...]:
        """A field that may stand several times."""
        return tuple(value for value in self.form.getlist(name)[:limit] if isinstance(value, str))


async def _read_form(request: Request, desk: Anyone) -> Sent:
    """The form of an unsafe request: from our own page (Origin, Sec-Fetch-Site), with the session's own token."""
    check_same_origin(request.headers, desk.office.base_url)
    try:
        form = await request.form(max_files=0, max_fields=300)
    except ClientDisconnect:
        raise CrossSite("the form did not arrive whole") from None
    if desk.session is None and request.url.path.startswith("/my/"):  # the session ended while she was reading
        words = form.get(WORDS)
        if isinstance(words, str) and words.strip():
            raise SignedOut(request.url.path, words[:MOST_WORDS])
        raise SignInNeeded(HOME)
    sent = form.get("csrf")
    known = desk.session.csrf if desk.session else ""
    if not known or not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), known.encode()):
        raise CrossSite("this form is too old or was not made for you; go back, load the page again and repeat")
    return Sent(desk, form)


AnyonesForm = Annotated[Sent, Depends(_read_form)]
"""A form by anybody who has a session, signed in or not."""


def _customers_form(sent: AnyonesForm) -> Sent:
    sent.desk.person  # noqa: B018 (raises SignInNeeded)
    return sent


CustomersForm = Annotated[Sent, Depends(_customers_form)]
"""A form by somebody who is signed in."""
