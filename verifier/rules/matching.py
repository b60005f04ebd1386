"""Compares across the whole log once it was read: identities, challenges, the legs of accesses, missing bodies.

All of it lies in spools on disk while the log is read; see `spool`.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping

from verifier.errors import Code, Defect, Place
from verifier.records.leaf import raw_of, text_of
from verifier.rules.access_legs import Legs
from verifier.rules.deferred import Spool
from verifier.rules.findings import Findings

_IDENTITY = struct.Struct(">16s16siQ")
_CHALLENGE = struct.Struct(">16sQ")
_MISSING = struct.Struct(">32sQ")


class Matching:
    """`put_*` while reading; `finish` compares. 16 bytes of a SHA-256 stand for an identity: equal identities have
    equal bytes, so none escapes."""

    def __init__(self) -> None:
        self._identities, self._challenges = Spool(_IDENTITY.size), Spool(_CHALLENGE.size)
        self.legs, self._missing = Legs(), Spool(_MISSING.size)
        self.missing: Counter[str] = Counter()
        self.lost = 0
        """Leaves that could not be read: nobody knows whose they are."""

    @property
    def spools(self) -> dict[str, Spool]:
        """By name, for a state file."""
        return {
            "identities": self._identities,
            "challenges": self._challenges,
            "legs": self.legs.spool,
            "gaps": self.legs.gaps,
            "missing": self._missing,
        }

    def put_identity(self, key: bytes, payload: bytes, position: int, index: int) -> None:
        """(iss, jti) as `key`, its payload's hash, its position in a batch (-1: none), the entry's index."""
        self._identities.put(key[0], _IDENTITY.pack(key, payload, position, index))

    def put_challenge(self, challenge: bytes, index: int) -> None:
        """The challenge of a passkey confirmation."""
        self._challenges.put(challenge[0], _CHALLENGE.pack(challenge, index))  # cut to 16 bytes, as identities are

    def put_missing(self, chain: bytes, index: int, kind: str) -> None:
        """A leaf without an evidence line."""
        raw = raw_of(chain)
        self.put_refused(chain, index, kind)
        self.missing[kind] += 1
        self._missing.put(raw[0], _MISSING.pack(raw, index))

    def put_refused(self, chain: bytes, index: int, kind: str) -> None:
        """A leaf whose evidence cannot be read."""
        if kind == "consent":
            self.legs.miss(chain, index)

    def lose(self, index: int) -> None:
        """A leaf that could not be read."""
        self.lost += 1
        self.legs.lose(index)

    def finish(self, findings: Findings, erased: Mapping[str, int], full: bool, time: int) -> None:
        """Report; `erased` are the chains of erasure documents, `time` the log's last."""
        self._finish_identities(findings)
        self._finish_challenges(findings)
        self.legs.finish(findings, time)
        self._finish_missing(findings, erased, full)

    def close(self) -> None:
        """Give the temporary files back."""
        for spool in (self._identities, self._challenges, self._missing):
            spool.close()
        self.legs.close()

    def _finish_identities(self, findings: Findings) -> None:
        findings.checked["identities (iss, jti)"] += 0  # told also where there were none
        for records in self._identities.buckets():
            first: dict[bytes, tuple[bytes, int]] = {}
            positions: set[tuple[bytes, int]] = set()
            for record in records:
                key, payload, position, index = _IDENTITY.unpack(record)
                # Step 9.1.
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
                # Step 9.2.
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

    def _finish_missing(self, findings: Findings, erased: Mapping[str, int], full: bool) -> None:
        for records in self._missing.buckets():
            for record in records:
                raw, index = _MISSING.unpack(record)
                # Step 9.9.
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
