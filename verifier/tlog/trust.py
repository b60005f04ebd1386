"""The trust file: a policy with an expiry, intervals of keys, and places of passkeys.

    {"v":1,"version":7,"expires":1798761600000,"policy":"log ...\nwitness ...\nquorum ...\n",
     "keys":[{"vkey":"...","valid_from_size":0,"valid_to_size":120000}],"rp_ids":["bank.example"],
     "origins":["https://bank.example"]}

JSON in any spelling without duplicate names or unknown members. `version` only ever rises, `expires` is in ms. A key
of `keys` must be one of the policy; its interval bounds, both ends included, the sizes of the checkpoints it may
sign (`valid_to_size` null = still valid); from `compromised_from_size` on, which may be absent, somebody else may have
signed with it, and its line counts under a quorum only. Keys without an interval are valid for every size. A retired key
stays in the policy for ever, so that old receipts verify for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.bytes.encoding import (
    MAX_INTEGER,
    Json,
    check_members,
    decode_json,
    get_integer,
    get_text,
    get_texts,
)
from verifier.crypto.backend import Backend
from verifier.errors import CannotCheck, Code, Refuted, refuted
from verifier.tlog.head import Head
from verifier.tlog.note import Signed
from verifier.tlog.policy import MAX_POLICY, NONE, Policy, PolicyHead, parse_policy

MAX_TRUST = 1_000_000
MAX_LIST = 1_000


@dataclass(frozen=True, slots=True)
class Trust:
    """The auditor's trust. `intervals`: vkey text -> (first, last size or None); `compromised`: vkey text -> the size from
    which on somebody else may have signed; see the module's text."""

    policy: Policy
    intervals: dict[str, tuple[int, int | None]]
    compromised: dict[str, int]
    rp_ids: frozenset[str]
    origins: frozenset[str]
    version: int
    expires: int | None

    def verify(self, note: bytes, backend: Backend) -> PolicyHead:
        """Verify a signed checkpoint under the policy and the intervals: signatures outside their key's interval do
        not count towards the quorum, and without a log signature inside its interval the checkpoint is refused.
        Raises Refuted (BAD_ENCODING, BAD_SIGNATURE, POLICY_REJECTED)."""
        found = self.policy.verify(note, backend)
        size = found.head.size
        if not any(self._covers(signed, size) for signed in found.head.log):
            key = found.head.log[0].key
            raise refuted(
                Code.POLICY_REJECTED,
                "the log key is not valid for a checkpoint of this size",
                expected=f"sizes {self.intervals[key.vkey]}",
                found=size,
            )
        valid = {signed.key for signed in found.head.cosignatures if self._covers(signed, size)}
        names = tuple(name for name in found.witnesses if self.policy.witnesses[name] in valid)
        met = self.policy.is_satisfied(names)
        if not (met and self.policy.quorum != NONE):
            self._check_uncompromised(found.head, size)
        return PolicyHead(found.head, names, met)

    def _check_uncompromised(self, head: Head, size: int) -> None:
        """One line at least is of a key that nobody else has, where no quorum vouches for the tree. Raises Refuted."""
        lines = [signed.key.vkey for signed in head.log if self._covers(signed, size)]
        if all(size >= self.compromised.get(vkey, size + 1) for vkey in lines):
            raise refuted(
                Code.KEY_COMPROMISED,
                "somebody else may have signed this checkpoint, and no quorum vouches for it",
                expected=f"a size below {self.compromised[lines[0]]}, or enough cosignatures",
                found=size,
            )

    def check_current(self, at_ms: int) -> None:
        """The file has not expired at `at_ms`; else CannotCheck."""
        if self.expires is not None and at_ms >= self.expires:
            raise CannotCheck(f"the trust file expired at {self.expires} ms; get a newer one from those who issue it")

    def _covers(self, signed: Signed, size: int) -> bool:
        first, last = self.intervals.get(signed.key.vkey, (0, None))
        return first <= size and (last is None or size <= last)


def parse_trust(data: bytes) -> Trust:
    """Read a trust file, or a bare tlog-policy, which trusts no passkey origin and never expires.
    Raises CannotCheck: without it nothing can be said about any evidence."""
    if not data.lstrip(b" \t\r\n").startswith(b"{"):
        return Trust(parse_policy(data), {}, {}, frozenset(), frozenset(), 0, None)
    try:
        members = decode_json(data, MAX_TRUST)
        check_members(members, {"v", "version", "expires", "policy", "keys", "rp_ids", "origins"})
        get_integer(members, "v", 1, 1)
        policy = parse_policy(get_text(members, "policy", MAX_POLICY).encode("utf-8"))
        return Trust(
            policy,
            *_intervals(members["keys"], policy),
            frozenset(get_texts(members, "rp_ids", 0, MAX_LIST)),
            frozenset(get_texts(members, "origins", 0, MAX_LIST)),
            get_integer(members, "version", 1),
            get_integer(members, "expires", 1),
        )
    except Refuted as refusal:
        raise CannotCheck(f"the trust file cannot be used: {refusal.defect}") from None


def _intervals(keys: Json, policy: Policy) -> tuple[dict[str, tuple[int, int | None]], dict[str, int]]:
    known = {key.vkey for key in (*policy.logs, *policy.witnesses.values())}
    intervals: dict[str, tuple[int, int | None]] = {}
    compromised: dict[str, int] = {}
    if not isinstance(keys, list):
        raise CannotCheck("the trust file cannot be used: keys is not a list")
    for item in keys:
        if not isinstance(item, dict):
            raise CannotCheck("the trust file cannot be used: an item of keys is not an object")
        check_members(item, {"vkey", "valid_from_size", "valid_to_size"}, {"compromised_from_size"})
        vkey, first = get_text(item, "vkey", 1_000), get_integer(item, "valid_from_size")
        last = None if item["valid_to_size"] is None else get_integer(item, "valid_to_size", first, MAX_INTEGER)
        if vkey not in known or vkey in intervals:
            raise CannotCheck(f"the trust file cannot be used: the key {vkey!r} is listed twice or not in the policy")
        intervals[vkey] = (first, last)
        if "compromised_from_size" in item:
            compromised[vkey] = get_integer(item, "compromised_from_size")
    return intervals, compromised
