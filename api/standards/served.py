"""The standards that are served: their routes, and how they say no. Every further standard is one line in each list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.standards.berlin import routes as berlin_routes
from api.standards.berlin.dialect import BerlinDialect
from api.standards.brazil.dialect import BrazilDialect
from api.standards.brazil.routes import router as brazil
from api.standards.cdr.dialect import CdrDialect
from api.standards.cdr.routes import router as cdr
from api.standards.dialects import Dialect
from api.standards.india.dialect import IndiaDialect
from api.standards.india.routes import router as india
from api.standards.oauth.dialect import OAuthDialect
from api.standards.oauth.routes import router as oauth
from api.standards.uk import events as uk_events
from api.standards.uk import routes as uk_routes
from api.standards.uk.dialect import UkDialect

STANDARDS: Final[tuple[APIRouter, ...]] = (
    uk_routes.router, uk_events.router, berlin_routes.router, brazil, cdr, india, oauth
)  # fmt: skip
DIALECTS: Final[tuple[Dialect, ...]] = (
    UkDialect(),
    BerlinDialect(),
    BrazilDialect(),
    CdrDialect(),
    IndiaDialect(),
    OAuthDialect(),
)
