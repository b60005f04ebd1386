"""Terms in words: the text a customer agrees to, and what changes between two versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET

from api.web.mandated import data_of
from api.web.plain import plain
from api.web.words import Words
from ledger.entries.terms import Terms


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the terms: its label and its values."""

    about: str
    """Key of the label."""
    says: tuple[str, ...]


def lines_of(words: Words, terms: Terms) -> list[Line]:
    """All lines of the terms for a customer, in the order in which people ask."""
    data = tuple(said for cluster in data_of(words, terms) for said in cluster.says)
    lines = [
        Line("why", (words.purpose(terms),)),
        Line("data", data),
        Line("window", (words.history_window(terms),)),
        Line("frequency", (words.frequency(terms),)),
        Line("until", (words.ending(terms),)),
        Line("keeping", (words.keeping(terms),)),
        Line("approvals", (words.n("approvals.needed", terms.authorisers_required),)),
    ]
    if terms.reauthenticate_days is not UNSET:
        lines.append(Line("reauthenticate", (words.n("terms.every", terms.reauthenticate_days),)))
    if terms.reconfirm_days is not UNSET:
        lines.append(Line("reconfirm", (words.n("terms.every", terms.reconfirm_days),)))
    if terms.filters is not UNSET:
        said = (f"{each.field} {words.t(f'filter.{each.op}')} {each.value}" for each in terms.filters)
        lines.append(Line("filters", tuple(map(plain, said))))
    if terms.separate_consents:
        lines.append(Line("separate", tuple(words.code("separate", kind) for kind in terms.separate_consents)))
    if terms.starts_at:
        lines.insert(4, Line("starts", (words.time(terms.starts_at * 1000),)))
    return lines


def changes(words: Words, old: Terms, new: Terms) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """(label, before, after) of each thing that differs."""
    before = {line.about: line.says for line in lines_of(words, old)}
    after = {line.about: line.says for line in lines_of(words, new)}
    names = list(dict.fromkeys([*after, *before]))
    return [(name, before.get(name, ()), after.get(name, ())) for name in names if before.get(name) != after.get(name)]


def agreement(
    words: Words, terms: Terms, *, recipient: str, holder: str, accounts: Sequence[str], alone: bool = False
) -> str:
    """The text that a customer agrees to: plain lines, the same bytes for the same terms, language and zone."""
    text = [words.t("agreement.opening", recipient=recipient, holder=holder), ""]
    for line in [Line("accounts", tuple(accounts)), *lines_of(words, terms)]:
        joined = words.t("list.comma").join(line.says)
        text.append(words.t("agreement.line", about=words.t(f"terms.{line.about}"), says=joined))
    if alone:
        text.append(words.t("agreement.alone"))
    text += ["", words.t("agreement.closing", recipient=recipient)]
    return "\n".join(text) + "\n"


def separate_text(
    words: Words, terms: Terms, kind: str, *, recipient: str, holder: str, contact: str
) -> tuple[str, list[tuple[str, str]], str]:
    """A separate consent in words: what is agreed to, (about, says) of each thing that the law wants told, and its end.

    `provision` (PIPL art. 23): the recipient's name and contact, purpose, method, kinds. `sensitive` (arts 29, 30): which data,
    why it is needed, what it can mean for her. Another kind has its name only.
    """
    data = words.t("list.comma").join(
        words.t(
            "separate.kind",
            cluster=cluster.title,
            what=words.t("list.comma").join(cluster.says),
        )
        for cluster in data_of(words, terms)
    )
    purpose = words.purpose(terms)
    match kind:
        case "provision":
            says = {
                "who": recipient,
                "contact": contact or words.t("separate.contact.unknown", id=terms.recipient),
                "purpose": purpose,
                "method": words.t(
                    "separate.method.text",
                    holder=holder,
                    frequency=words.frequency(terms),
                    keeping=words.keeping(terms),
                ),
                "kinds": data,
            }
        case "sensitive":
            says = {
                "kinds": data,
                "need": words.t("separate.need.text", recipient=recipient, purpose=purpose),
                "effect": words.t("separate.effect.text"),
            }
        case _:
            says = {"purpose": purpose}
    opening = words.t(
        f"separate.{kind}.opening" if words.has(f"separate.{kind}.opening") else "separate.other.opening",
        recipient=recipient,
        holder=holder,
        kind=words.code("separate", kind),
    )
    return opening, [(words.t(f"separate.{about}"), text) for about, text in says.items()], words.t("separate.closing")


def plain_text(words: Words, opening: str, says: Sequence[tuple[str, str]], closing: str) -> str:
    """The same as plain lines: the bytes whose SHA-256 an authorisation brings."""
    lines = [words.t("agreement.line", about=about, says=text) for about, text in says]
    return "\n".join([opening, *lines, closing]) + "\n"
