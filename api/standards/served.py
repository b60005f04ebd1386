"""The standards that are served: their routes, and how they say no. Every further standard is one line in each list."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.standards.dialects import Dialect

STANDARDS: Final[tuple[APIRouter, ...]] = ()
DIALECTS: Final[tuple[Dialect, ...]] = ()
