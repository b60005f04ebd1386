"""UK Open Banking Read/Write, as it is served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.standard import Standard
from api.standards.uk import events, routes
from api.standards.uk.dialect import UkDialect

UK: Final = Standard(
    name="uk",
    tag="uk-open-banking",
    about="Consents and events as the UK's Open Banking words them, errors too (docs/standards/uk.md).",
    routers=(routes.router, events.router),
    dialect=UkDialect(),
)
