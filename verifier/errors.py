"""Verdict codes, defects with their place, and the two exceptions.

A check either returns what it verified or raises `Refuted` (the evidence is wrong: one `Defect`) or `CannotCheck`
(the question could not be answered: unreadable or missing input, unknown version). Nothing else may leave a
module of this package; there is no check that answers with a bool.  Source: docs/spec/verdicts.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum


class Code(StrEnum):
    """The verdict codes of protocol v1."""

    VALID = "VALID"
    VALID_UNWITNESSED = "VALID_UNWITNESSED"
    ERASED = "ERASED"
    BAD_ENCODING = "BAD_ENCODING"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    BAD_PROOF = "BAD_PROOF"
    BAD_CHAIN = "BAD_CHAIN"
    BAD_COMMITMENT = "BAD_COMMITMENT"
    EQUIVOCATION = "EQUIVOCATION"
    ROLLBACK = "ROLLBACK"
    INCOMPLETE = "INCOMPLETE"
    UNMATCHED = "UNMATCHED"
    CONSENT_INVALID = "CONSENT_INVALID"
    TIME_INVALID = "TIME_INVALID"
    BODY_MISSING = "BODY_MISSING"
    POLICY_REJECTED = "POLICY_REJECTED"
    KEY_COMPROMISED = "KEY_COMPROMISED"
    DISPUTED = "DISPUTED"


class ExitStatus(IntEnum):
    """Exit statuses of `consent-verify`."""

    VERIFIED = 0
    REFUTED = 1
    COULD_NOT_CHECK = 2
    UNWITNESSED = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a defect is: any part may be absent. `line` counts from 1, `index` is the position in the log; `log` is the origin
    of that log, where several are judged together."""

    index: int | None = None
    file: str | None = None
    line: int | None = None
    field: str | None = None
    log: str | None = None

    def __str__(self) -> str:  # type: ignore[explicit-override]  # typing.override is 3.12
        parts = [] if self.log is None else [self.log]
        if self.index is not None:
            parts.append(f"entry {self.index}")
        if self.file is not None:
            parts.append(self.file if self.line is None else f"{self.file}:{self.line}")
        elif self.line is not None:
            parts.append(f"line {self.line}")
        if self.field is not None:
            parts.append(f"field {self.field}")
        return ", ".join(parts) or "input"


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong, fit to be quoted: what was expected at which place, and what was found."""

    code: Code
    sentence: str
    place: Place = Place()
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:  # type: ignore[explicit-override]  # typing.override is 3.12
        comparison = f" (expected {self.expected}; found {self.found})" if self.expected or self.found else ""
        return f"{self.code}: {self.place}: {self.sentence}{comparison}"


class Refuted(Exception):
    """The evidence is wrong. Carries the defect."""

    def __init__(self, defect: Defect) -> None:
        super().__init__(str(defect))
        self.defect = defect


class OtherVersion(Refuted):
    """An object of a version that this verifier does not know, among others that it does know."""


class CannotCheck(Exception):
    """The question could not be answered, for the reason given in one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class NotFound(CannotCheck):
    """A file that was asked for is not there; the caller may know another place to look."""


def refuted(
    code: Code,
    sentence: str,
    *,
    expected: object = "",
    found: object = "",
    index: int | None = None,
    file: str | None = None,
    line: int | None = None,
    field: str | None = None,
) -> Refuted:
    """The exception for one defect, to be raised by the caller. `expected` and `found` are made safe to print."""
    return Refuted(Defect(code, sentence, Place(index, file, line, field), printable(expected), printable(found)))


def unforeseen(error: Exception) -> Refuted:
    """An entry in an unforeseen form is badly encoded; it must not end the audit of all others."""
    return refuted(
        Code.BAD_ENCODING, "the entry has a form that cannot be read", found=f"{type(error).__name__}: {error}"
    )


@contextmanager
def located(
    *, index: int | None = None, file: str | None = None, line: int | None = None, field: str | None = None
) -> Iterator[None]:
    """Give defects raised inside the parts of their place that they could not know themselves."""
    try:
        yield
    except Refuted as refusal:
        known = refusal.defect.place
        place = Place(
            index if known.index is None else known.index,
            file if known.file is None else known.file,
            line if known.line is None else known.line,
            field if known.field is None else known.field,
            known.log,
        )
        refusal.defect = replace(refusal.defect, place=place)
        refusal.args = (str(refusal.defect),)
        raise


def printable(value: object, limit: int = 160) -> str:
    """`value` as one short line without control characters: hostile input must not reach a terminal raw."""
    if isinstance(value, (bytes, bytearray)):
        whole = bytes(value[: limit + 1])
        text = whole.hex() if len(value) <= 32 else whole.decode("utf-8", "backslashreplace")
    elif isinstance(value, str):
        text = value[: limit + 1]
    elif isinstance(value, int) and value.bit_length() > 512:
        text = f"an integer of {value.bit_length()} bits"
    else:
        text = str(value)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
