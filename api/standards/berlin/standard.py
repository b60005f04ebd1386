"""Berlin Group NextGenPSD2, as it is served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.berlin import openfinance, routes
from api.standards.berlin.dialect import BerlinDialect
from api.standards.berlin.succession import Succession
from api.standards.standard import Standard

BERLIN: Final = Standard(
    name="berlin",
    tag="berlin-group",
    about="Account information consents as NextGenPSD2 words them, errors too (docs/standards/berlin.md).",
    routers=(routes.router, openfinance.router),
    dialect=BerlinDialect(),
    follower=Succession,
)
