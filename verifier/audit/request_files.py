"""The request texts of a bundle: each against the hash that its entry's terms name, and its translation against these terms
(docs/spec/bundles.md, requests.md)."""

from __future__ import annotations

from hashlib import sha256

from verifier.audit.evidence_files import LinesByIndex, request_path
from verifier.bytes.archive import Archive
from verifier.bytes.encoding import (
    Object,
    check_members,
    decode_base64url,
    decode_canonical,
    encode_base64url,
    get_integer,
    get_text,
)
from verifier.errors import Code, Defect, Place, Refuted, printable
from verifier.records.facts import Found
from verifier.rules.findings import Findings
from verifier.rules.translating import Mapping

MAX_LINE = 88_000
ASKING = ("consent.amend", "consent.request")
"""Acts whose terms may name a request's text."""
NOT_THERE = "requests in the words of a standard, whose texts are not in the bundle"
NOT_HELD = "requests of standards or versions that the mapping does not hold"
AMENDED = "requests of changed terms that the mapping does not hold"
UNREAD = "request texts of entries that could not be read"
DIFFERS = "the terms are not what the request asks for"
REFUSED = "the request gives no terms"


class RequestTexts(LinesByIndex):
    """Shown each entry in order after it was judged, it says what the entry's request text says of its terms."""

    def __init__(self, archive: Archive, findings: Findings, size: int, start: int, wanted: bool) -> None:
        super().__init__(
            archive,
            findings,
            size,
            start,
            wanted,
            sentences=("a request line out of order or in the wrong file", "a request file without lines"),
            path_of=request_path,
            limit=MAX_LINE,
            index_of=_line_index,
        )
        self._mapping = Mapping()

    def see(self, position: int, found: Found | None, *, readable: bool = True) -> None:
        """One entry; `found` is None when it has no evidence line, or its leaf is not `readable`."""
        row = self._row_of(position)
        facts = None if found is None else found.facts
        if facts is None and (found is not None or not readable):
            self._findings.unchecked[UNREAD] += row is not None
            return
        act = "" if facts is None else facts.act
        said = facts.content.get("terms") if facts is not None and act in ASKING else None
        terms = said if isinstance(said, dict) else {}
        digest = terms.get("details_hash")
        if row is None:
            if digest is not None and self._mapping.holds(terms, act):
                self._findings.unchecked[NOT_THERE] += 1
            return
        # Step 7.17.
        if digest is None:
            self._bad(row, "a request text for an entry that names none", " or ".join(ASKING), act or "no evidence")
            return
        try:
            text = decode_base64url(get_text(decode_canonical(row[1], MAX_LINE), "request", MAX_LINE))
        except Refuted as refusal:
            self._findings.refuse(refusal, index=position, file=row[2], line=row[3])
            return
        hashed = encode_base64url(sha256(text).digest())
        if hashed != digest:
            sentence = "the request text has another hash than the terms name"
            place = Place(position, row[2], row[3], "request")
            self._findings.add(Defect(Code.BAD_COMMITMENT, sentence, place, printable(digest), hashed))
            return
        self._translated(position, act, terms, text, 0 if facts is None else facts.iat)

    def _translated(self, position: int, act: str, terms: Object, text: bytes, asked_at: int) -> None:
        if not self._mapping.holds(terms, act):
            self._findings.unchecked[NOT_HELD if act == "consent.request" else AMENDED] += 1
            return
        self._findings.checked["requests translated again"] += 1
        # Step 8.17.
        for member, expected, found in self._mapping.differences(terms, text, asked_at, act):
            place = Place(position, field=f"terms.{member}" if member else "request")
            sentence = DIFFERS if member else REFUSED
            self._findings.dispute(Defect(Code.DISPUTED, sentence, place, printable(expected), printable(found)))


def _line_index(line: bytes) -> int:
    members = decode_canonical(line, MAX_LINE)
    check_members(members, {"index", "request"})
    return get_integer(members, "index")
