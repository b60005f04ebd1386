"""Vectors of attested history: what is one, which sheets it may have, and whether its totals are theirs (docs/spec/history.md)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.histories import BEFORE, Row, Told, row, sheet
from tests.vectors.hashing import Json, b64u, draw, encode
from tests.vectors.log import ORIGIN
from tests.vectors.story import HOLDER

ANN, BOB = (b64u(draw(f"history/{name}", 18)) for name in ("ann", "bob"))
AT = 21
"""Entry of each `history.attest`."""
IAT = 1_790_000_007
REVISION = {"block": 4, "document": "3Qv67yjXEwB9SjmvkuG6Cp", "hash": b64u(draw("revision")), "version": 1}
QLDB = {
    "checked": True,
    "files": 3,
    "first_block": 0,
    "hash": b64u(draw("export")),
    "kind": "qldb",
    "last_block": 9,
    "mapping_hash": b64u(draw("mapping")),
    "redacted": 1,
    "revisions": 12,
    "strand": "JdxjkR9bSYB5jMHWcI464T",
    "tip": b64u(draw("tip")),
}
Work = Callable[[Json], Any]


def payload(act: str, members: Json) -> Json:
    common = {"act": act, "aud": ORIGIN, "iat": IAT, "iss": HOLDER, "jti": b64u(draw(f"{act}/jti", 16)), "v": 1}
    return common | members


def honest() -> Told:
    everything = row(
        "consent", until=BEFORE + 9, consent="C-1", permissions=["names", "余额"], purpose="Budgeting", note="=1+1"
    )
    return Told(
        sheet(ANN, [everything, row(record=2, time=BEFORE + 5, result="allowed", recipient_id="app.example")], 0, 0, 2),
        sheet(ANN, [row("revocation", record=3, time=BEFORE + 9, reason="moved")], 1, 1, 2),
        sheet(BOB, [row(record=4, result="refused", reason="expired", permissions=["names"])], 2),
    )


def journal() -> Told:
    old = row("redacted", recipient=None, place=REVISION)
    return Told(sheet(ANN, [old, row(place=REVISION | {"version": 2}, time=BEFORE + 1)], 0), source=QLDB)


def text(said: Json) -> str:
    return encode({name: value for name, value in said.items() if value is not None}).decode()


def after(said: Json, work: Work) -> Json:
    made = copy.deepcopy(said)
    work(made)
    return made


def put(*path: Any, value: Any) -> Work:
    def work(said: Json) -> None:
        found: Any = said
        for step in path[:-1]:
            found = found[step]
        found[path[-1]] = value

    return work


def out(*path: Any) -> Work:
    def work(said: Json) -> None:
        found: Any = said
        for step in path[:-1]:
            found = found[step]
        del found[path[-1]]

    return work


WRONG_ATTESTS: list[tuple[str, Work]] = [
    ("a last time after it was signed", put("last", value=IAT + 1)),
    ("a first time after the last", put("first", value=BEFORE + 10)),
    ("no customers", put("customers", value=0)),
    ("more customers than sheets", put("customers", value=4)),
    ("more sheets than rows", put("sheets", value=5)),
    ("a count that is negative", put("left_out", value=-1)),
    ("no title", put("title", value="")),
    ("a name that is no code", put("history", value="the old register")),
    ("a root of 31 bytes", put("root", value=b64u(bytes(31)))),
    ("a table without files", put("source", "files", value=0)),
    ("a table with a member of a journal", put("source", "checked", value=True)),
    ("another kind of source", put("source", "kind", value="memory")),
    ("a journal without its tip", put("source", value={name: QLDB[name] for name in QLDB if name != "tip"})),
    ("a journal that ends before it begins", put("source", value=QLDB | {"first_block": 10})),
    ("more redacted than revisions", put("source", value=QLDB | {"redacted": 13})),
    ("a member that it does not have", put("zz", value=1)),
    ("without its rows", out("rows")),
]
ROW = ("sheet", "rows", 0)
WRONG_FORMS: list[tuple[str, Work]] = [
    ("no row", put("sheet", "rows", value=[])),
    ("65 rows", put("sheet", "rows", value=[row()] * 65)),
    ("more than 8,192 bytes", put("sheet", "rows", value=[row(record=n, note="x" * 150) for n in range(1, 45)])),
    ("a time that falls", put("sheet", "rows", value=[row(), row(time=BEFORE - 1)])),
    ("a part beyond the parts", put("sheet", "part", value=2)),
    ("a salt of 16 bytes", put("sheet", "salt", value=b64u(bytes(16)))),
    ("a subject that is no reference", put("sheet", "subject", value="ann")),
    ("a row without a recipient", out(*ROW, "recipient")),
    ("a row without a time", out(*ROW, "time")),
    ("a row of time 0", put(*ROW, "time", value=0)),
    ("a row of another kind", put(*ROW, "kind", value="decision")),
    ("a consent with a result", put(*ROW, "result", value="allowed")),
    ("a consent with a reason", put(*ROW, "reason", value="moved")),
    ("an access with an end", put("sheet", "rows", value=[row(until=BEFORE)])),
    ("a result that is none", put("sheet", "rows", value=[row(result="perhaps")])),
    ("permissions that are not sorted", put(*ROW, "permissions", value=["b", "a"])),
    ("a permission twice", put(*ROW, "permissions", value=["a", "a"])),
    ("an empty list of permissions", put(*ROW, "permissions", value=[])),
    ("a text of 201 characters", put(*ROW, "note", value="x" * 201)),
    ("a place of both kinds", put(*ROW, "place", "block", value=1)),
    ("a place without a record", out(*ROW, "place", "record")),
    ("record 0", put(*ROW, "place", "record", value=0)),
    ("a redacted row of a table", put("sheet", "rows", value=[row("redacted", recipient=None)])),
    ("a redacted row that says something", put("sheet", "rows", value=[row("redacted", place=REVISION)])),
    ("a member that rows do not have", put(*ROW, "decision", value="allow")),
    ("a path of 64 hashes", put("path", value=[b64u(bytes(32))] * 64)),
    ("a path of something else", put("path", value=["x"])),
    ("without its path", out("path")),
]
WRONG_SHEETS: list[tuple[str, Work]] = [
    ("another row than was signed", put(*ROW, "recipient", value="Another Ltd")),
    ("another salt", put("sheet", "salt", value=b64u(draw("another salt")))),
    ("another customer", put("sheet", "subject", value=BOB)),
    ("a path cut short", lambda said: said["path"].pop()),
    ("a path that is too long", lambda said: said["path"].append(b64u(bytes(32)))),
    ("another position than its jti", put("sheet", "position", value=1)),
    ("a jti of its own", put("jti", value=b64u(draw("another", 16)))),
    ("for somebody else than the history", put("on_behalf_of", value="bank-2.example")),
    ("of another entry", put("history", value=AT - 1)),
]


def _sheets() -> list[Json]:
    cases: list[Json] = []

    def case(name: str, told: Told, said: Json, code: str = "", began: int | None = None) -> None:
        made: Json = {
            "accept": not code,
            "at": AT,
            "attest": text(payload("history.attest", told.attest)),
            "began": began,
        }
        cases.append(made | ({"code": code} if code else {}) | {"name": name, "sheet": text(said)})

    def of(told: Told, position: int) -> Json:
        return payload("history.sheet", told.of(position, AT))

    told, exported = honest(), journal()
    for position in range(3):
        case(f"sheet {position} of a table", told, of(told, position))
    case("a sheet of a journal, with a redacted row", exported, of(exported, 0))
    case("a customer whose record begins right after her last row", told, of(told, 0), began=(BEFORE + 5) * 1000 + 1)
    case("a record that begins at the last row", told, of(told, 0), "CONSENT_INVALID", (BEFORE + 5) * 1000)
    case("a record that begins before all of them", told, of(told, 0), "CONSENT_INVALID", 1000)
    for name, work in WRONG_FORMS:
        case(name, told, after(of(told, 0), work), "BAD_ENCODING")
    for name, work in WRONG_SHEETS:
        case(name, told, after(of(told, 0), work), "CONSENT_INVALID")
    for name, one, changes in (
        ("a row before the first time", row(time=BEFORE - 1), {"first": BEFORE}),
        ("a row after the last time", row(time=BEFORE + 1), {"last": BEFORE}),
        ("a row of a second file", row(place={"file": 1, "record": 1}), {}),
        ("a row of a journal in a table", row(place=REVISION), {}),
        ("a row of a table in a journal", row(), {"source": QLDB}),
        ("a row of a block that was not brought", row(place=REVISION | {"block": 10}), {"source": QLDB}),
    ):
        strange = Told(
            sheet(ANN, [one], 0), sheet(BOB, [row()], 1), **{"first": BEFORE - 9, "last": BEFORE + 9, **changes}
        )
        case(name, strange, of(strange, 0), "CONSENT_INVALID")
    return cases


def _whole() -> list[Json]:
    def case(name: str, told: Told, *, agrees: bool) -> Json:
        sheets = [text(payload("history.sheet", told.of(position, AT))) for position in range(len(told.sheets))]
        return {
            "agrees": agrees,
            "attest": text(payload("history.attest", told.attest)),
            "name": name,
            "sheets": sheets,
        }

    def again(*sheets: Json, **changes: Any) -> Told:
        return Told(*sheets, **changes)

    first: list[Row] = [row("consent"), row(record=2, time=BEFORE + 5)]
    later: list[Row] = [row(record=3, time=BEFORE + 9)]
    ann = (sheet(ANN, first, 0, 0, 2), sheet(ANN, later, 1, 1, 2))
    bob = sheet(BOB, [row(record=4)], 2)
    return [
        case("as it was told", again(*ann, bob), agrees=True),
        case("a row more than there is", again(*ann, bob, rows=5), agrees=False),
        case("a customer fewer than there are", again(*ann, bob, customers=1), agrees=False),
        case("a first time before the first row", again(*ann, bob, first=BEFORE - 1), agrees=False),
        case("a last time after the last row", again(*ann, bob, last=BEFORE + 10), agrees=False),
        case(
            "another's sheet between hers",
            again(ann[0], sheet(BOB, [row()], 1), sheet(ANN, later, 2, 1, 2)),
            agrees=False,
        ),
        case(
            "a part that is missing", again(sheet(ANN, first, 0, 0, 3), sheet(ANN, later, 1, 1, 3), bob), agrees=False
        ),
        case(
            "parts in another order", again(sheet(ANN, later, 0, 1, 2), sheet(ANN, first, 1, 0, 2), bob), agrees=False
        ),
        case(
            "rows that fall from sheet to sheet",
            again(sheet(ANN, later, 0, 0, 2), sheet(ANN, first, 1, 1, 2)),
            agrees=False,
        ),
    ]


def histories() -> Json:
    honest_ones = [("a table", honest().attest), ("a journal", journal().attest)]
    attests: list[Json] = [
        {"accept": True, "attest": text(payload("history.attest", members)), "name": name}
        for name, members in honest_ones
    ]
    for name, work in WRONG_ATTESTS:
        said = after(payload("history.attest", honest().attest), work)
        attests.append({"accept": False, "attest": text(said), "code": "BAD_ENCODING", "name": name})
    return {
        "about": "Is this an attested history, may it have this sheet, and are its totals those of its sheets? (history.md)",
        "attests": attests,
        "origin": ORIGIN,
        "sheets": _sheets(),
        "whole": _whole(),
    }


FILES = {"histories": histories}
