"""What holders attest of their past: which acts are legal (docs/spec/history.md, 4).

Nothing else rests on it: no state, no decision, no count of accesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from verifier.bytes.encoding import Object, decode_base64url
from verifier.bytes.merkle import verify_inclusion
from verifier.errors import Code, Refuted, refuted
from verifier.records.facts import Facts
from verifier.records.history_acts import MEMBERS, number, rows_of, sheet_id

ATTESTED = frozenset(MEMBERS)


@dataclass(slots=True)
class Attested:
    """A legal `history.attest`, which is entry `index`, by `party`. Times in seconds; `withdrawn`: the entry that says so."""

    index: int
    party: str
    signer: tuple[str, str]
    code: str
    title: str
    root: bytes
    sheets: int
    rows: int
    customers: int
    first: int
    last: int
    left_out: int
    source: Object
    withdrawn: int | None = None


@dataclass(slots=True)
class AttestedHistories:
    """The histories so far, by the entries that attest them. `used`: (party, code)."""

    attested: dict[int, Attested] = field(default_factory=dict)
    used: dict[tuple[str, str], int] = field(default_factory=dict)

    def declare(self, act: str, party: str, content: Object, index: int) -> None:
        """A declaration of `party`. Raises Refuted(CONSENT_INVALID) if it is illegal."""
        name = party, str(content["history"])
        if act == "history.withdraw":
            known = self.attested.get(self.used.get(name, -1))
            if known is None or known.withdrawn is not None:
                raise _bad("only a history that was attested and not withdrawn is withdrawn", "history", "one", name[1])
            known.withdrawn = index
            return
        again = name in self.used
        if again:
            raise _bad("the name of the history was used before", "history", "a new name", name[1])
        self.used[name] = index
        source = _object(content["source"])
        for other in self.attested.values():
            if other.party == party and other.withdrawn is None and other.source["hash"] == source["hash"]:
                expected = f"another source than entry {other.index} has"
                raise _bad("the source was brought before", "source.hash", expected, source["hash"])
        self.attested[index] = attested_in(content, party, index)

    def history_of(self, index: int, facts: Facts) -> Attested:
        """The history that the sheet at this index belongs to. Raises Refuted(CONSENT_INVALID)."""
        named = number(facts.content["history"])
        attested = self.attested.get(named)
        if attested is None or attested.party != facts.party:
            expected = f"an entry below {index} by which {facts.party} attests a history"
            raise _bad("the sheet belongs to no history of its signer", "history", expected, named)
        if attested.withdrawn is not None:
            found = f"withdrawn by entry {attested.withdrawn}"
            raise _bad("the history was withdrawn before", "history", "one in force", found)
        return attested


def attested_in(content: Object, party: str, index: int) -> Attested:
    """What a `history.attest` of `party` at this index says."""
    return Attested(
        index,
        party,
        (str(content["iss"]), str(content.get("on_behalf_of", ""))),
        str(content["history"]),
        str(content["title"]),
        decode_base64url(str(content["root"]), 32),
        number(content["sheets"]),
        number(content["rows"]),
        number(content["customers"]),
        number(content["first"]),
        number(content["last"]),
        number(content["left_out"]),
        _object(content["source"]),
    )


def check_within(attested: Attested, facts: Facts) -> None:
    """What a history and its sheet say together (rules 2 and 3). Raises Refuted: BAD_PROOF if the path does not lead to the
    root, CONSENT_INVALID for all else."""
    content, sheet = facts.content, _object(facts.content["sheet"])
    position = number(sheet["position"])
    path = [decode_base64url(str(text), 32) for text in _list(content["path"])]
    leaf = decode_base64url(str(content["sheet_hash"]), 32)
    verify_inclusion(position, attested.sheets, leaf, path, attested.root)
    if (facts.iss, facts.behalf) != attested.signer:
        expected, told = (f"{iss} for {behalf or iss}" for iss, behalf in (attested.signer, (facts.iss, facts.behalf)))
        raise _bad("the sheet is signed by another than its history, or for another", "iss", expected, told)
    identity = sheet_id(attested.root, position)
    if content["jti"] != identity:
        raise _bad("the sheet has another id than its place gives", "jti", identity, content["jti"])
    for row in rows_of(sheet):
        time = number(row["time"])
        if not attested.first <= time <= attested.last:
            expected = f"{attested.first} to {attested.last}"
            raise _bad("a row lies outside the time of its history", "sheet.rows.time", expected, time)
        _check_place(_object(row["place"]), attested.source)


def _check_place(place: Object, source: Object) -> None:
    filed = "file" in place
    if filed != (source["kind"] == "csv"):
        raise _bad("a row lies in another kind of source", "sheet.rows.place", source["kind"], sorted(place))
    low, high = (
        (0, number(source["files"]) - 1) if filed else (number(source["first_block"]), number(source["last_block"]))
    )
    at = number(place["file" if filed else "block"])
    if not low <= at <= high:
        raise _bad("a row lies outside its source", "sheet.rows.place", f"{low} to {high}", at)


def check_before(facts: Facts, began: int) -> None:
    """History ends where the record of the customer begins (rule 4), at `began` (ms). Raises Refuted(CONSENT_INVALID)."""
    last = number(rows_of(_object(facts.content["sheet"]))[-1]["time"])  # they never fall
    if last * 1000 >= began:
        raise _bad("a row is not older than the record of its customer", "sheet.rows.time", f"below {began} ms", last)


def digest_of_files(files: Mapping[str, bytes]) -> bytes:
    """`hash` of a source: the SHA-256 of its one file, or of the list that `sha256sum` prints of several. By path, the SHA-256
    of each file."""
    if len(files) == 1:
        return next(iter(files.values()))
    lines = sorted((path.encode(), digest) for path, digest in files.items())
    return sha256(b"".join(digest.hex().encode() + b"  " + path + b"\n" for path, digest in lines)).digest()


def _object(value: object) -> Object:
    assert isinstance(value, dict)  # noqa: S101 - the form was checked when the statement was read
    return value


def _list(value: object) -> list[object]:
    assert isinstance(value, list)  # noqa: S101 - the form was checked when the statement was read
    return value


def _bad(sentence: str, field_: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field=field_, expected=expected, found=found)
