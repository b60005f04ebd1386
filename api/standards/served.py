"""The standards that are served: their routes, and how they say no. Every further standard is one line in each list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.standards.brazil.dialect import BrazilDialect
from api.standards.brazil.routes import router as brazil
from api.standards.cdr.dialect import CdrDialect
from api.standards.cdr.routes import router as cdr
from api.standards.dialects import Dialect
from api.standards.india.dialect import IndiaDialect
from api.standards.india.routes import router as india

STANDARDS: Final[tuple[APIRouter, ...]] = (brazil, cdr, india)
DIALECTS: Final[tuple[Dialect, ...]] = (BrazilDialect(), CdrDialect(), IndiaDialect())
