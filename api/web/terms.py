"""Terms in words: the text a customer agrees to, and what changes between two versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.web.words import Words
from ledger.entries.terms import Terms


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that terms say: what it is about, and what is so."""

    about: str
    """Key of the label."""
    says: tuple[str, ...]


def lines_of(words: Words, terms: Terms) -> list[Line]:
    """All that terms say to a customer, in the order in which people ask."""
    data = tuple(words.t(f"permission.{code}") for _, codes in words.clusters(terms.permissions) for code in codes)
    lines = [
        Line("why", (words.purpose(terms),)),
        Line("data", data),
        Line("window", (words.history_window(terms),)),
        Line("frequency", (words.frequency(terms),)),
        Line("until", (words.ending(terms),)),
        Line("keeping", (words.keeping(terms),)),
        Line("approvals", (words.n("approvals.needed", terms.authorisers_required),)),
    ]
    if terms.starts_at:
        lines.insert(4, Line("starts", (words.time(terms.starts_at * 1000),)))
    return lines


def changes(words: Words, old: Terms, new: Terms) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """(label, before, after) of each thing that differs."""
    before = {line.about: line.says for line in lines_of(words, old)}
    after = {line.about: line.says for line in lines_of(words, new)}
    names = list(dict.fromkeys([*after, *before]))
    return [(name, before.get(name, ()), after.get(name, ())) for name in names if before.get(name) != after.get(name)]


def agreement(words: Words, terms: Terms, *, recipient: str, holder: str, accounts: Sequence[str]) -> str:
    """The text that a customer agrees to: plain lines, the same bytes for the same terms, language and zone."""
    text = [words.t("agreement.opening", recipient=recipient, holder=holder), ""]
    for line in [Line("accounts", tuple(accounts)), *lines_of(words, terms)]:
        joined = words.t("list.comma").join(line.says)
        text.append(words.t("agreement.line", about=words.t(f"terms.{line.about}"), says=joined))
    text += ["", words.t("agreement.closing", recipient=recipient)]
    return "\n".join(text) + "\n"
