"""The head of every answer, in every form of it: the verdict, its meaning, and at once what it leaves open
(docs/spec/verdicts.md, «The headline»)."""

from __future__ import annotations

from verifier.errors import Code
from verifier.telling.attested import reserved
from verifier.telling.messages import code_sentence, first_bad, word
from verifier.telling.result import Result

SANDBOXES = "sandbox.invalid/"
"""How the names of logs begin in which nothing happened to anybody (docs/spec/log.md)."""


def heading(result: Result, language: str) -> str:
    """The verdict's name."""
    return word(result.heading, language)


def told(result: Result, language: str) -> str:
    """The meaning of the verdict. «All checks passed» only if all were made."""
    if result.code is None:
        return result.reason
    if result.code in (Code.VALID, Code.VALID_UNWITNESSED) and result.findings.not_checked:
        return word("shown valid" if result.code is Code.VALID else "shown unwitnessed", language)
    return code_sentence(str(result.code), language)


def reservations(result: Result, language: str) -> list[str]:
    """The limits of the verdict: whether it is about a sandbox, how much was not checked, what is a holder's
    word alone, and where participants differ."""
    found = result.findings
    lines = [word("sandbox", language)] if any(value.startswith(SANDBOXES) for _, value in result.facts) else []
    lines += [found.open] if found.open and result.code is not None else []
    if found.not_checked:
        lines.append(word("left", language).format(f"{found.not_checked:,}"))
    if attested := reserved(result.attested, language):
        lines.append(attested)
    if found.disputed:
        lines.append(word("differ", language).format(f"{found.disputed:,}"))
    return lines


def first_of(result: Result, language: str) -> str:
    """The first entry that a defect names; of a set, in the log that gives the headline."""
    headline = result.findings.headline
    return first_bad(result.findings.first_bad, language, "" if headline is None else headline.place.log or "")
