"""Cases: keys of SM2 (ruleset-3.md, 8)."""

from __future__ import annotations

from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import Json, encode
from tests.vectors.signing import jws
from tests.vectors.signing_sm2 import Sm2
from tests.vectors.story import FIRST, RECIPIENT
from tests.vectors.story_3 import BALANCES
from tests.vectors.told_in_tables import BASIS, Tell, honest, rows

KEY = Sm2("app-sm2")


def known(log: Any, **changes: Any) -> None:
    log.add_key(RECIPIENT, KEY, "app.example.sm2", **changes)


def signature(payload: Json) -> str:
    """That of the honest statement."""
    return jws(KEY, "app.example.sm2", encode(payload))[-86:]


def asked(**says: Any) -> Tell:
    """An access that is signed with SM2."""

    def tell(log: Any) -> None:
        known(log)
        log.tick().access(FIRST, log.allow(BASIS), says, **BALANCES)

    return tell


honest("an-access-signed-with-sm2", "The key is registered for SM2.", "active", asked(), "7.7")
rows(
    "active",
    "7.7",
    code="BAD_SIGNATURE",
    more=1,
    an_access_signed_with_sm2_and_changed=(
        "The signature is of another payload.",
        asked(
            signed=lambda payload: (
                jws(KEY, "app.example.sm2", encode({**payload, "request_digest": "A" * 43}))[:-86] + signature(payload)
            )
        ),
    ),
)
rows(
    "active",
    "8.2",
    code="BAD_SIGNATURE",
    an_sm2_key_off_its_curve=("A point of the curve.", lambda log: known(log, jwk={**KEY.jwk, "y": KEY.jwk["x"]})),
)


@case("8.3", told=(("CONSENT_INVALID", 13),))
def _an_sm2_key_under_ruleset_2(log: Any) -> None:
    """From ruleset 3 on."""
    known(log)
