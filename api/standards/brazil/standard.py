"""Open Finance Brasil, as it is served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.brazil import routes
from api.standards.brazil.dialect import BrazilDialect
from api.standards.standard import Standard

BRAZIL: Final = Standard(
    name="brazil",
    tag="open-finance-brasil",
    about="Consents as Open Finance Brasil words them (docs/standards/brazil.md).",
    routers=(routes.router,),
    dialect=BrazilDialect(),
)
