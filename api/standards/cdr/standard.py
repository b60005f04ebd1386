"""Australia's Consumer Data Right, as it is served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.cdr import routes
from api.standards.cdr.dialect import CdrDialect
from api.standards.cdr.notices import ARRANGEMENT_REVOKED
from api.standards.standard import Standard

CDR: Final = Standard(
    name="cdr",
    tag="consumer-data-right",
    about="Arrangements as Australia's Consumer Data Right words them (docs/standards/cdr.md).",
    routers=(routes.router,),
    dialect=CdrDialect(),
    notices=(ARRANGEMENT_REVOKED,),
)
