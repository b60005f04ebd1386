"""Trust policies (C2SP tlog-policy as of 2026-07-22): whose cosignatures make a checkpoint of this log witnessed.

    log <vkey> [url]    witness <name> <vkey> [url]    group <name> all|any|<k> <member>…    quorum <name>|none

The ledger reads the policy that it hands out in bundles, to ask the witnesses that have an address. Others judge by
their own copy.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sized
from dataclasses import dataclass
from typing import Final

from ledger.canonical import decimal
from ledger.errors import BadEncoding
from ledger.notes.keys import COSIGNERS, ED25519, ML_DSA_44, UncountedKey, VerifierKey, parse_any_vkey

POLICY_LIMIT: Final = 256 * 1024
LINE_LIMIT: Final = 4_096
MOST_EACH: Final = 256
MOST_NESTED: Final = 32
NONE: Final = "none"
_LINE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
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


def parse_policy(data: bytes) -> Policy:
    """The policy that a file holds (docs/spec/policies.md). Raises BadEncoding, naming the line.

    Names are opaque bytes; they are kept as text that gives the same bytes again (`surrogateescape`).
    """
    if len(data) > POLICY_LIMIT or data.count(b"\n") > LINE_LIMIT:
        raise BadEncoding(f"a policy has at most {POLICY_LIMIT} bytes in {LINE_LIMIT} lines")
    if data and not data.endswith(b"\n"):
        raise BadEncoding("each line of a policy ends in a newline, the last one too")
    reader = _Reader()
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            reader.take(line)
        except BadEncoding as error:
            raise BadEncoding(f"policy line {number}: {error.detail}") from None
    return reader.policy()


class _Reader:
    """Lines in, a policy out. Every name is defined above its use; every key and every key name has one role."""

    def __init__(self) -> None:
        self._logs: list[VerifierKey] = []
        self._witnesses: list[Witness] = []
        self._groups: list[Group] = []
        self._quorum: str | None = None
        self._depths: dict[str, int] = {}
        """The names of witnesses (0) and groups: how deep the groups in it are nested."""
        self._taken: set[str] = set()
        self._public_keys: set[bytes] = set()
        self._log_names: list[str] = []
        self._witness_names: list[str] = []

    def take(self, line: bytes) -> None:
        words = [word.decode("utf-8", "surrogateescape") for word in line.replace(b"\t", b" ").split(b" ") if word]
        if not _LINE.fullmatch(line):
            raise BadEncoding("it holds a control character")
        if not words or words[0].startswith("#"):
            return
        _check_words(words)
        match words[0]:
            case "log":
                self._take_log(words[1])
            case "witness":
                self._check_new(words[1])
                self._take_witness(words[1], words[2], words[3] if len(words) > 3 else "")
            case "group":
                self._check_new(words[1])
                self._take_group(words[1], words[2], tuple(words[3:]))
            case _ if self._quorum is not None:
                raise BadEncoding("a policy has one quorum")
            case _ if words[1] == NONE or words[1] in self._depths:
                self._quorum = words[1]
            case _:
                raise BadEncoding(f"the quorum {words[1]!r} is not defined above")

    def policy(self) -> Policy:
        if self._quorum is None:
            raise BadEncoding("a policy has a quorum line: write «quorum none» to ask for no witness")
        return Policy(tuple(self._logs), tuple(self._witnesses), tuple(self._groups), self._quorum)

    def _check_new(self, name: str) -> None:
        if name == NONE or name in self._depths:
            raise BadEncoding(f"the name {name!r} is taken")

    def _take_log(self, text: str) -> None:
        key = self._key(text, {ED25519, ML_DSA_44}, "a log")
        if key.name in self._witness_names:
            raise BadEncoding(f"{key.name!r} is a witness: nobody witnesses itself")
        self._log_names.append(key.name)
        if isinstance(key, VerifierKey) and key.key_type == ED25519:
            self._logs.append(key)
        _bound(self._log_names, "logs")

    def _take_witness(self, name: str, text: str, url: str) -> None:
        key = self._key(text, COSIGNERS, "a witness")
        if key.name in self._log_names:
            raise BadEncoding(f"{key.name!r} is a log: nobody witnesses itself")
        if key.name in self._witness_names:
            raise BadEncoding(f"a second key of the witness {key.name!r}: it would count twice")
        self._witness_names.append(key.name)
        self._depths[name] = 0
        if isinstance(key, VerifierKey):
            self._witnesses.append(Witness(name, key, url))
        _bound(self._witness_names, "witnesses")

    def _key(self, text: str, types: Collection[int], whose: str) -> VerifierKey | UncountedKey:
        key = parse_any_vkey(text)
        if isinstance(key, VerifierKey) and key.key_type not in types:
            raise BadEncoding(f"a key of type 0x{key.key_type:02x} cannot be the key of {whose}")
        if key.public_key in self._public_keys:
            raise BadEncoding("a public key stands in a policy once: a key has one role")
        self._public_keys.add(key.public_key)
        return key

    def _take_group(self, name: str, threshold: str, members: tuple[str, ...]) -> None:
        if len(set(members)) != len(members) or self._taken & set(members) or not set(members) <= self._depths.keys():
            raise BadEncoding("a group's members are defined above it, and each is a member once in the whole file")
        needed = {"all": len(members), "any": 1}.get(threshold) or decimal(threshold)
        if not 1 <= needed <= len(members):
            raise BadEncoding(f"a group of {len(members)} cannot need {threshold}")
        self._depths[name] = 1 + max(self._depths[member] for member in members)
        if self._depths[name] > MOST_NESTED:
            raise BadEncoding(f"groups are nested more than {MOST_NESTED} deep")
        self._taken.update(members)
        self._groups.append(Group(name, needed, members))
        _bound(self._groups, "groups")


def _bound(found: Sized, what: str) -> None:
    if len(found) > MOST_EACH:
        raise BadEncoding(f"a policy has at most {MOST_EACH} {what}")


def _check_words(words: list[str]) -> None:
    if words[0] not in _FEWEST:
        raise BadEncoding("it is none of log, witness, group, quorum")
    if not _FEWEST[words[0]] <= len(words) <= _MOST.get(words[0], len(words)):
        raise BadEncoding(f"too few or too many words for {words[0]}")
