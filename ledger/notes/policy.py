"""Trust policies (C2SP tlog-policy as of 2026-07-22): whose cosignatures make a checkpoint of this log witnessed.

    log <vkey> [url]    witness <name> <vkey> [url]    group <name> all|any|<k> <member>…    quorum <name>|none

The ledger reads the policy that it hands out in bundles, to ask the witnesses that have an address. What a policy proves to
others is judged by their own copy of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ledger.canonical import decimal
from ledger.errors import BadEncoding
from ledger.notes.keys import COSIGNATURE, ED25519, VerifierKey, parse_vkey

POLICY_LIMIT: Final = 256 * 1024
NONE: Final = "none"
_LINE: Final = re.compile(r"[\t\x20-\x7e\x80-\uffff]*")
_FEWEST: Final = {"log": 2, "witness": 3, "group": 4, "quorum": 2}
_MOST: Final = {"log": 3, "witness": 4, "quorum": 2}


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness of a policy, and where it is asked (empty: somebody else asks it)."""

    name: str
    vkey: VerifierKey
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Witnessed when at least `threshold` of its members (witnesses or groups, by name) are."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Log keys, witnesses, groups in the file's order, and the name that must be witnessed (`none`: nobody)."""

    logs: tuple[VerifierKey, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NONE

    def is_witnessed(self, keys: Collection[VerifierKey]) -> bool:
        """Whether cosignatures by these keys meet the quorum; under `quorum none` nothing ever counts as witnessed."""
        met = {witness.name for witness in self.witnesses if witness.vkey in keys}
        for group in self.groups:  # members come before their group
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum in met


def parse_policy(text: str) -> Policy:
    """The policy that a file holds. Raises BadEncoding, naming the line."""
    if len(text.encode("utf-8", "surrogateescape")) > POLICY_LIMIT:
        raise BadEncoding(f"a policy has at most {POLICY_LIMIT} bytes")
    reader = _Reader()
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            reader.take(line)
        except BadEncoding as error:
            raise BadEncoding(f"policy line {number}: {error.detail}") from None
    return reader.policy()


class _Reader:
    """Lines in, a policy out. Every name is defined above its use."""

    def __init__(self) -> None:
        self._logs: list[VerifierKey] = []
        self._witnesses: list[Witness] = []
        self._groups: list[Group] = []
        self._quorum: str | None = None

    def take(self, line: str) -> None:
        words = line.split()
        if not words or line.startswith("#"):
            return
        _check_line(line, words)
        match words[0]:
            case "log":
                self._logs.append(self._key(words[1], ED25519))
            case "witness":
                self._check_new(words[1])
                self._witnesses.append(
                    Witness(words[1], self._key(words[2], COSIGNATURE), words[3] if len(words) > 3 else "")
                )
            case "group":
                self._groups.append(self._group(words[1], words[2], tuple(words[3:])))
            case _ if self._quorum is None:
                self._quorum = words[1]
            case _:
                raise BadEncoding("a policy has one quorum")

    def policy(self) -> Policy:
        if self._quorum is None or not (self._quorum == NONE or self._quorum in self._names()):
            raise BadEncoding("a policy names a witness, a group or «none» as its quorum")
        return Policy(tuple(self._logs), tuple(self._witnesses), tuple(self._groups), self._quorum)

    def _names(self) -> set[str]:
        return {witness.name for witness in self._witnesses} | {group.name for group in self._groups}

    def _check_new(self, name: str) -> None:
        if name == NONE or name in self._names():
            raise BadEncoding(f"the name {name!r} is taken")

    def _key(self, text: str, key_type: int) -> VerifierKey:
        key = parse_vkey(text)
        if key.key_type != key_type:
            raise BadEncoding(f"a key of type 0x{key.key_type:02x} stands where 0x{key_type:02x} belongs")
        known = [*self._logs, *(witness.vkey for witness in self._witnesses)]
        if any(other.public_key == key.public_key for other in known):
            raise BadEncoding("a public key stands in a policy once")
        return key

    def _group(self, name: str, threshold: str, members: tuple[str, ...]) -> Group:
        self._check_new(name)
        taken = {member for group in self._groups for member in group.members}
        if len(set(members)) != len(members) or taken & set(members) or not set(members) <= self._names():
            raise BadEncoding("a group's members are defined above it, and each is a member once in the whole file")
        needed = {"all": len(members), "any": 1}.get(threshold) or decimal(threshold)
        if not 1 <= needed <= len(members):
            raise BadEncoding(f"a group of {len(members)} cannot need {threshold}")
        return Group(name, needed, members)


def _check_line(line: str, words: list[str]) -> None:
    if not _LINE.fullmatch(line):
        raise BadEncoding("it holds a control character")
    if words[0] not in _FEWEST:
        raise BadEncoding("it is none of log, witness, group, quorum")
    if not _FEWEST[words[0]] <= len(words) <= _MOST.get(words[0], len(words)):
        raise BadEncoding(f"too few or too many words for {words[0]}")
