"""Items of a batch, each disclosed alone: they stand where the signed root says, and tell the same of their statement."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.forge import (
    HOLDER,
    RECIPIENT,
    b64u,
    encode,
    leaf_hash,
    path_of,
    sha,
    tree,
)
from tests.verifier.shown import (
    ASKED,
    DENIED,
    HASH,
    ITEM,
    REVOKED,
    SIGNERS,
    facts,
    payload,
    read,
    reader,
    refused,
    signed,
)
from verifier.errors import Code


def batch(
    count: int, position: int, *, body: Any = None, claimed: int | None = None, key: str = RECIPIENT, **changes: Any
) -> dict[str, Any]:
    """Evidence of one item among `count`, of which all others are hashes only."""
    text = encode(ITEM if body is None else body)
    hashes = [leaf_hash(text) if at == position else sha(at.to_bytes(4)) for at in range(count)]
    path = [b64u(part) for part in path_of(position, hashes)]
    content = payload(
        "access.batch", RECIPIENT, items_count=count if claimed is None else claimed, items_root=b64u(tree(hashes))
    )
    return {
        "act": "access.request",
        "outcome": DENIED,
        "statements": [SIGNERS[key].sign(content)],
        "v": 1,
        "item": {"body": text.decode(), "path": path, "position": position, **changes},
    }


@pytest.mark.parametrize(("count", "position"), [(1, 0), (2, 1), (3, 2), (600, 0), (1_000, 0), (1_000, 999)])
def test_an_item_stands_where_the_signed_root_says(count: int, position: int) -> None:
    made = facts(batch(count, position))
    assert (made.position, made.act, made.signed_act, made.iss) == (
        position,
        "access.request",
        "access.batch",
        RECIPIENT,
    )
    assert made.content == facts(ASKED).content


def test_an_item_elsewhere_or_of_another_form_is_refused() -> None:
    good = batch(3, 1)
    for wrong in (
        {"position": 0},
        {"position": 2},
        {"position": 3},
        {"path": good["item"]["path"][::-1]},
        {"path": good["item"]["path"][:1]},
        {"body": encode(ITEM | {"to": 3}).decode()},
    ):
        refused(Code.BAD_PROOF, good | {"item": good["item"] | wrong})
    for wrong in (
        {"position": -1},
        {"position": True},
        {"position": 1_000},
        {"path": [HASH] * 17},
        {"path": ["AA"]},
        {"path": [HASH + "A"]},
        {"body": ""},
        {"body": 1},
        {"more": 1},
    ):
        refused(Code.BAD_ENCODING, good | {"item": good["item"] | wrong})
    refused(Code.BAD_PROOF, good | {"item": good["item"] | {"path": [HASH] * 16}})
    for body in (ITEM | {"relayed": True}, {}, ITEM | {"from": -1}, ITEM | {"purpose": "p" * 65}):
        refused(Code.BAD_ENCODING, batch(3, 1, body=body))
    for claimed in (0, 1_001):
        refused(Code.BAD_ENCODING, batch(1, 0, claimed=claimed))


def test_each_item_of_a_batch_tells_the_same_of_their_one_statement() -> None:
    by, hashes = reader(), [leaf_hash(encode(ITEM)), leaf_hash(encode(ITEM | {"to": 9}))]
    content = payload("access.batch", RECIPIENT, items_count=2, items_root=b64u(tree(hashes)))
    forged = SIGNERS[HOLDER].sign(content, {"alg": "EdDSA", "kid": RECIPIENT, "typ": "consent-statement+jwt"})
    for jws, codes in ((signed(content), []), (forged, [str(Code.BAD_SIGNATURE)])):
        for position, item in enumerate((ITEM, ITEM | {"to": 9})):
            shown = {"body": encode(item).decode(), "path": [b64u(hashes[1 - position])], "position": position}
            found = read(
                {"act": "access.request", "outcome": DENIED, "statements": [jws], "v": 1, "item": shown}, by=by
            )
            assert [row[0] for row in found.defects] == codes
            assert found.facts is not None
            assert (found.facts.position, found.facts.content["to"], found.facts.kid) == (
                position,
                item["to"],
                RECIPIENT,
            )
            assert found.facts.payload_key == sha(encode(content))[:16]
    # Another statement is read anew.
    assert read(REVOKED, by=by).facts == facts(REVOKED)
