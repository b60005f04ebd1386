"""The register of Australia's Consumer Data Right, in the shape of its mock register's data file.

Legal entities take part as data holders or data recipients; a holder acts through brands, a recipient through the software
products of its brands. So a holder's brand is a participant with the role `holder`, and a software product is one with the
role `recipient`: it is what a customer consents to. Its standing is the worst of its own and of all that it belongs to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from api.registers.plan import RegisterEntry, RegisterStatus
from ledger.errors import InvalidInput

# The register's own numbers: entities, participations, and brands and software products.
_ENTITY: Final[dict[int, RegisterStatus]] = {1: RegisterStatus.ACTIVE, 2: RegisterStatus.REMOVED}
_PARTICIPATION: Final[dict[int, RegisterStatus]] = {
    1: RegisterStatus.ACTIVE,
    2: RegisterStatus.REMOVED,
    3: RegisterStatus.SUSPENDED,
    4: RegisterStatus.REMOVED,
    5: RegisterStatus.REMOVED,
    6: RegisterStatus.SUSPENDED,
}
"""Active, removed, suspended, revoked, surrendered, inactive."""
_PRODUCT: Final[dict[int, RegisterStatus]] = {
    1: RegisterStatus.ACTIVE,
    2: RegisterStatus.SUSPENDED,
    3: RegisterStatus.REMOVED,
}
"""Active, inactive, removed."""
_ROLES: Final[dict[int, Literal["holder", "recipient"]]] = {1: "holder", 2: "recipient"}
FEED_LIMIT: Final = 64 * 1024 * 1024
NAME_LIMIT: Final = 200
Value = TypeVar("Value")


class _Product(Struct, frozen=True, rename="camel"):
    software_product_id: str
    software_product_name: str
    status_id: int


class _Brand(Struct, frozen=True, rename="camel"):
    brand_id: str
    brand_name: str
    brand_status_id: int
    software_products: tuple[_Product, ...] | None = None


class _Participation(Struct, frozen=True, rename="camel"):
    participation_type_id: int
    status_id: int
    brands: tuple[_Brand, ...] = ()


class _Entity(Struct, frozen=True, rename="camel"):
    legal_entity_name: str
    legal_entity_status_id: int = 1
    participations: tuple[_Participation, ...] = ()


class _Feed(Struct, frozen=True, rename="camel"):
    legal_entities: tuple[_Entity, ...]


def read_feed(path: Path) -> list[RegisterEntry]:
    """The participants that a register file lists, in its order. Raises InvalidInput, OSError."""
    if path.stat().st_size > FEED_LIMIT:
        raise InvalidInput(f"{path} is larger than a register is")
    try:
        feed = msgspec.json.decode(path.read_bytes(), type=_Feed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{path} is not a register's data file: {error}") from None
    return [listed for entity in feed.legal_entities for listed in _listed(entity)]


def _listed(entity: _Entity) -> list[RegisterEntry]:
    found: list[RegisterEntry] = []
    for part in entity.participations:
        role = _known(_ROLES, part.participation_type_id, "participationTypeId")
        above = [
            _known(_ENTITY, entity.legal_entity_status_id, "legalEntityStatusId"),
            _known(_PARTICIPATION, part.status_id, "statusId"),
        ]
        for brand in part.brands:
            of_brand = [*above, _known(_PRODUCT, brand.brand_status_id, "brandStatusId")]
            if role == "holder":
                found.append(RegisterEntry(brand.brand_id, brand.brand_name[:NAME_LIMIT], role, max(of_brand)))
            for product in brand.software_products or () if role == "recipient" else ():
                standing = max([*of_brand, _known(_PRODUCT, product.status_id, "statusId")])
                name = f"{product.software_product_name} ({brand.brand_name})"[:NAME_LIMIT]
                found.append(RegisterEntry(product.software_product_id, name, role, standing))
    return found


def _known(table: dict[int, Value], number: int, member: str) -> Value:
    if number not in table:
        raise InvalidInput(f"{member} {number} is not one that this program knows", member=member)
    return table[number]
