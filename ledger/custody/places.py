"""The place of a key, as text: a path, `file:PATH`, or the URI of a place that uses keys and never hands them out.

    /var/lib/consent-ledger/log.key        file:/var/lib/consent-ledger/log.key        pkcs11:token=ledger;object=log…

A key file may itself hold such a place in the key's stead (`log_key`, `ledger.vault.kek`, `held_jwk`): then the key is there,
and the file says which public half it must have, so that another token's key is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ledger.custody.held import HeldAlgorithm, HeldKey, Wrapper
from ledger.errors import InvalidInput

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):", re.ASCII)


class WrappingKey(Wrapper, Protocol):
    """A Wrapper in a place of its own, which can be asked whether it is there."""

    def probe(self) -> None:
        """See HeldKey."""
        ...


@dataclass(frozen=True, slots=True)
class Scheme:
    """How keys at places of one kind are opened and made; each takes the whole URI."""

    signing: Callable[[str, HeldAlgorithm, bytes | None], HeldKey]
    make_signing: Callable[[str, HeldAlgorithm], HeldKey]
    wrapping: Callable[[str], WrappingKey]
    make_wrapping: Callable[[str], WrappingKey]


def _token() -> Scheme:
    """Load the library only when a key is in a token: most logs have none there."""
    try:
        from ledger.custody import token  # noqa: PLC0415
    except ModuleNotFoundError:
        raise InvalidInput(
            "keys in PKCS #11 tokens need python-pkcs11: install the extra consent-ledger[pkcs11] and start again"
        ) from None
    return Scheme(token.signing_key, token.make_signing_key, token.TokenWrapper, token.make_wrapping_key)


SCHEMES: Final[dict[str, Callable[[], Scheme]]] = {"pkcs11": _token}
"""By the URI's scheme. Whoever speaks to a service of keys over HTTP adds its own (the core speaks none)."""


def place_of(text: str) -> Path | str:
    """A path, or the URI of a kind of place that this version knows. Raises InvalidInput."""
    found = _SCHEME.match(text)
    if found is None:
        return Path(text)
    if found[1] == "file":
        return Path(text.removeprefix("file:"))
    _scheme(text)
    return text


def held_key(uri: str, alg: HeldAlgorithm, public: bytes | None = None) -> HeldKey:
    """The key pair at `uri`; with `public` its place is asked only when it is used.

    Raises InvalidInput, NotFound, Unavailable.
    """
    return _scheme(uri).signing(uri, alg, public)


def make_held_key(uri: str, alg: HeldAlgorithm) -> HeldKey:
    """Make a key pair at `uri`. Raises Conflict when there is one, InvalidInput, Unavailable."""
    return _scheme(uri).make_signing(uri, alg)


def wrapping_key(uri: str) -> WrappingKey:
    """The AES key at `uri`, under which others are wrapped. Raises InvalidInput."""
    return _scheme(uri).wrapping(uri)


def make_wrapping_key(uri: str) -> WrappingKey:
    """Make an AES-256 key at `uri`. Raises Conflict when there is one, InvalidInput, Unavailable."""
    return _scheme(uri).make_wrapping(uri)


def _scheme(uri: str) -> Scheme:
    found = _SCHEME.match(uri)
    name = "" if found is None else found[1]
    if name not in SCHEMES:
        raise InvalidInput(
            f"keys at «{name}:» are not supported by this version: supported are a path, file:, "
            f"{', '.join(f'{known}:' for known in sorted(SCHEMES))}"
        )
    return SCHEMES[name]()
