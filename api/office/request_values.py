"""What stands in a request at a path, read strictly (docs/spec/requests.md). Each function raises InvalidInput for what a
rule refuses, with the `member` of the terms that it was read for. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from ledger.errors import InvalidInput

QUARTER: Final = 15 * 60
FARTHEST: Final = 14 * 3600
"""Seconds between UTC and the zones at its ends."""
_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_SHORT: Final = re.compile(r"\A([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})T")
_BARE: Final = re.compile(r"([+-][0-9]{2})([0-9]{2})\Z")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Asked = Mapping[str, Any]
Rule = Mapping[str, Any]
Path = Sequence[str | int]
Says = Callable[[Any], bool]
"""Whether a member of the terms, None where it is not there, is what the request asks for."""


def at(asked: Asked, path: Path, member: str) -> Any:
    """What a path leads to; None where a name or a place on it is missing."""
    found: Any = asked
    for step in path:
        if isinstance(step, int) and isinstance(found, list):
            if step >= len(found):
                return None
            found = found[step]
        elif isinstance(step, str) and isinstance(found, dict):
            if step not in found:
                return None
            found = found[step]
        else:
            raise refused(f"{_shown(path)} is not there to be read", member)
    if found is None:
        raise refused(f"{_shown(path)} is null", member)
    return found


def typed(asked: Asked, path: Path, kind: type[Any], member: str) -> Any:
    """What is there, of this very type."""
    found = at(asked, path, member)
    if type(found) is not kind:
        raise refused(f"{_shown(path)} is not of its type", member)
    return found


def texts(asked: Asked, path: Path, member: str) -> list[str]:
    """The list of texts there."""
    found = typed(asked, path, list, member)
    if not all(isinstance(one, str) for one in found):
        raise refused(f"{_shown(path)} is not a list of texts", member)
    return list(found)


def second(text: str, member: str, *, lenient: bool = False) -> int:
    """Seconds of a date-time, fractions dropped. `lenient`: months and days may have one digit, offsets no colon."""
    spelled = text.upper()
    if lenient:
        spelled = _SHORT.sub(lambda found: f"{found[1]}-{found[2]:0>2}-{found[3]:0>2}T", spelled, count=1)
        spelled = _BARE.sub(r"\1:\2", spelled)
    if not _DATE_TIME.fullmatch(spelled):
        raise refused("a date-time has another form", member)
    try:
        moment = datetime.fromisoformat(re.sub(r"\.[0-9]+", "", spelled))
    except ValueError:
        raise refused("a date-time does not exist", member) from None
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def day_end(text: str, member: str) -> Says:
    """Whether a second is one at which this day has ended somewhere."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)  # noqa: TRY301
        after = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise refused("a date does not exist, or has another form", member) from None
    midnight = (after - date(1970, 1, 1)).days * 86_400
    return lambda found: (
        isinstance(found, int) and abs(found - midnight) <= FARTHEST and (found - midnight) % QUARTER == 0
    )


def midnight(text: str, member: str) -> int:
    """The second at which a day of eight digits begins in UTC."""
    try:
        if not re.fullmatch("[0-9]{8}", text):
            raise ValueError(text)  # noqa: TRY301
        return (date(int(text[:4]), int(text[4:6]), int(text[6:])) - date(1970, 1, 1)).days * 86_400
    except ValueError:
        raise refused("a day does not exist, or is not written yyyyMMdd", member) from None


def objects(asked: Asked, path: Path, members: Sequence[str], member: str) -> list[dict[str, str]]:
    """The objects of the list there, of each only these members, which are texts."""
    found = typed(asked, path, list, member)
    for one in found:
        if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in members):
            raise refused(f"{_shown(path)} is not a list of such objects", member)
    return [{name: one[name] for name in members} for one in found]


def number(asked: Asked, path: Path, member: str) -> float:
    """The number there as a double; not negative, and finite."""
    found = at(asked, path, member)
    try:
        value = float(found) if type(found) in (int, float) else math.nan
    except OverflowError:
        value = math.inf
    if not 0 <= value < math.inf:
        raise refused(f"{_shown(path)} is no number that is finite and not negative", member)
    return value


def refused(why: str, member: str) -> InvalidInput:
    """The refusal itself."""
    return InvalidInput(f"the request gives no terms: {why} (docs/spec/requests.md)", member=f"terms.{member}")


def _shown(path: Path) -> str:
    return ".".join(map(str, path))
