"""Vectors of data maps: which bytes are one, and what its `map.publish` commits to (docs/spec/partners.md, 9)."""

from __future__ import annotations

import copy
from typing import Any

from tests.vectors.hashing import Json, b64u, encode
from tests.vectors.hashing import sha as hashed
from tests.vectors.story import HOLDER

ROWS = "GET /accounts/{account}/transactions"


def field(place: str, grade: int, at: str = ROWS, **members: Any) -> Json:
    return {"at": at, "field": place, "grade": grade, "since": 1, **members}


def honest() -> Json:
    basic = {"permission": "ReadTransactionsBasic"}
    fields = [
        field("/balance", 3, "GET /accounts/{account}/balances", permission="ReadBalances"),
        field("/links/*", 1),
        field("/rows/*/amount", 3, **basic),
        field("/rows/*/card", 3, mask="pan", since=2, **basic),
        field("/rows/*/risk~1score", 4),
        field("/rows/*/text", 3, mask="transaction-text", **basic),
        field("/rows/*/~2", 2, **basic),
        field("/rows/*/对方户名", 3, mask="counterparty-account", **basic),
    ]
    return {"fields": fields, "holder": HOLDER, "map": "accounts", "map_version": 2, "ruleset": 3, "v": 1}


def altered(work: Any) -> Json:
    """The honest map after `work` on it."""
    value = copy.deepcopy(honest())
    work(value)
    return value


def one(**members: Any) -> Json:
    """A map of this one field; a member that is None is left out."""
    row = {**field("/card", 3, permission="ReadBalances"), **members}
    return altered(lambda value: value.update(fields=[{k: v for k, v in row.items() if v is not None}]))


def sorted_fields(*places: str) -> Json:
    rows = [field(place, 3, permission="ReadBalances") for place in places]
    return altered(lambda value: value.update(fields=rows))


ACCEPTED = [
    ("eight fields of two operations", honest()),
    ("the whole body is one field", one(field="")),
    ("a public field that needs no permission", one(grade=1, permission=None)),
    ("a field that never leaves", one(grade=5, permission=None)),
    ("a field of a lower grade than its permission", one(grade=1)),
    ("a mask that a graver permission lifts", one(permission="ReadOffers", mask="pan", grade=3)),
    ("a permission of a grade that is never shared", one(permission="ReadAuthenticationData", grade=4)),
    ("a name that begins like another one", sorted_fields("/card", "/card2")),
    ("a named member beside all others", sorted_fields("/*", "/card")),
    ("an empty name", one(field="/")),
    ("32 steps", one(field="/a" * 32)),
    ("of ruleset 2", altered(lambda value: value.update(ruleset=2))),
]
REFUSED = [
    ("no fields", altered(lambda value: value.update(fields=[]))),
    ("a member that is not known", altered(lambda value: value.update(note="x"))),
    ("a field's member that is not known", one(why="a guess")),
    ("without a holder", altered(lambda value: value.pop("holder"))),
    ("version 0", altered(lambda value: value.update(map_version=0))),
    ("of ruleset 1, which has no grades of fields", altered(lambda value: value.update(ruleset=1))),
    ("a field that nobody graded", one(grade=None)),
    ("grade 0", one(grade=0)),
    ("grade 6", one(grade=6, permission=None)),
    ("graver than its permission", one(grade=4)),
    ("graver than what lifts its mask", one(permission="ReadOffers", mask="pan", grade=4)),
    ("a permission that is not in the catalogue", one(permission="ReadEverything")),
    ("a mask that is not in the catalogue", one(mask="blur")),
    ("a mask without a permission", one(mask="pan", permission=None, grade=1)),
    ("since a version that is still to come", one(since=3)),
    ("since version 0", one(since=0)),
    ("no method", one(at="/accounts")),
    ("a method that is not known", one(at="HEAD /accounts")),
    ("a path that begins with no slash", one(at="GET accounts")),
    ("a blank within the path", one(at="GET /my accounts")),
    ("a path beyond ASCII", one(at="GET /账户")),
    ("a place that begins with no slash", one(field="card")),
    ("a tilde alone", one(field="/a~b")),
    ("a tilde and 3", one(field="/a~3")),
    ("33 steps", one(field="/a" * 33)),
    ("out of order", sorted_fields("/b", "/a")),
    ("a place twice", sorted_fields("/a", "/a")),
    ("a field below another one", sorted_fields("/a", "/a/b")),
    ("a field below the whole body", sorted_fields("", "/a")),
    ("a field below all members", sorted_fields("/*", "/*/a")),
]


def data_maps() -> Json:
    cases: list[Json] = []
    for name, value in ACCEPTED:
        data = encode(value)
        said = {"fields": len(value["fields"]), "map_hash": b64u(hashed(b"", data))}
        cases.append({"accept": True, "name": name, "map": data.decode(), "publishes": said})
    cases += [{"accept": False, "name": name, "map": encode(value).decode()} for name, value in REFUSED]
    cases.append({"accept": False, "name": "white space", "map": encode(honest()).decode() + "\n"})
    return {"about": "Is this text a data map, and what does its map.publish say? (partners.md, 9)", "cases": cases}


FILES = {"data-maps": data_maps}
