"""The register of Australia's Consumer Data Right: its mock register's data file, or its own list of data recipients.

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


class _ListedProduct(Struct, frozen=True, rename="camel"):
    software_product_id: str
    software_product_name: str
    status: Literal["ACTIVE", "INACTIVE", "REMOVED"]


class _ListedBrand(Struct, frozen=True, rename="camel"):
    brand_name: str
    status: Literal["ACTIVE", "INACTIVE", "REMOVED"]
    software_products: tuple[_ListedProduct, ...] = ()


class _ListedRecipient(Struct, frozen=True, rename="camel"):
    status: Literal["ACTIVE", "SUSPENDED", "REVOKED", "SURRENDERED"]
    data_recipient_brands: tuple[_ListedBrand, ...] = ()


class _Feed(Struct, frozen=True, rename="camel"):
    """The mock register's file has `legalEntities`; an answer of the register (`GET …/data-recipients`) has `data`."""

    legal_entities: tuple[_Entity, ...] | None = None
    data: tuple[_ListedRecipient, ...] | None = None


_LISTED: Final = {
    "ACTIVE": RegisterStatus.ACTIVE,
    "INACTIVE": RegisterStatus.SUSPENDED,
    "SUSPENDED": RegisterStatus.SUSPENDED,
    "REMOVED": RegisterStatus.REMOVED,
    "REVOKED": RegisterStatus.REMOVED,
    "SURRENDERED": RegisterStatus.REMOVED,
}


def read_feed(path: Path) -> list[RegisterEntry]:
    """The participants that a register's file lists, in its order. Raises InvalidInput, OSError."""
    if path.stat().st_size > FEED_LIMIT:
        raise InvalidInput(f"{path} is larger than a register is")
    try:
        feed = msgspec.json.decode(path.read_bytes(), type=_Feed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{path} is not a register's data file: {error}") from None
    if (feed.legal_entities is None) == (feed.data is None):
        raise InvalidInput(
            f"{path} is neither a register's data file (legalEntities) nor its list of recipients (data)"
        )
    entities, recipients = feed.legal_entities or (), feed.data or ()
    return [
        *(listed for entity in entities for listed in _listed(entity)),
        *(listed for recipient in recipients for listed in _recipients(recipient)),
    ]


def _recipients(one: _ListedRecipient) -> list[RegisterEntry]:
    return [
        RegisterEntry(
            product.software_product_id,
            f"{product.software_product_name} ({brand.brand_name})"[:NAME_LIMIT],
            "recipient",
            max(_LISTED[one.status], _LISTED[brand.status], _LISTED[product.status]),
        )
        for brand in one.data_recipient_brands
        for product in brand.software_products
    ]


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
