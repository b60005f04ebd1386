"""What encoding.md says fits an object does fit, and one more does not."""

from __future__ import annotations

import re
from typing import Any

from tests.conformance import ROOT
from tests.vectors.hashing import b64u, draw, encode
from tests.vectors.signing import Rsa, jws
from tests.vectors.story import CATALOGUE, FIRST, HOLDER, ruleset_2

PAGE = (ROOT / "docs/spec/encoding.md").read_text()
LARGE = 2**53 - 1
HASH = b64u(bytes(32))


def leaf(document: dict[str, Any]) -> int:
    """The bytes of an operator leaf with the largest numbers."""
    links = {"chain": HASH, "kind": "operator", "prev": HASH, "prev_in_chain": HASH, "index": LARGE, "seq": LARGE}
    return len(encode({**links, "document": {"v": 1, **document}, "time": 1_790_000_000_000, "v": 1}))


def said(row: str) -> list[int]:
    """The numbers in the last cell of a row."""
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| {row}")]
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", line.split("|")[-2])]


def purpose(count: int, permissions: list[str], code: str, **bounds: int) -> int:
    none = dict.fromkeys(("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days"), 0)
    document = {"type": "purpose.defined", "code": code, "permissions": permissions[:count], **none, **bounds}
    return leaf(document)


def test_permissions_of_a_purpose() -> None:
    names = sorted(CATALOGUE["permissions"], key=len)
    most = {
        "max_days": 36_500,
        "max_frequency_per_day": 10_000,
        "max_history_days": 36_500,
        "max_retention_days": 36_500,
    }
    certain, _, few = said("`purpose.defined`")
    assert purpose(certain, names[::-1], "c" * 64, **most) <= 1024 < purpose(certain + 1, names[::-1], "c" * 64, **most)
    assert purpose(few, names, "A") <= 1024 < purpose(few + 1, names, "A")


def test_the_name_of_a_participant() -> None:
    size, chinese = said("`participant.registered`")[0], said("`participant.registered`")[2]
    roles = ["auditor", "holder", "recipient", "regulator", "technology-provider"]
    document = {"type": "participant.registered", "participant": "p" * 63, "roles": roles}
    assert leaf({**document, "name": "n" * size}) == 1024
    assert chinese == size // 3


def test_a_large_key() -> None:
    [together] = said("`key.added`")
    document = {"type": "key.added", "alg": "PS256", "use": "statement", "jwk": Rsa("big", 3072).jwk, "kid": "k" * 51}
    assert leaf({**document, "participant": "p" * (together - 51)}) == 1024


def test_accounts_of_an_authorisation() -> None:
    log, length = ruleset_2(13), said("`consent.authorise`")[1]

    def size(reference: int, joint: bool) -> int:
        accounts = [b64u(draw(str(n), 48))[:reference] for n in range(100)]
        given = [{"given_at": LARGE, "kind": f"{n}" * 64, "text_hash": HASH} for n in range(8)]
        proof = {"acr": "a" * 64, "amr": ["a" * 64] * 8, "at": LARGE}
        longest = {
            "separate_consents": given,
            "sca": proof,
            "acting_role": "r" * 64,
            "version": LARGE,
            "on_behalf_of": "p" * 63,
        }
        names = {
            "consent_id": "u" * 128,
            "authoriser": "a" * 64,
            "subject": "s" * 64,
            "aud": "o" * 255,
            "iss": "p" * 63,
        }
        more = {"joint_accounts": accounts} if joint else {}
        members = {**log.authorisation(FIRST, accounts=accounts, **longest), **names, **more}
        payload = {**log.payload(HOLDER, "consent.authorise"), **members}
        return len(jws(Rsa("big", 3072), "k" * 64, encode(payload)))

    assert size(length, joint=True) <= 16_384 < size(length + 1, joint=True)
    assert size(64, joint=False) <= 16_384


def test_an_item_of_a_batch() -> None:
    accounts = [b64u(draw(str(n), 48)) for n in range(100)]
    largest = {"from": LARGE, "to": LARGE, "interaction_id": "i" * 64, "purpose": "p" * 64, "accounts": accounts}
    item = {**ruleset_2(13).item(FIRST, **largest), "consent_id": "u" * 128, "permissions": []}
    assert 8192 - len(encode(item)) == said("an item of a batch")[2]
