"""Compares what several files say of one log: two roots for one size, two leaves at one place, a leaf that is older or
younger than witnesses allow (docs/spec/receipts.md, «Several files of one log»)."""

from __future__ import annotations

from typing import NamedTuple

from verifier.errors import Code, Defect, Place, printable
from verifier.records.leaf import Leaf
from verifier.rules.findings import Findings
from verifier.tlog.policy import NONE, Policy, PolicyHead

AHEAD_MS = 300_000
"""How far an entry's time may lie behind a cosignature that covers it: the two clocks."""
BEHIND_MS = 3_600_000
"""How far it may lie before a cosignature of a tree that does not hold it yet: the way to the witness."""


class Seen(NamedTuple):
    """Something that was verified, and the file that showed it."""

    value: bytes
    number: int
    where: str


class Histories:
    """Feed verified checkpoints and leaves to `see_head` and `see_leaf`; a contradiction becomes a defect."""

    def __init__(self, policy: Policy, findings: Findings) -> None:
        self.policy, self.findings = policy, findings
        self.roots: dict[int, Seen] = {}
        self._leaves: dict[int, Seen] = {}
        self._places: dict[tuple[bytes, int], Seen] = {}
        self._windows: dict[tuple[int, Window], str] = {}  # size and times -> the first file that shows them
        self._times: dict[int, int] = {}

    def see_head(self, head: PolicyHead, where: str) -> None:
        """A checkpoint whose signatures verify."""
        checkpoint = head.head.checkpoint
        known = self.roots.setdefault(checkpoint.size, Seen(checkpoint.root, checkpoint.size, where))
        if known.value != checkpoint.root:
            sentence = "the log signed two roots for one size"
            self._bad(Code.EQUIVOCATION, sentence, None, where, f"{known.value.hex()} ({known.where})", checkpoint.root)
        self._windows.setdefault((checkpoint.size, window_of(self.policy, head)), where)

    def see_leaf(self, leaf: Leaf, raw: bytes, where: str) -> None:
        """A leaf that is proved to be in the log; `raw` is its hash."""
        known = self._leaves.setdefault(leaf.number, Seen(raw, leaf.number, where))
        if known.value != raw:
            sentence = "the log has two different entries of one index"
            self._bad(Code.EQUIVOCATION, sentence, leaf.number, where, f"{known.value.hex()} ({known.where})", raw)
        self._times[leaf.number] = leaf.time
        if not leaf.chain:
            return
        place = self._places.setdefault((leaf.chain, leaf.seq), Seen(raw, leaf.number, where))
        if place.value != raw and place.number != leaf.number:
            sentence = "two different entries stand at one place of a chain"
            expected = f"entry {place.number} ({place.where})"
            self._bad(Code.BAD_CHAIN, sentence, leaf.number, where, expected, f"entry {leaf.number}, seq {leaf.seq}")

    def finish(self) -> None:
        """Compare all times with all cosignatures."""
        for index, time in sorted(self._times.items()):
            for (size, window), where in self._windows.items():
                if index < size and window.latest is not None and time > window.latest:
                    self._bad(Code.TIME_INVALID, TOO_YOUNG, index, where, f"at most {window.latest}", time)
                if index >= size and window.earliest is not None and time < window.earliest:
                    self._bad(Code.TIME_INVALID, TOO_OLD, index, where, f"at least {window.earliest}", time)

    def _bad(self, code: Code, sentence: str, index: int | None, where: str, expected: object, found: object) -> None:
        self.findings.add(Defect(code, sentence, Place(index, file=where), printable(expected), printable(found)))


TOO_YOUNG = "the entry is younger than the witnesses' signatures over the tree that holds it"
TOO_OLD = "the entry is older than the witnesses' signatures over the tree that did not hold it yet"


class Window(NamedTuple):
    """A quorum of witnesses bounds times (ms): the `latest` that an entry of the tree may have, the `earliest` that an
    entry which is not in it yet may have. None where there is no quorum."""

    latest: int | None
    earliest: int | None


def window_of(policy: Policy, head: PolicyHead) -> Window:
    """No single witness can refute a log by a clock that is wrong: it takes as many as the quorum asks for."""
    if policy.quorum == NONE:
        return Window(None, None)
    names = {key: name for name, key in policy.witnesses.items()}
    stamped = sorted((signed.time_ms, names[signed.key]) for signed in head.head.cosignatures if signed.time_ms)
    return Window(_agreed(policy, stamped, AHEAD_MS), _agreed(policy, stamped[::-1], -BEHIND_MS))


def _agreed(policy: Policy, stamped: list[tuple[int, str]], allowance: int) -> int | None:
    """The first time, in this order, by which a quorum has signed, and the allowance on it."""
    signers = []
    for time, name in stamped:
        signers.append(name)
        if policy.is_satisfied(signers):
            return time + allowance
    return None
