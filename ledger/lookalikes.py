"""Names that people take for each other: what an operator is warned of before it registers one.

A skeleton in the manner of Unicode TS 39: compatibility forms folded, marks and case dropped, look-alikes made one letter.
The table is small on purpose: Cyrillic, Greek and Latin letters that common typefaces draw alike, digits, and the pairs of Han
characters that are told apart by the length of one stroke. It warns; it decides nothing, so no two programs need agree on it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from ledger.errors import LooksAlike
from ledger.participants import Participant

_ALIKE: Final = str.maketrans(
    dict(zip("авсԁеһіјкӏмноорԛѕтуԝхъь", "abcdehijklmhoopqstywxbb", strict=True))
    | dict(zip("αβγδεζηικμνορστυχω", "abydeznikmvopotuxw", strict=True))
    | dict(zip("ɑɡıłøđþ015|$@", "agilodbolslsa", strict=True))
    | dict(zip("末士巳己曰", "未土已已日", strict=True))
)
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("l", "i"))
"""I, l and 1 are one letter, once the pairs are joined."""
_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


def skeleton(text: str) -> str:
    """Texts that look alike have one skeleton; what is written between words, and their case, does not count."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(letter for letter in folded if unicodedata.category(letter)[0] in "LN")
    alike = bare.translate(_ALIKE)
    for pair, one in _PAIRS:
        alike = alike.replace(pair, one)
    return alike


def mixed_scripts(text: str) -> tuple[str, ...]:
    """The alphabets that one word of a text mixes, if one does: a Latin name with a Cyrillic letter in it."""
    for word in text.split():
        names = {unicodedata.name(letter, "").split(" ")[0] for letter in word if letter.isalpha()}
        found = tuple(script for script in _SCRIPTS if script in names)
        if len(found) > 1:
            return found
    return ()


def likenesses(participant: str, name: str, registered: Iterable[Participant]) -> list[str]:
    """Sentences that name what a new participant can be taken for; none when it is unmistakable."""
    mixed = mixed_scripts(name)
    told = [f"the name {name!r} mixes {' and '.join(mixed)} letters in one word"] if mixed else []
    for one in registered:
        if one.id == participant:
            continue  # refused as taken
        if skeleton(one.id) == skeleton(participant):
            told.append(f"the id {participant!r} looks like {one.id!r}")
        if skeleton(one.name) == skeleton(name):
            alike = "is also" if one.name == name else "looks like"
            told.append(f"the name {name!r} of {participant!r} {alike} the name {one.name!r} of {one.id!r}")
    return told


def require_unmistakable(participant: str, name: str, registered: Iterable[Participant]) -> None:
    """Refuse a new participant that can be taken for a registered one. Raises LooksAlike, which names both."""
    if told := likenesses(participant, name, registered):
        raise LooksAlike("; ".join(told), member="participant")
