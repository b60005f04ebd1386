"""The rules of docs/spec/risk.md told naively, over the list of all that happened: for each entry everything is counted from
the beginning. A world that raises the alerts which they give. Nothing of ours is imported."""

from __future__ import annotations

from typing import Any

from tests.verifier.forge import DAY, Json, b64u, chain_of
from tests.verifier.supervised import Supervised

HOUR = 3_600_000
RULES = {
    "rate": (1, HOUR),
    "night": (2, DAY),
    "new-permission": (3, DAY),
    "refused": (4, HOUR),
    "breadth": (5, DAY),
    "unattended": (6, DAY),
    "rows": (7, HOUR),
    "legs-differ": (8, HOUR),
    "woken": (9, DAY),
    "many": (10, HOUR),
    "after-end": (11, DAY),
    "model": (12, HOUR),
    "late-notice": (13, DAY),
    "no-notice": (14, DAY),
}
Hit = tuple[str, tuple[str, str], int, list[int]]
"""Rule, (kind, id), score, features."""


def hits(events: list[Json], model: Json | None) -> list[Hit]:
    """The conditions that hold at the last event, in the order of the rules; quiet times are not looked at."""
    e = events[-1]
    found = {"access": _access, "request": _request, "leg": _leg, "notice": _notice}[e["what"]](e, events, model)
    return sorted(found, key=lambda hit: RULES[hit[0]][0])


def _access(e: Json, events: list[Json], model: Json | None) -> list[Hit]:
    t, found = e["t"], list[Hit]()
    asked = [a for a in events if a["what"] == "access" and a["R"] == e["R"]]
    refused = [a["refused"] for a in asked][-50:]
    if len(asked) >= 50 and sum(refused) >= 20:
        found.append(("refused", ("recipient", e["R"]), 20 * sum(refused), [sum(refused), 50]))
    if not e["own"]:
        return found
    about = ("recipient", e["R"])
    mine = [a for a in asked if a["own"]]
    found += [] if e["refused"] else _allowed(e, mine)
    hour, day = t // HOUR, t // DAY
    n = sum(a["t"] // HOUR == hour for a in mine)
    b = sum(hour - 168 <= a["t"] // HOUR < hour for a in mine)
    if n >= 50 and 168 * n >= 8 * (b + 168):
        found.append(("rate", about, 50 * 168 * n // (b + 168), [n, b]))
    today = [a for a in mine if a["t"] // DAY == day]
    u = sum(a["night"] and a["unattended"] for a in today)
    if e["night"] and e["unattended"] and u >= 30 and 2 * u >= len(today):
        found.append(("night", about, 1000 * u // len(today), [u, len(today)]))
    if len(mine) >= 200:
        u1, u0 = (sum(a["unattended"] for a in part) for part in (mine[-100:], mine[-200:-100]))
        if u1 >= 90 and u0 <= 50:
            found.append(("unattended", about, 10 * u1, [u1, u0]))
    m = len({a["c"] for a in mine if a["t"] // HOUR == hour})
    b = len({(a["c"], a["t"] // HOUR) for a in mine if hour - 168 <= a["t"] // HOUR < hour})
    if m >= 40 and 168 * m >= 6 * (b + 168):
        found.append(("many", about, 60 * 168 * m // (b + 168), [m, b]))
    late = [a for a in today if a["late"]]
    if e["late"] and len(late) >= 3:
        found.append(("after-end", about, 400 + 50 * len(late), [len(late)]))
    if model is not None and len(mine) >= 100 and len(mine) % 50 == 0:
        score = _score(model, vector := _vector(mine[-100:]))
        if score >= model["threshold"]:
            found.append(("model", about, score, vector))
    return found


def _allowed(e: Json, mine: list[Json]) -> list[Hit]:
    """About the consent."""
    t, about, found = e["t"], ("consent", e["c"]), list[Hit]()
    before = [a for a in mine[:-1] if a["c"] == e["c"] and not a["refused"]]
    k = len(set(e["permissions"]) - {code for a in before for code in a["permissions"]})
    if len(before) >= 10 and t - before[0]["t"] >= 30 * DAY and k:
        found.append(("new-permission", about, 300 + 100 * k, [k, len(before)]))
    if e["unattended"] and before and t - before[-1]["t"] >= 60 * DAY:
        w = (t - before[-1]["t"]) // DAY
        found.append(("woken", about, 10 * w, [w]))
    return found


def _request(e: Json, events: list[Json], _: Json | None) -> list[Hit]:
    before = [r["p"] for r in events[:-1] if r["what"] == "request" and r["purpose"] == e["purpose"]][-50:]
    m, s, p = len(before), sum(before), e["p"]
    if m >= 20 and p >= 8 and p * m >= 2 * s:
        return [("breadth", ("recipient", e["R"]), 250 * p * m // s, [p, s, m])]
    return []


def _notice(e: Json, events: list[Json], _: Json | None) -> list[Hit]:
    earlier = [n for n in events[:-1] if n["what"] == "notice" and n["c"] == e["c"]]
    hours = (e["t"] - e["end"]) // HOUR
    if earlier or e["t"] - e["end"] < DAY:
        return []
    return [("late-notice", ("recipient", e["R"]), 400 + 10 * hours, [hours])]


def _leg(e: Json, events: list[Json], _: Json | None) -> list[Hit]:
    found = list[Hit]()
    allowed = {a["index"]: a["c"] for a in events if a["what"] == "access" and a["own"] and not a["refused"]}
    if allowed.get(e["basis"]) != e["c"]:
        return found
    if e["act"] == "access.release":
        releases = [r for r in events if r["what"] == "leg" and r["act"] == "access.release" and r["R"] == e["R"]]
        before = [r["told"][0] for r in releases[:-1] if allowed.get(r["basis"]) == r["c"]][-50:]
        m, s, x = len(before), sum(before), e["told"][0]
        if m >= 20 and x >= 1000 and x * m >= 10 * s:
            found.append(("rows", ("recipient", e["R"]), 50 * x * m // max(s, 1), [x, s, m]))
    pair: dict[str, Json] = {}
    for leg in events:
        if leg["what"] == "leg" and leg["basis"] == e["basis"]:
            pair.setdefault(leg["act"], leg)
    if len(pair) == 2 and pair[e["act"]] is e:
        release, receipt = pair["access.release"], pair["access.receive"]
        if release["told"] != receipt["told"]:
            rows = [release["told"][0], receipt["told"][0]]
            found.append(("legs-differ", ("holder", e["H"]), 800, rows))
    return found


def _vector(past: list[Json]) -> list[int]:
    return [
        sum(a["refused"] for a in past),
        sum(a["unattended"] for a in past),
        len({a["c"] for a in past}),
        len({code for a in past for code in a["permissions"]}),
        sum(a["night"] for a in past),
        sum(len(a["accounts"]) for a in past),
        sum(len(a["permissions"]) for a in past),
        min((past[-1]["t"] - past[0]["t"]) // 60_000, 1_000_000),
    ]


def _score(model: Json, vector: list[int]) -> int:
    total = 0
    for tree in model["trees"]:
        node = tree[0]
        while len(node) > 1:
            node = tree[node[2] if vector[node[0]] < node[1] else node[3]]
        total += node[0]
    return sum(member >= total // len(model["trees"]) for member in model["scale"])


class Scored(Supervised):
    """`raise_due` raises what the rules gave since it was called last; `hide` leaves rules out."""

    def __init__(self, seed: int = 0, ruleset: int = 3) -> None:
        super().__init__(seed, ruleset)
        self.events: list[Json] = []
        self._owed: list[Json] = []
        self._over: list[Json] = []
        self._passed = 0
        self.model: tuple[str, Json] | None = None
        self.scoring = 0
        self._quiet: dict[tuple[str, str, str], int] = {}
        self._ends: dict[str, int] = {}
        self._moves: dict[str, list[int]] = {}

    @property
    def owed(self) -> list[Json]:
        self._settle()
        return self._owed

    @owed.setter
    def owed(self, alerts: list[Json]) -> None:
        self._owed = alerts

    def score(self, on: int = 2) -> int:
        self._settle()
        self.events, self._quiet, self.scoring, self._over = [], {}, on, []
        index = self.document("scoring.activated", scoring=on)
        self._passed = index + 1
        return index

    def _append(self, leaf: Json) -> int:
        self._settle()
        return super()._append(leaf)

    def _settle(self) -> None:
        """Rule 14 at the last leaf, which nothing follows yet: every end that it stands 72 hours after, and none before it."""
        for index in range(self._passed, len(self.entries)):
            found, now = list[Json](), self.times[index]
            due = [e for e in self._over if "due" not in e and index > e["index"] and now - e["t"] >= 3 * DAY]
            for e in due:
                e["due"] = index
                told = any(n["what"] == "notice" and n["basis"] == e["index"] for n in self.events)
                last = self._quiet.get(("no-notice", "recipient", e["R"]))
                if not told and (last is None or now - last >= DAY):
                    self._quiet["no-notice", "recipient", e["R"]] = now
                    alert = {"about": {"id": e["R"], "kind": "recipient"}, "features": [(now - e["t"]) // HOUR]}
                    found.append({**alert, "at_index": index, "rule": "no-notice", "score": 900})
            self._owed += sorted(found, key=lambda one: one["about"]["id"].encode())
        self._passed = len(self.entries)

    def submit(self, payload: Json, outcome: Json | None, **more: Any) -> int:
        index = super().submit(payload, outcome, **more)
        act, consent = payload["act"], payload.get("consent_id", "")
        if self.scoring and act.startswith("access."):
            self._happened(index, payload, outcome)
        if self.scoring and act == "consent.request":
            terms = payload["terms"]
            event = {"what": "request", "R": terms["recipient"], "p": len(terms["permissions"])}
            self._add(index, {**event, "purpose": terms["purpose"]["code"]})
        if act == "consent.acknowledge" and self.scoring > 1 and self._moves[consent][-1] == payload["basis"]:
            state = self.consents[consent]
            if state["status"] in ("REVOKED", "TERMINATED"):
                event = {"what": "notice", "R": state["terms"]["recipient"], "c": b64u(chain_of(consent))}
                self._add(index, {**event, "end": self._ends[consent], "basis": payload["basis"]})
        if act in ("consent.revoke", "consent.terminate") and self.scoring == 3:
            recipient = self.consents[consent]["terms"]["recipient"]
            if payload.get("on_behalf_of", payload["iss"]) != recipient:
                self._over.append({"index": index, "t": self.time, "R": recipient})
        if act.startswith("consent.") and act != "consent.acknowledge":
            self._moves.setdefault(consent, []).append(index)
            self._ends[consent] = self.time
        return index

    def _happened(self, index: int, payload: Json, outcome: Json | None) -> None:
        state, consent = self.consents.get(payload["consent_id"]), payload["consent_id"]
        terms = state["terms"] if state else {}
        chain = b64u(chain_of(consent))
        if payload["act"] != "access.request":
            told = [payload["rows"], payload["bytes"], payload["digest"]]
            parties = {"R": terms["recipient"], "H": terms["holder"]}
            self._add(
                index,
                {"what": "leg", "act": payload["act"], "basis": payload["basis"], "c": chain, "told": told} | parties,
            )
            return
        assert outcome is not None
        party = payload.get("on_behalf_of", payload["iss"])
        own = bool(state) and terms["holder" if payload.get("relayed") else "recipient"] == party
        refused = outcome["decision"] == "deny"
        over = {"CONSENT_REVOKED", "CONSENT_TERMINATED"} & set(outcome["reasons"])
        local = (self.time // 60_000 + terms.get("utc_offset", 0)) // 60 % 24
        self._add(
            index,
            {
                "what": "access",
                "own": own,
                "R": terms["recipient"] if own else party,
                "c": chain,
                "refused": refused,
                "unattended": not payload["customer_present"],
                "night": local < 5,
                "permissions": payload["permissions"],
                "accounts": payload["accounts"],
                "late": own and refused and bool(over) and self.time - self._ends.get(consent, 0) >= HOUR,
            },
        )

    def _add(self, index: int, event: Json) -> None:
        self.events.append({"index": index, "t": self.time, **event})
        for rule, (kind, about), score, features in hits(self.events, self.model and self.model[1]):
            last = self._quiet.get((rule, kind, about))
            if last is None or self.time - last >= RULES[rule][1]:
                self._quiet[rule, kind, about] = self.time
                owed = {"about": {"id": about, "kind": kind}, "at_index": index, "features": features, "rule": rule}
                more = {"model": self.model[0]} if rule == "model" and self.model else {}
                self._owed.append({**owed, "score": min(1000, score), **more})

    def raise_due(self, hide: tuple[str, ...] = (), **changes: Any) -> list[int]:
        """The indexes of the alerts; `changes` are lies about all of them."""
        owed, self.owed = self.owed, []
        return [self.document("alert.raised", **{**one, **changes}) for one in owed if one["rule"] not in hide]
