"""FDX's consent grants, as they are served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.fdx import routes
from api.standards.fdx.dialect import FdxDialect
from api.standards.standard import Standard

FDX: Final = Standard(
    name="fdx",
    tag="consent-grants",
    about="Consent grants in the manner of FDX 6, under 12 CFR part 1033 (docs/standards/fdx.md).",
    routers=(routes.router,),
    dialect=FdxDialect(),
)
