"""OAuth's rich authorization requests, as it is served (api/standards/standard.py)."""

from __future__ import annotations

from typing import Final

from api.standards.oauth import registering, routes
from api.standards.oauth.dialect import OAuthDialect
from api.standards.standard import Standard

OAUTH: Final = Standard(
    name="oauth",
    tag="oauth",
    about="Rich authorization requests and grants, in OAuth's own words (docs/standards/oauth.md).",
    routers=(routes.router, registering.router),
    dialect=OAuthDialect(),
)
