"""The permission dashboard, as it is served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.psr import routes
from api.standards.psr.dialect import PsrDialect
from api.standards.standard import Standard

PSR: Final = Standard(
    name="psr",
    tag="permission-dashboard",
    about="The permission dashboard of the EU's Payment Services Regulation, art. 43 (docs/standards/psr.md).",
    routers=(routes.router,),
    dialect=PsrDialect(),
)
