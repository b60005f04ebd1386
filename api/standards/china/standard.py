"""China's interface, as it is served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.china import routes
from api.standards.china.dialect import ChinaDialect
from api.standards.standard import Standard

CHINA: Final = Standard(
    name="china",
    tag="china",
    about="Consents in the manner of JR/T 0185-2020, with SM2, SM3 and SM4 (docs/standards/china.md).",
    routers=(routes.router,),
    dialect=ChinaDialect(),
)
