"""A log of ruleset 3 with a report's definition, and what the verifier says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.forge import DAY, HOLDER, OTHER, Json, b64u, chain_of, sha, write
from tests.verifier.scored import Scored
from verifier.cli import main
from verifier.rules.report_forms import MEASURES

HOUR = 3_600_000
ALL = [name for name in MEASURES if name != "score"]


class Reported(Scored):
    """A world that defines and issues reports. It begins at midnight, UTC, of 2026-09-22."""

    def day(self, number: int = 0) -> int:
        """The first second of that day after the beginning."""
        return self.first + number * 86_400

    def define_report(self, report: str = "daily", **changes: Any) -> int:
        plain: Json = {"period": "day", "utc_offset": 0, "by": [], "measures": ["accesses_allowed"], "suppress": 0}
        return self.document("report.defined", report=report, **{**plain, **changes})

    def issue(self, csv: str, report: str = "daily", first: int = 0, last: int = 1, **lies: Any) -> int:
        data = csv.encode()
        members = {"report": report, "from": self.day(first), "to": self.day(last), "to_index": len(self.entries) - 1}
        figures = {"rows": data.count(b"\n") - 1, "csv_hash": b64u(sha(data))}
        return self.document("report.issued", **{**members, **figures, **lies})


def begun() -> Reported:
    world = Reported(3)
    world.tick(DAY - world.time % DAY)
    world.first = world.time // 1000
    world.begin = len(world.entries)
    world.begun()
    return world


def told(world: Reported, place: Path, capsys: pytest.CaptureFixture[str], *words: str, command: str = "bundle") -> Any:
    """Defects, what is not checked, and the lines of an audit."""
    write(world.files(), place / str(len(world.entries)))
    (place / "policy").write_text(world.policy())
    bundle = str(place / str(len(world.entries)))
    main([command, bundle, "--policy", str(place / "policy"), "--jobs", "1", "--json", *words])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = [(one["code"], one["index"]) for one in events if one["event"] == "defect"]
    unchecked = {one["what"]: one["count"] for one in events if one["event"] == "unchecked"}
    return found, unchecked, [one["text"] for one in events if one["event"] == "text"]


def lived(world: Reported) -> None:
    """A day on which everything happens that is counted."""
    first = world.grant(permissions=["ReadBalances", "ReadParty"])
    second = world.grant(permissions=["ReadBalances"], authorisers_required=2)
    world.authorise(second)
    third = world.request(OTHER, recipient=OTHER)
    for present in (True, False, False):
        world.access(first, customer_present=present)
    world.access(first, permissions=["ReadParty"], purpose="MKT")
    world.access(first, HOLDER, relayed=True, asserted=["TOKEN_EXPIRED"])
    world.access(first, OTHER)  # not its own: nowhere
    world.access(world.consent_id())  # of nothing
    end = world.revoke(first)
    world.tick(5_999)
    world.acknowledge(first, end)
    world.tick(9_000)
    world.acknowledge(first, end)
    world.feedback(second)
    world.end(third, "consent.reject", "REJECTED", OTHER)
    chains = sorted(b64u(chain_of(one)) for one in (third, "a stranger's"))
    world.operator({"type": "erasure", "chains": chains, "basis": "law", "approved_by": ["a", "b"]})
    world.operator({"type": "erasure", "chains": [b64u(chain_of(third))], "basis": "law", "approved_by": ["a", "b"]})
