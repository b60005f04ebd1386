"""Notices in words. A subject line says nothing about a person; a short text names no app."""

from __future__ import annotations

from collections.abc import Iterator

from api.web.customer import Dealings
from api.web.outbox import PersonalMessage
from api.web.readings import LOOKED, readings_of
from api.web.subscriptions import Channel, Subscription
from api.web.telling.occasions import Occasion
from api.web.words import Words
from ledger.queries.glances import GlanceQueries


def words_for(one: Subscription) -> Words:
    """Her language and zone."""
    return Words(one.language, one.zone)


def in_words(one: Subscription, occasion: Occasion, base_url: str) -> Iterator[PersonalMessage]:
    """The notice, once for each of her channels."""
    words = words_for(one)
    text = words.t(f"notice.{occasion.kind}", recipient=occasion.recipient, time=words.time(occasion.time))
    yield from _each(one, words, text, words.t(f"notice.{occasion.kind}.short"), base_url + occasion.path, base_url)


def digest(
    one: Subscription, dealings: Dealings, glances: GlanceQueries, since: int, until: int, base_url: str
) -> Iterator[PersonalMessage]:
    """What was read from `since` to below `until` (ms), app by app; «at least» where not all of it was looked at."""
    words, lines = words_for(one), []
    for connection in dealings.all_connections():
        readings = readings_of(glances.newest(connection.chain, LOOKED))
        reads = sum(each.allowed for each in readings.within(since, until))
        if reads or connection.is_live:
            counted = words.n("often.reads", reads)
            key = "notice.digest.line" if readings.covers(since) else "notice.digest.least"
            state = words.t(f"status.{connection.status}")
            lines.append(words.t(key, recipient=connection.recipient, reads=counted, state=state))
    if not lines:
        return
    text = words.t("notice.digest", start=words.day(since), end=words.day(until - 1)) + "\n\n" + "\n".join(lines)
    yield from _each(one, words, text, words.t("notice.digest.short"), f"{base_url}/my/connections", base_url)


def _each(one: Subscription, words: Words, text: str, short: str, url: str, base_url: str) -> Iterator[PersonalMessage]:
    whole = f"{text}\n\n{words.t('notice.where', url=url)}\n\n{words.t('notice.foot', url=base_url + '/my/notices')}\n"
    for channel in channels_of(one):
        yield PersonalMessage(
            person=one.person,
            channel=channel,
            address=one.address if channel == "mail" else "",
            language=one.language,
            subject=words.t("notice.subject"),
            text=whole,
            short=short,
        )


def channels_of(one: Subscription) -> tuple[Channel, ...]:
    """Those that can reach her: e-mail needs an address."""
    return tuple(channel for channel in one.channels if channel != "mail" or one.address)
