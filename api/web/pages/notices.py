"""Being told: she chooses how, and of what; nothing is chosen for her, and one click ends it."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.desk import Customer, Desk
from api.web.forms import CustomersForm
from api.web.subscriptions import KINDS, Channel, Kind, Subscription

router = APIRouter(include_in_schema=False, prefix="/my")


def offered(desk: Desk) -> tuple[Channel, ...]:
    """The ways in which this bank tells customers, and in which she can be reached."""
    return tuple(one for one in desk.office.channels if one != "mail" or desk.person.email)


@router.get("/notices")
def notices(desk: Customer, done: bool = False) -> Response:
    """What she is told, and how."""
    return desk.render(
        "notices.html",
        offered=offered(desk),
        known=desk.office.store.subscriptions.of(desk.person),
        kinds=KINDS,
        done=done,
    )


@router.post("/notices")
def change_notices(sent: CustomersForm) -> Response:
    """Write down what she wants; with no way chosen she is told nothing, and nothing of it is kept."""
    desk, subscriptions = sent.desk, sent.desk.office.store.subscriptions
    wanted = sent.texts("channel") if not sent.text("none", 1) else ()
    channels: tuple[Channel, ...] = tuple(one for one in offered(desk) if one in wanted)
    kinds: tuple[Kind, ...] = tuple(one for one in get_args(Kind) if one in sent.texts("kind"))
    if not channels or not kinds:
        subscriptions.drop(desk.person)
        return desk.redirect("/my/notices?done=true")
    known = subscriptions.of(desk.person)
    subscriptions.put(
        Subscription(
            person=desk.person,
            address=desk.person.email if "mail" in channels else "",
            channels=channels,
            kinds=kinds,
            language=desk.words.language,
            zone=desk.words.zone,
            since=known.since if known else desk.now,
        )
    )
    return desk.redirect("/my/notices?done=true")
