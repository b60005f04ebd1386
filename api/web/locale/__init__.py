"""The catalogues of texts: a folder for each language, gettext files in it, the same keys and places in all.

A folder that is added is a language that is offered (docs/adr/0027-texts-in-gettext-catalogues.md).
"""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po

FOLDER: Final = Path(__file__).parent
DEFAULT: Final = "en"


@dataclass(frozen=True)
class Texts:
    """A catalogue: the texts of one language."""

    locale: str
    """Babel's name for how this language writes dates and numbers: `en_GB`."""
    forms: Mapping[str, tuple[str, ...]]
    """By key: one text, or one for each plural form of the language."""
    form_of: Callable[[int], int]
    """Which plural form a count takes."""

    def __contains__(self, key: str) -> bool:
        return key in self.forms

    def text(self, key: str) -> str:
        """The text of `key`. Raises KeyError when there is none."""
        [text] = self._of(key)
        return text

    def counted(self, key: str, count: int) -> str:
        """The text of `key` in the plural form that `count` takes. Raises KeyError when there is none."""
        return self._of(key)[self.form_of(count)]

    def _of(self, key: str) -> tuple[str, ...]:
        try:
            return self.forms[key]
        except KeyError:
            message = f"no text {key!r} in {self.locale}: every folder of api/web/locale needs it (CONTRIBUTING.md)"
            raise KeyError(message) from None


def read(folder: Path) -> Texts:
    """The catalogue in a folder. Raises ValueError for a file that is malformed or unlike the others of its folder."""
    texts: dict[str, tuple[str, ...]] = {}
    heads = set()
    for path in sorted(folder.glob("*.po")):
        found = _file(path)
        heads.add((str(found.locale), found.plural_expr))
        for message in found:
            if message.id:
                key = message.id if isinstance(message.id, str) else message.id[0]
                if key in texts:
                    raise ValueError(f"{path}: the key {key!r} stands in {folder.name} twice")
                texts[key] = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    if len(heads) != 1:
        raise ValueError(f"{folder}: its files must name one Language and one rule of plurals, not {sorted(heads)}")
    [(locale, plural)] = heads
    return Texts(locale, texts, gettext.c2py(plural))


def _file(path: Path) -> Catalog:
    with path.open("rb") as stream:
        try:
            found = read_po(stream, abort_invalid=True)
        except (PoFileError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
    if found.locale is None:
        raise ValueError(f"{path}: its header must name a Language")
    return found


CATALOGUES: Final[Mapping[str, Texts]] = {
    folder.name.replace("_", "-"): read(folder) for folder in sorted(FOLDER.iterdir()) if any(folder.glob("*.po"))
}
"""By language tag (BCP 47): the name of the folder with a hyphen."""
