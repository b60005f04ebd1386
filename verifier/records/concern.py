"""Which bank, app, consent, act and moment an entry is about, in the entry's own words: so that a report can say what a
defect concerns.

Nothing here is checked but that the evidence is that of its leaf: an audit has judged the entry, and a reader wants to know
which one it is. An entry that cannot be read tells what its leaf tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from verifier.bytes.encoding import (
    MAX_EVIDENCE,
    MAX_ITEM,
    MAX_STATEMENT,
    Json,
    Object,
    decode_base64url,
    decode_canonical,
    get_text,
)
from verifier.records.commitment import check_commitment
from verifier.records.evidence_lines import split_line
from verifier.records.leaf import Leaf, raw_of


@dataclass(frozen=True, slots=True)
class Concern:
    """What an entry says of itself: `time` (Unix milliseconds), `kind` of its leaf, `act` (of an operator's document its
    type), `parties` (ids: who acted first, then those named), `consent` id; empty where it does not say."""

    time: int
    kind: str
    act: str = ""
    parties: tuple[str, ...] = ()
    consent: str = ""


def concern_of_leaf(leaf: Leaf) -> Concern:
    """What a leaf tells without its evidence; an operator's document tells more."""
    document = leaf.document or {}
    names = (document.get(name) for name in ("participant", "issuer", "holder", "recipient"))
    return Concern(
        leaf.time, leaf.kind, _text(document.get("type")), _parties(names), _text(document.get("consent_id"))
    )


def concern_of_evidence(leaf: Leaf, line: bytes) -> Concern:
    """What the evidence of a leaf tells. Raises Refuted for a line that cannot be read or belongs to another leaf."""
    text, opening = split_line(line)
    check_commitment(raw_of(leaf.commitment), opening, text)
    evidence = decode_canonical(text, MAX_EVIDENCE)
    payload: Object = {}
    statements = evidence.get("statements")
    if isinstance(statements, list) and statements:
        parts = str(statements[0]).split(".")
        payload = decode_canonical(decode_base64url(parts[1]), MAX_STATEMENT)
    item = evidence.get("item")
    content = (
        payload if not isinstance(item, dict) else decode_canonical(get_text(item, "body", MAX_ITEM).encode(), MAX_ITEM)
    )
    terms = content.get("terms")
    named = terms if isinstance(terms, dict) else content
    names = (payload.get("on_behalf_of", payload.get("iss")), named.get("recipient"), named.get("holder"))
    return Concern(leaf.time, leaf.kind, _text(evidence.get("act")), _parties(names), _text(content.get("consent_id")))


def _parties(names: Iterable[Json]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
