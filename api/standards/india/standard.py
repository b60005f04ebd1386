"""India's Account Aggregator, as it is served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.india import routes
from api.standards.india.dialect import IndiaDialect
from api.standards.india.notices import CONSENT_NOTIFICATION
from api.standards.standard import Standard

INDIA: Final = Standard(
    name="india",
    tag="account-aggregator",
    about="India's Account Aggregator messages (docs/standards/india.md).",
    routers=(routes.router,),
    dialect=IndiaDialect(),
    notices=(CONSENT_NOTIFICATION,),
)
