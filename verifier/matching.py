"""What is compared across the whole log once it was read: identities, challenges, the legs of accesses, missing bodies.

All of it lies in spools on disk while the log is read; see `spool`.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256

from verifier.encoding import Object, encode_canonical
from verifier.errors import Code, Defect, Place
from verifier.findings import Findings
from verifier.leaf import raw_of, text_of
from verifier.spool import Spool

DAY_MS = 86_400_000
_IDENTITY = struct.Struct(">16s16siQ")
_CHALLENGE = struct.Struct(">16sQ")
_LEG = struct.Struct(">QBQ8s8s8sQ")
_MISSING = struct.Struct(">32sQ")
ACCESS, RELEASE, RECEIVE = 0, 1, 2
_NAMES = ("access.request", "access.release", "access.receive")


class Matching:
    """`put_*` while reading; `finish` compares. 16 bytes of a SHA-256 stand for an identity: equal identities have
    equal bytes, so none escapes."""

    def __init__(self) -> None:
        self._identities, self._challenges = Spool(_IDENTITY.size), Spool(_CHALLENGE.size)
        self._legs, self._missing = Spool(_LEG.size), Spool(_MISSING.size)
        self.missing: Counter[str] = Counter()

    @property
    def spools(self) -> dict[str, Spool]:
        """By name, for a state file."""
        return {
            "identities": self._identities,
            "challenges": self._challenges,
            "legs": self._legs,
            "missing": self._missing,
        }

    def put_identity(self, key: bytes, payload: bytes, position: int, index: int) -> None:
        """(iss, jti) as `key`, its payload's hash, its position in a batch (-1: none), the entry's index."""
        self._identities.put(key[0], _IDENTITY.pack(key, payload, position, index))

    def put_challenge(self, challenge: bytes, index: int) -> None:
        """The challenge of a passkey confirmation."""
        self._challenges.put(challenge[0], _CHALLENGE.pack(challenge[:16], index))

    def put_leg(self, basis: int, leg: int, index: int, chain: bytes, content: Object, time: int) -> None:
        """One leg of the access decided at entry `basis`."""
        figures = (
            b"" if leg == ACCESS else encode_canonical({name: content[name] for name in ("bytes", "digest", "rows")})
        )
        self._legs.put(
            basis & 0xFF,
            _LEG.pack(
                basis,
                leg,
                index,
                raw_of(chain)[:8],
                _short(str(content["interaction_id"]).encode()),
                _short(figures) if figures else bytes(8),
                time,
            ),
        )

    def put_missing(self, chain: bytes, index: int, kind: str) -> None:
        """A leaf without an evidence line."""
        raw = raw_of(chain)
        self.missing[kind] += 1
        self._missing.put(raw[0], _MISSING.pack(raw, index))

    def finish(self, findings: Findings, erased: Mapping[str, int], full: bool, time: int, lost: int) -> None:
        """Report; `erased` are the chains of erasure documents, `time` the log's last, `lost` how many
        entries could not be read."""
        self._finish_identities(findings)
        self._finish_challenges(findings)
        self._finish_legs(findings, time, self.missing["consent"] + lost > 0)
        self._finish_missing(findings, erased, full)

    def close(self) -> None:
        """Give the temporary files back."""
        for spool in self.spools.values():
            spool.close()

    def _finish_identities(self, findings: Findings) -> None:
        for records in self._identities.buckets():
            first: dict[bytes, tuple[bytes, int]] = {}
            positions: set[tuple[bytes, int]] = set()
            for record in records:
                key, payload, position, index = _IDENTITY.unpack(record)
                known = first.setdefault(key, (payload, index))
                if known[0] != payload or (position < 0 and known[1] != index) or (key, position) in positions:
                    findings.add(
                        Defect(
                            Code.BAD_CHAIN,
                            "the statement's (iss, jti) was used before",
                            Place(index, field="jti"),
                            "an identity used once",
                            f"that of entry {known[1]}",
                        )
                    )
                positions.add((key, position))
            findings.checked["identities (iss, jti)"] += len(records)

    def _finish_challenges(self, findings: Findings) -> None:
        for records in self._challenges.buckets():
            first: dict[bytes, int] = {}
            for record in records:
                challenge, index = _CHALLENGE.unpack(record)
                known = first.setdefault(challenge, index)
                if known != index:
                    findings.add(
                        Defect(
                            Code.CONSENT_INVALID,
                            "the passkey confirmation was used before",
                            Place(index, field="assertion"),
                            "a new challenge",
                            f"that of entry {known}",
                        )
                    )

    def _finish_legs(self, findings: Findings, time: int, unknown: bool) -> None:
        for records in self._legs.buckets():
            groups: dict[int, list[tuple[int, int, bytes, bytes, bytes, int]]] = {}
            for record in records:
                basis, leg, index, chain, interaction, figures, at = _LEG.unpack(record)
                groups.setdefault(basis, []).append((leg, index, chain, interaction, figures, at))
            for basis, legs in groups.items():
                self._match(findings, basis, legs, time, unknown)

    def _match(
        self,
        findings: Findings,
        basis: int,
        legs: list[tuple[int, int, bytes, bytes, bytes, int]],
        time: int,
        unknown: bool,
    ) -> None:
        access = next((leg for leg in legs if leg[0] == ACCESS), None)
        seen: dict[int, tuple[int, bytes, int]] = {}
        for leg, index, chain, interaction, figures, at in legs:
            if leg == ACCESS:
                continue
            if access is None and unknown:
                findings.unchecked["legs of accesses that may be withheld"] += 1
                continue
            if access is None or access[2:4] != (chain, interaction) or index <= basis:
                findings.add(
                    _unmatched(
                        index,
                        f"{_NAMES[leg]} without an allowed access of this consent and interaction",
                        f"an allowed access at entry {basis}",
                        "none",
                    )
                )
                continue
            if leg in seen:
                findings.add(
                    _unmatched(
                        index,
                        f"a second {_NAMES[leg]} for one access",
                        "one",
                        f"entries {seen[leg][0]} and {index}",
                    )
                )
            for other, known in seen.items():
                if other != leg and known[1] != figures:
                    findings.add(
                        _unmatched(
                            index,
                            "release and receipt differ in rows, bytes or digest",
                            f"the figures of entry {known[0]}",
                            "others",
                        )
                    )
            seen.setdefault(leg, (index, figures, at))
            findings.checked["legs of accesses"] += 1
        if len(seen) == 1:
            leg, (index, _, at) = next(iter(seen.items()))
            if time - at > DAY_MS:
                findings.notice(
                    _unmatched(
                        index,
                        f"{_NAMES[leg]} without {_NAMES[3 - leg]} within 24 hours",
                        _NAMES[3 - leg],
                        "none",
                    )
                )

    def _finish_missing(self, findings: Findings, erased: Mapping[str, int], full: bool) -> None:
        for records in self._missing.buckets():
            for record in records:
                raw, index = _MISSING.unpack(record)
                if text_of(raw).decode() in erased:
                    findings.unchecked["evidence erased, as an erasure document says"] += 1
                elif full:
                    findings.add(
                        Defect(
                            Code.BODY_MISSING,
                            "the evidence is missing and no erasure names its chain",
                            Place(index),
                            "an evidence line",
                            "none",
                        )
                    )
                else:
                    findings.unchecked["evidence withheld"] += 1


def _unmatched(index: int, sentence: str, expected: str, found: str) -> Defect:
    return Defect(Code.UNMATCHED, sentence, Place(index), expected, found)


def _short(raw: bytes) -> bytes:
    return sha256(raw).digest()[:8]
