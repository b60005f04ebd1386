"""Trust policies (docs/spec/policies.md; C2SP tlog-policy as of 2026-07-22): which logs, which witnesses, how many of them.

A policy is the auditor's own input, brought out of band. One that cannot be read is CannotCheck: without it nothing
can be said about any evidence. Files are bytes; names are compared as bytes (kept as Latin-1 text).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from verifier.bytes.encoding import decode_decimal
from verifier.crypto.backend import Backend
from verifier.errors import CannotCheck, Code, Refuted
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import COSIGNERS, ECDSA, ED25519, ML_DSA_44, TREE_HEAD, NoteKey, UncountedKey, parse_any_vkey

MAX_POLICY = 262_144
MAX_LINES = 4_096
MAX_EACH = 256
"""Logs, witnesses, groups, each."""
MAX_NESTED = 32
NONE = "none"


@dataclass(frozen=True, slots=True)
class Group:
    """Witnessed when at least `threshold` of its members (witnesses or groups) are."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Log keys, witness keys by name, groups by name, and the name that must be witnessed (`none`: nobody).
    `uncounted`: names of logs and witnesses with keys that cannot verify here."""

    logs: tuple[NoteKey, ...]
    witnesses: dict[str, NoteKey]
    groups: dict[str, Group]
    quorum: str
    uncounted: tuple[str, ...] = ()

    def is_satisfied(self, names: Collection[str]) -> bool:
        """Whether cosignatures by the witnesses of these names meet the quorum."""
        witnessed = set(names) & self.witnesses.keys()
        for name, group in self.groups.items():  # in the order of the file: members come before their group
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(name)
        return self.quorum == NONE or self.quorum in witnessed

    def verify(self, note: bytes, backend: Backend) -> PolicyHead:
        """Verify a signed checkpoint under this policy. Too few cosignatures do not refute: see `level`.
        Raises Refuted (BAD_ENCODING, BAD_SIGNATURE)."""
        head = open_head(note, self.logs, backend, witnesses=tuple(self.witnesses.values()))
        signers = {signed.key for signed in head.cosignatures}
        names = tuple(name for name, key in self.witnesses.items() if key in signers)
        return PolicyHead(head, names, self.is_satisfied(names))


@dataclass(frozen=True, slots=True)
class PolicyHead:
    """A verified checkpoint and what the policy says of it. `witnessed`: the quorum is met."""

    head: Head
    witnesses: tuple[str, ...]
    witnessed: bool

    @property
    def level(self) -> Code:
        """VALID, or VALID_UNWITNESSED below the policy's quorum."""
        return Code.VALID if self.witnessed else Code.VALID_UNWITNESSED


def parse_policy(data: bytes) -> Policy:
    """Read a policy file. Raises CannotCheck, naming the line."""
    if len(data) > MAX_POLICY or data.count(b"\n") > MAX_LINES:
        raise CannotCheck("the policy is too long")
    if any((c < 0x20 and c not in b"\t\n") or c == 0x7F for c in data):
        raise CannotCheck("the policy holds a control character")
    if data and not data.endswith(b"\n"):
        raise CannotCheck("the last line of the policy does not end in a newline")
    builder = _Builder()
    for number, raw in enumerate(data.split(b"\n"), 1):
        words = raw.decode("latin-1").replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if words and not words[0].startswith("#"):
            try:
                builder.add(words)
            except Refuted as refusal:
                raise CannotCheck(f"policy line {number}: {refusal.defect.sentence}") from None
            except _MalformedError as error:
                raise CannotCheck(f"policy line {number}: {error}") from None
    if builder.quorum is None:
        raise CannotCheck("the policy has no quorum line: write «quorum none» if you ask for no witness")
    return Policy(
        tuple(builder.logs), builder.witnesses, builder.groups, builder.quorum, tuple(builder.uncounted.values())
    )


class _MalformedError(Exception):
    """A line that is not a line of a policy."""


class _Builder:
    def __init__(self) -> None:
        self.logs: list[NoteKey] = []
        self.witnesses: dict[str, NoteKey] = {}
        self.groups: dict[str, Group] = {}
        self.uncounted: dict[str, str] = {}  # names in the file -> how to call them to the reader
        self.quorum: str | None = None
        self._members: set[str] = set()
        self._depths: dict[str, int] = {}
        self._keys: set[object] = set()
        self._log_names: set[str] = set()
        self._log_count = 0
        self._witness_names: set[str] = set()

    def add(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self._add_log(vkey)
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._check_free(name)
                self._add_witness(name, vkey)
            case ["group", name, threshold, *members] if members:
                self._check_free(name)
                self._add_group(name, threshold, members)
            case ["quorum", name]:
                if self.quorum is not None:
                    raise _MalformedError("a second quorum line")
                if name != NONE and not self._is_defined(name):
                    raise _MalformedError(f"the quorum {name!r} is not defined above")
                self.quorum = name
            case _:
                raise _MalformedError(f"not a line of a policy: {words[0]!r}")

    def _add_log(self, vkey: str) -> None:
        key = self._key(vkey, (ED25519, ECDSA, TREE_HEAD, ML_DSA_44), "a log")
        if key.name in self._witness_names:
            raise _MalformedError(f"{key.name!r} is a witness: nobody witnesses itself")
        self._log_names.add(key.name)
        if isinstance(key, UncountedKey) or key.kind == ML_DSA_44:
            self.uncounted[f" {key.vkey}"] = key.name  # the blank: no word of the file is so
        else:
            self.logs.append(key)
        self._log_count += 1
        self._bound(self._log_count, "logs")

    def _add_witness(self, name: str, vkey: str) -> None:
        key = self._key(vkey, COSIGNERS, "a witness")
        if key.name in self._log_names:
            raise _MalformedError(f"{key.name!r} is a log: nobody witnesses itself")
        if key.name in self._witness_names:
            raise _MalformedError(f"a second key of the witness {key.name!r}: it would count twice")
        self._witness_names.add(key.name)
        if isinstance(key, UncountedKey):
            self.uncounted[name] = name
        else:
            self.witnesses[name] = key
        self._bound(len(self._witness_names), "witnesses")

    def _add_group(self, name: str, threshold: str, members: list[str]) -> None:
        self.groups[name] = Group(self._threshold(threshold, len(members)), tuple(members))
        for member in members:
            if member == name or not self._is_defined(member):
                raise _MalformedError(f"the member {member!r} is not defined above")
            if member in self._members:
                raise _MalformedError(f"{member!r} is a member already")
            self._members.add(member)
        self._depths[name] = 1 + max(self._depths.get(member, 0) for member in members)
        if self._depths[name] > MAX_NESTED:
            raise _MalformedError(f"groups are nested more than {MAX_NESTED} deep")
        self._bound(len(self.groups), "groups")

    @staticmethod
    def _bound(count: int, what: str) -> None:
        if count > MAX_EACH:
            raise _MalformedError(f"more than {MAX_EACH} {what}")

    def _key(self, vkey: str, kinds: tuple[int, ...], what: str) -> NoteKey | UncountedKey:
        try:
            key = parse_any_vkey(vkey.encode("latin-1").decode("utf-8"))
        except UnicodeDecodeError:
            raise _MalformedError("a key name is not UTF-8") from None
        if isinstance(key, NoteKey) and key.kind not in kinds:
            raise _MalformedError(f"a key of type 0x{key.kind:02x} cannot be the key of {what}")
        # Two names for one public key would let one signer count twice, or a log be its own witness.
        public = key.raw if isinstance(key, UncountedKey) else key.key
        if public in self._keys:
            raise _MalformedError("the same public key again: a key has one role")
        self._keys.add(public)
        return key

    def _is_defined(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups or name in self.uncounted

    def _check_free(self, name: str) -> None:
        if name == NONE or self._is_defined(name):
            raise _MalformedError(f"the name {name!r} is taken")

    @staticmethod
    def _threshold(word: str, count: int) -> int:
        if word in ("all", "any"):
            return count if word == "all" else 1
        threshold = decode_decimal(word)
        if not 1 <= threshold <= count:
            raise _MalformedError(f"a threshold of {word} of {count}")
        return threshold
