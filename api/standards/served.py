"""The standards that are served. A further one is a folder, and one line here."""

from __future__ import annotations

from typing import Final

from api.node.building import Outward
from api.standards.berlin.standard import BERLIN
from api.standards.brazil.standard import BRAZIL
from api.standards.cdr.standard import CDR
from api.standards.china.standard import CHINA
from api.standards.fdx.standard import FDX
from api.standards.india.standard import INDIA
from api.standards.notices import OutwardNotices, followed
from api.standards.oauth.standard import OAUTH
from api.standards.psr.standard import PSR
from api.standards.standard import Standard
from api.standards.uk.standard import UK

STANDARDS: Final[tuple[Standard, ...]] = (
    UK,
    BERLIN,
    BRAZIL,
    CDR,
    CHINA,
    FDX,
    INDIA,
    OAUTH,
    PSR,
)
OUTWARD: Final = Outward(
    follower=lambda office, records: followed(STANDARDS, office, records),
    messages=lambda gateway: OutwardNotices(STANDARDS, gateway),
)
"""A serving node's work for them beside answering."""
