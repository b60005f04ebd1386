"""Reading what a third party asks for: a consent request, and the authorization disclosure behind it (12 CFR 1033.411)."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from api.office.configuration import HolderOptions
from api.office.json import NotJson, read_object
from api.office.wish import Wish
from api.standards.days import offset_at
from api.standards.fdx.dialect import fdx_refusal
from api.standards.words import words
from ledger.entries.fields import Code, Text
from ledger.entries.terms import Purpose

STANDARD: Final = "us-fdx"
VERSION: Final = "6"
DAY_SECONDS: Final = 86_400
CLUSTERS: Final = {name: tuple(codes) for name, codes in words("fdx").permissions.items()}
"""Data cluster to the catalogue's permissions."""


class AuthorizationDisclosure(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """The parts of the disclosure (§ 1033.411(b)) that the consent itself does not say."""

    product_or_service: Text
    """Which product or service the consumer asked for (b)(3): the purpose that she reads."""
    certified: Literal[True]
    """The third party agrees to the obligations of § 1033.421 (b)(5)."""
    revocation_method: Text
    """How she revokes at the third party (b)(7)."""
    purpose_code: Code = "requested-service"
    data_aggregator: Text = ""
    """Its name, where one helps (§ 1033.431(b))."""


class RequestedResource(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Data of accounts, by cluster; which accounts, the consumer chooses at the data provider."""

    resource_type: Literal["ACCOUNT", "CUSTOMER"]
    data_clusters: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]


class ConsentGrantRequest(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A request for a consent grant."""

    duration_type: Literal["ONE_TIME", "TIME_BOUND", "PERSISTENT"]
    resources: Annotated[tuple[RequestedResource, ...], Meta(min_length=1, max_length=8)]
    authorization_disclosure: AuthorizationDisclosure
    duration_period: Annotated[int, Meta(ge=1, le=366)] = 0
    """Days; by default as long as the rule allows: a year."""
    lookback_period: Annotated[int, Meta(ge=0, le=36_500)] = 0
    """Days of history before the request; 0 = all there is."""


class RevocationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The end of a consent grant: who wanted it, and why."""

    reason: Literal["BUSINESS_RULE", "USER_ACTION"]
    initiator: Literal["DATA_ACCESS_PLATFORM", "DATA_PROVIDER", "DATA_RECIPIENT", "INDIVIDUAL", "MERCHANT", "VENDOR"]


T = TypeVar("T")


def read_as(body: bytes, form: type[T]) -> T:
    """A body as its operation has it. Raises DialectRefusal, which names the member."""
    try:
        return msgspec.convert(read_object(body), form)
    except (NotJson, msgspec.ValidationError) as error:
        raise fdx_refusal(400, "INVALID_INPUT", f"the body is not what this operation takes: {error}") from None


def read_request(note: bytes | None) -> ConsentGrantRequest | None:
    """The request behind a consent; None for one that was not asked for in these words."""
    try:
        return None if note is None else msgspec.json.decode(note, type=ConsentGrantRequest)
    except msgspec.DecodeError:
        return None


def wish_of(asked: ConsentGrantRequest, options: HolderOptions, now: int) -> Wish:
    """The terms that a request comes to at `now` (ms). Raises DialectRefusal."""
    clusters = [name for one in asked.resources for name in one.data_clusters]
    unknown = sorted(set(clusters) - CLUSTERS.keys())
    if unknown:
        raise fdx_refusal(
            400, "INVALID_INPUT", f"{unknown[0][:64]!r} is none of the clusters {', '.join(CLUSTERS)}", "dataClusters"
        )
    if asked.duration_type == "PERSISTENT":
        raise fdx_refusal(
            400,
            "DURATION_TOO_LONG",
            "data may be collected for a year after the consumer's most recent authorization (12 CFR 1033.421(b)(2)): ask for "
            "TIME_BOUND, and for a reauthorization before it ends",
            "durationType",
        )
    disclosed, seconds = asked.authorization_disclosure, now // 1000
    return Wish(
        permissions=frozenset(code for name in clusters for code in CLUSTERS[name]),
        standard=STANDARD,
        standard_version=VERSION,
        purpose=Purpose(disclosed.purpose_code, disclosed.product_or_service),
        expires_at=_end_of(asked.duration_period, options.tz, seconds),
        once=asked.duration_type == "ONE_TIME",
        history_from=max(0, seconds - asked.lookback_period * DAY_SECONDS) if asked.lookback_period else 0,
        language="en-US",
        utc_offset=offset_at(now, options.tz),
    )


def _end_of(days: int, zone: tzinfo, now: int) -> int:
    """The anniversary of the request, or sooner. The customer agrees later than she is asked: so never above a year."""
    begins = datetime.fromtimestamp(now, zone)
    day = begins if (begins.month, begins.day) != (2, 29) else begins - timedelta(days=1)
    anniversary = int(day.replace(year=day.year + 1).timestamp())
    return min(anniversary, now + days * DAY_SECONDS) if days else anniversary
