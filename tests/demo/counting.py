"""What went wrong in a log, counted from an exported bundle with nothing of the ledger's own counting."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.canonical import unb64u
from tests.bundles import decode_bundle

DAY = 86_400
ENDS = ("consent.revoke", "consent.terminate")


@dataclass
class Wrong:
    """Of a period: refused accesses by recipient and reason, and by how many seconds over a day the slowest notice of each bank
    came, or one has been waited for, whenever the end was."""

    refused: Counter[str] = field(default_factory=Counter)
    reasons: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    late: Counter[str] = field(default_factory=Counter)


def times_of(bundle: Path) -> list[int]:
    """The time (ms) of each entry."""
    size = json.loads((bundle / "manifest.json").read_text())["size"]
    found: list[int] = []
    for first in range(0, size, 256):
        width, name = min(256, size - first), f"{first // 256:03d}"
        path = bundle / "tile" / "entries" / (name if width == 256 else f"{name}.p/{width}")
        found += [json.loads(leaf)["time"] for leaf in decode_bundle(path.read_bytes(), width)]
    return found


def said_in(bundle: Path) -> Iterator[tuple[int, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """(index, evidence, statement, item of an access) of each entry with evidence."""
    for line in gzip.decompress((bundle / "evidence" / "000.jsonl.gz").read_bytes()).splitlines():
        told = json.loads(line)
        evidence = json.loads(told["evidence"])
        says = json.loads(unb64u(evidence["statements"][0].split(".")[1])) if evidence["statements"] else {}
        item = json.loads(evidence["item"]["body"]) if "item" in evidence else says
        yield told["index"], evidence, says, item


def wrong_between(bundle: Path, first: int, end: int) -> Wrong:
    """Of entries with first ≤ time < end (ms)."""
    times, found = times_of(bundle), Wrong()
    parties: dict[str, tuple[str, str]] = {}
    ended: dict[int, str] = {}
    own = set[int]()
    """Ends that the recipient made itself: it needs no notice of them."""
    for index, evidence, says, item in said_in(bundle):
        act, inside = evidence["act"], first <= times[index] < end
        if act == "consent.request":
            parties[says["consent_id"]] = says["terms"]["holder"], says["terms"]["recipient"]
        elif act in ENDS:
            ended[index], recipient = parties[says["consent_id"]]
            if says.get("on_behalf_of", says["iss"]) == recipient:
                own.add(index)
        elif act == "consent.acknowledge" and says["basis"] in ended:
            bank, took = ended.pop(says["basis"]), (times[index] - times[says["basis"]]) // 1000
            found.late[bank] = max(found.late[bank], took - DAY if inside else 0)
        elif act == "access.request" and inside and evidence["outcome"]["decision"] == "deny":
            foreign = {"CONSENT_UNKNOWN", "CONSENT_NOT_YOURS"}.intersection(evidence["outcome"]["reasons"])
            whose = says["iss"] if foreign else parties[item["consent_id"]][1]
            found.refused[whose] += 1
            found.reasons[whose].update(evidence["outcome"]["reasons"])
    for index, bank in ended.items():
        waits = 0 if index in own or times[index] >= end else (min(times[-1], end) - times[index]) // 1000
        found.late[bank] = max(found.late[bank], waits - DAY)
    found.late += Counter()  # only those that are late
    return found
