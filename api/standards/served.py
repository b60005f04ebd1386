"""The standards that are served: their routes, and how they say no. Every further standard is one line in each list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.standards.dialects import Dialect
from api.standards.uk import events as uk_events
from api.standards.uk import routes as uk_routes
from api.standards.uk.errors import UkDialect

STANDARDS: Final[tuple[APIRouter, ...]] = (uk_routes.router, uk_events.router)
DIALECTS: Final[tuple[Dialect, ...]] = (UkDialect(),)
