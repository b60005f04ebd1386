"""Money as people write it: integers of minor units, and the decimals of their currency (ISO 4217)."""

from __future__ import annotations

from typing import Final

_NONE: Final = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
_THREE: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def decimals(currency: str) -> int:
    """How many digits of its unit a currency's minor unit is away: 2 where nothing else is known."""
    return 0 if currency in _NONE else 3 if currency in _THREE else 2


def written(minor: int, currency: str) -> str:
    """An amount of minor units with a point.

    >>> written(123456, "CNY"), written(5, "CNY"), written(500, "JPY")
    ('1234.56', '0.05', '500')
    """
    places = decimals(currency)
    if not places:
        return str(minor)
    digits = str(minor).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
