"""Forms of the acts of attested history, right and wrong ones, from the tables of docs/spec/history.md, 1–3."""

from __future__ import annotations

import copy
from typing import Any

from tests.verifier.forge import HOLDER, Json, b64u
from tests.verifier.historical import FIRST, QLDB, Historical, block, row, usual

JOURNAL = {"source": QLDB}
REDACTED = {"kind": "redacted", "place": block(3), "time": FIRST}
FORMS: list[tuple[str, dict[str, Any], bool]] = [
    ("history.attest", {}, True),
    ("history.attest", JOURNAL, True),
    ("history.attest", {"customers": 0}, False),
    ("history.attest", {"customers": 4}, False),
    ("history.attest", {"rows": 2}, False),
    ("history.attest", {"first": FIRST + 99}, False),
    ("history.attest", {"last": 2**50}, False),
    ("history.attest", {"history": "a name"}, False),
    ("history.attest", {"title": ""}, False),
    ("history.attest", {"title": "x" * 201}, False),
    ("history.attest", {"root": b64u(bytes(31))}, False),
    ("history.attest", {"source/files": 0}, False),
    ("history.attest", {"source/kind": "xls"}, False),
    ("history.attest", {"source/more": 1}, False),
    ("history.attest", {"source/hash": None}, False),
    ("history.attest", {**JOURNAL, "source/first_block": 100}, False),
    ("history.attest", {**JOURNAL, "source/redacted": 8}, False),
    ("history.attest", {**JOURNAL, "source/checked": 1}, False),
    ("history.attest", {**JOURNAL, "source/tip": None}, False),
    ("history.sheet", {}, True),
    ("history.sheet", {"path": [b64u(bytes(32))] * 63}, True),
    ("history.sheet", {"path": [b64u(bytes(32))] * 64}, False),
    ("history.sheet", {"path": [b64u(bytes(31))]}, False),
    ("history.sheet", {"sheet/part": 2}, False),
    ("history.sheet", {"sheet/position": -1}, False),
    ("history.sheet", {"sheet/rows": []}, False),
    ("history.sheet", {"sheet/rows": [row(0)] * 64}, True),
    ("history.sheet", {"sheet/rows": [row(0)] * 65}, False),
    ("history.sheet", {"sheet/rows": [row(1), row(0)]}, False),
    ("history.sheet", {"sheet/rows": [row(0, time=0)]}, False),
    ("history.sheet", {"sheet/rows": [row(0, note="x" * 200)] * 33}, False),
    ("history.sheet", {"sheet/salt": b64u(bytes(31))}, False),
    ("history.sheet", {"sheet/subject": "short"}, False),
    ("history.sheet", {"sheet/more": 1}, False),
    ("history.sheet", {"sheet/rows/0/kind": "grant"}, False),
    ("history.sheet", {"sheet/rows/0/result": "allowed"}, False),
    ("history.sheet", {"sheet/rows/1/result": "maybe"}, False),
    ("history.sheet", {"sheet/rows/1/until": 7}, False),
    ("history.sheet", {"sheet/rows/0/until": 0}, False),
    ("history.sheet", {"sheet/rows/0/reason": "x"}, False),
    ("history.sheet", {"sheet/rows/0/recipient": None}, False),
    ("history.sheet", {"sheet/rows/0/recipient_id": "The app"}, False),
    ("history.sheet", {"sheet/rows/0/permissions": []}, False),
    ("history.sheet", {"sheet/rows/0/permissions": ["b", "a"]}, False),
    ("history.sheet", {"sheet/rows/0/permissions": ["a", "a"]}, False),
    ("history.sheet", {"sheet/rows/0/permissions": ["x" * 201]}, False),
    ("history.sheet", {"sheet/rows/0/place": {"file": 0, "record": 0}}, False),
    ("history.sheet", {"sheet/rows/0/place": {"file": 0}}, False),
    ("history.sheet", {"sheet/rows/0/place": {**block(1), "file": 0}}, False),
    ("history.sheet", {"sheet/rows/0/place": {**block(1), "hash": "x"}}, False),
    ("history.sheet", {"sheet/rows/0": REDACTED}, True),
    ("history.sheet", {"sheet/rows/0": {**REDACTED, "recipient": "x"}}, False),
    ("history.sheet", {"sheet/rows/0": {**REDACTED, "place": {"file": 0, "record": 1}}}, False),
    ("history.withdraw", {}, True),
    ("history.withdraw", {"history": "?"}, False),
    ("history.withdraw", {"reason": "with blanks"}, False),
    ("history.withdraw", {"more": 1}, False),
]


def changed(act: str, changes: dict[str, Any]) -> Json:
    """The payload of an act with these changes; `a/b` names a member within, None takes one out."""
    world = Historical(9)
    world.begun()
    world.attest(usual())
    payload: Json = copy.deepcopy(
        {
            "history.attest": world.payload(HOLDER, "history.attest", **world.told),
            "history.sheet": world.payload(HOLDER, "history.sheet", history=9, path=[], sheet=world.sheets[0]),
            "history.withdraw": world.payload(HOLDER, "history.withdraw", history="h1", reason="over"),
        }[act]
    )
    for path, value in changes.items():
        inner: Any = payload
        *above, last = path.split("/")
        for step in above:
            inner = inner[int(step)] if isinstance(inner, list) else inner[step]
        if value is None:
            del inner[last]
        else:
            inner[int(last) if isinstance(inner, list) else last] = copy.deepcopy(value)
    return payload


def members_of(act: str) -> Json:
    """The members of a right payload that only this act has."""
    common = {"act", "aud", "iat", "iss", "jti", "v"}
    return {name: value for name, value in changed(act, {}).items() if name not in common}
