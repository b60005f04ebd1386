"""A register's feed of participants, in the shape of Australia's."""

from __future__ import annotations

import msgspec

HOLDER, PRODUCT = "11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222"


def feed(**statuses: int) -> bytes:
    """A register of one holder and one recipient; statuses by name, 1 = active."""

    def of(name: str) -> int:
        return statuses.get(name, 1)

    holder = {"brandId": HOLDER, "brandName": "Bank", "brandStatusId": of("brand"), "endpoint": {"version": 1}}
    product = {"softwareProductId": PRODUCT, "softwareProductName": "App", "statusId": of("product"), "scope": "x"}
    recipient = {
        "brandId": "33333333-cccc-4ccc-8ccc-333333333333",
        "brandName": "Fin",
        "brandStatusId": of("recipient_brand"),
        "softwareProducts": [product],
    }
    return msgspec.json.encode(
        {
            "legalEntities": [
                {
                    "legalEntityName": "Bank Ltd",
                    "legalEntityStatusId": of("entity"),
                    "participations": [
                        {"participationTypeId": 1, "industryId": 1, "statusId": of("participation"), "brands": [holder]}
                    ],
                },
                {
                    "legalEntityName": "Fin Ltd",
                    "legalEntityStatusId": 1,
                    "participations": [{"participationTypeId": 2, "statusId": 1, "brands": [recipient]}],
                },
            ]
        }
    )
