"""Words, dates and numbers in a customer's language. The catalogues are api/web/locale; tests keep them complete."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from markupsafe import Markup, escape
from msgspec import UNSET

from api.web.locale import CATALOGUES, DEFAULT, Texts
from api.web.plain import plain
from ledger.entries.terms import Terms

LANGUAGES: Final = {tag: catalogue.text("language.name") for tag, catalogue in CATALOGUES.items()}
"""By tag: the language's name for itself."""
ZONES: Final = (
    "UTC",
    "Europe/London",
    "Europe/Paris",
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Singapore",
    "Asia/Kolkata",
    "Australia/Sydney",
    "America/New_York",
    "America/Sao_Paulo",
)
HOME_ZONE: Final = {tag: catalogue.text("language.zone") for tag, catalogue in CATALOGUES.items()}
"""By tag: the zone of somebody who has chosen none. One of ZONES."""

CLUSTERS: Final[dict[str, tuple[str, ...]]] = {
    "accounts": ("ReadAccountsBasic", "ReadAccountsDetail", "ReadAccountLimits", "ReadPAN", "ReadResources"),
    "balances": ("ReadBalances",),
    "transactions": (
        "ReadTransactionsBasic",
        "ReadTransactionsDetail",
        "ReadTransactionsCredits",
        "ReadTransactionsDebits",
    ),
    "payees": (
        "ReadBeneficiariesBasic",
        "ReadBeneficiariesDetail",
        "ReadDirectDebits",
        "ReadStandingOrdersBasic",
        "ReadStandingOrdersDetail",
        "ReadScheduledPaymentsBasic",
        "ReadScheduledPaymentsDetail",
        "ReadTrustedBeneficiaries",
    ),
    "statements": ("ReadStatementsBasic", "ReadStatementsDetail"),
    "you": ("ReadParty", "ReadPartyPSU"),
    "products": ("ReadProducts", "ReadOffers"),
    "cards": ("ReadCreditCards", "ReadCreditCardBills", "ReadCreditCardLimits", "ReadCreditCardTransactions"),
    "loans": ("ReadLoans", "ReadFinancings", "ReadInvoiceFinancings", "ReadOverdrafts"),
    "savings": ("ReadInvestments", "ReadPensions", "ReadInsurance", "ReadExchanges"),
    "tax": ("ReadTaxRecords",),
    "never": ("ReadAuthenticationData", "ReadBiometricData", "ReadCardSecurityData", "ReadCriticalInfrastructureData"),
}
"""Clusters of permissions by subject, in the order in which people care."""

_OFFSET: Final = re.compile(r"[+-]\d{4}\b")


def choose_language(asked: Iterable[str | None]) -> str:
    """The first of these that is ours; each may be a tag or an Accept-Language header.

    A tag of ours is itself; another one is the first of ours that shares its language, whatever its country or script.
    """
    exact = {tag.lower(): tag for tag in CATALOGUES}
    alike = {tag.lower().partition("-")[0]: tag for tag in reversed(list(CATALOGUES))}
    for header in asked:
        for part in (header or "").split(",")[:10]:
            tag = part.partition(";")[0].strip().lower()
            if found := exact.get(tag) or alike.get(tag.partition("-")[0]):
                return found
    return DEFAULT


@dataclass(frozen=True)
class Words:
    """One language in one time zone."""

    language: str
    zone: str

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def _texts(self) -> Texts:
        return CATALOGUES[self.language]

    @property
    def _babel(self) -> str:
        return self._texts.locale

    def t(self, key: str, **values: object) -> str:
        """The sentence of `key` as plain text. Raises KeyError for a key that is in no catalogue."""
        return self._texts.text(key).format_map({name: plain(str(value)) for name, value in values.items()})

    def h(self, key: str, **values: object) -> Markup:
        """The sentence as markup; foreign text in it is escaped and kept from reordering what stands around it."""
        shown = {name: value if isinstance(value, Markup) else bdi(value) for name, value in values.items()}
        return Markup(str(escape(self._texts.text(key))).format_map(shown))  # noqa: S704 (escaped here)

    def n(self, key: str, count: int) -> str:
        """The sentence of `key` in the plural form that `count` takes, with {count}."""
        return self._texts.counted(key, count).format(count=self.number(count))

    def has(self, key: str) -> bool:
        """Whether there is a sentence of this key."""
        return key in self._texts

    def number(self, value: int) -> str:
        """A number with the language's separators."""
        return str(format_decimal(value, locale=self._babel))

    # -- times ------------------------------------------------------------------------------------------------------

    def _at(self, ms: int) -> dt.datetime:
        return dt.datetime.fromtimestamp(ms / 1000, self._zone)

    def day(self, ms: int) -> str:
        """A date, in text."""
        return str(format_date(self._at(ms), self.t("language.date"), locale=self._babel))

    def day_of(self, date: dt.date) -> str:
        """A calendar day, in text."""
        return str(format_date(date, self.t("language.date"), locale=self._babel))

    def time(self, ms: int) -> str:
        """A date and time with its zone, in text."""
        return self._in_zone(ms, self.t("language.time"))

    @staticmethod
    def utc(ms: int) -> str:
        """A time for machines and spreadsheets: ISO 8601, UTC, to the second."""
        return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).isoformat(timespec="seconds")

    def when(self, ms: int) -> Markup:
        """A date and time with its zone, as a `time` element."""
        return _element(ms, self.time(ms))

    def date(self, ms: int) -> Markup:
        """A date, as a `time` element."""
        return _element(ms, self.day(ms))

    def ago(self, ms: int, now: int) -> Markup:
        """How long ago by the calendar: today, yesterday, so many days ago; as a `time` element."""
        days = (self._at(now).date() - self._at(ms).date()).days
        if days <= 0:
            return _element(ms, self.t("ago.today"))
        return _element(ms, self.t("ago.yesterday") if days == 1 else self.n("ago.days", days))

    def axis(self, date: dt.date) -> str:
        """A day as short as an axis needs it."""
        return str(format_date(date, self.t("language.axis"), locale=self._babel))

    def second(self, ms: int) -> Markup:
        """A time of day to the second with its zone, as a `time` element."""
        return _element(ms, self._in_zone(ms, self.t("language.second")))

    def _in_zone(self, ms: int, pattern: str) -> str:
        text = str(format_datetime(self._at(ms), pattern, tzinfo=self._zone, locale=self._babel))
        if _OFFSET.search(text):  # the language has no abbreviation for this zone: GMT+08:00 says it
            offset = pattern.replace("zzzz", "z").replace("zzz", "z").replace("z", "ZZZZ")
            text = str(format_datetime(self._at(ms), offset, locale=self._babel))
        return text

    # -- what the ledger's codes mean -------------------------------------------------------------------------------

    def purpose(self, terms: Terms) -> str:
        """Why data is read: our words for a purpose we know, else the recipient's own, made harmless."""
        key = f"purpose.{terms.purpose.code}"
        return self.t(key) if self.has(key) else plain(terms.purpose.text)

    def code(self, family: str, code: str) -> str:
        """Our words for a code, else the code itself."""
        key = f"{family}.{code}"
        return self.t(key) if self.has(key) else plain(code)

    def clusters(self, permissions: Iterable[str]) -> list[tuple[str, list[str]]]:
        """Permissions by what they are about: (cluster, permissions), in the order of CLUSTERS."""
        return clusters_of(permissions)

    def history_window(self, terms: Terms) -> str:
        """How far back data may be read."""
        if terms.history_from and terms.history_to:
            return self.t(
                "window.both", start=self.day(terms.history_from * 1000), end=self.day(terms.history_to * 1000)
            )
        if terms.history_from:
            return self.t("window.from", start=self.day(terms.history_from * 1000))
        if terms.history_to:
            return self.t("window.to", end=self.day(terms.history_to * 1000))
        return self.t("window.open")

    def frequency(self, terms: Terms) -> str:
        """How often data may be read."""
        if terms.once:
            return self.t("frequency.once")
        if terms.frequency_per_day:
            period = "day" if terms.frequency_period is UNSET else terms.frequency_period
            return self.n(f"frequency.{period}", terms.frequency_per_day)
        return self.t("frequency.unlimited")

    def keeping(self, terms: Terms) -> str:
        """How long the recipient may keep what it read."""
        return self.n("keeping.days", terms.retention_days) if terms.retention_days else self.t("keeping.none")

    def ending(self, terms: Terms) -> str:
        """When sharing ends by itself."""
        return self.time(terms.expires_at * 1000) if terms.expires_at else self.t("ending.open")


def clusters_of(permissions: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Permissions by what they are about: (cluster, permissions), in the order of CLUSTERS."""
    wanted = set(permissions)
    found = [(name, [code for code in codes if code in wanted]) for name, codes in CLUSTERS.items()]
    return [(name, codes) for name, codes in found if codes]


def bdi(value: object) -> Markup:
    """Foreign text for a page: harmless characters, escaped, in an element of its own direction."""
    return Markup("<bdi>{}</bdi>").format(plain(str(value)))


def _element(ms: int, text: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(Words.utc(ms), text)
