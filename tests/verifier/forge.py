"""A forge: a third, tiny implementation of the log's formats and rules, for tests only.

It builds honest logs from the specification, lying ones (the log's own key signs whatever it is told), and the files
of a bundle, which tests then damage. It imports nothing of ours. Merkle and map roots come from their recursive
definitions.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

Json = dict[str, Any]
DAY = 86_400_000
START = 1_790_000_000_000
ORIGIN = "ledger.example/forge"
HOLDER, RECIPIENT, OTHER = "bank.example", "app.example", "other.example"
DEFAULT_PERMISSIONS = ["ReadAccountsDetail", "ReadBalances", "ReadTransactionsCredits", "ReadTransactionsDetail"]


def encode(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf_hash(entry: bytes) -> bytes:
    return sha(b"\0" + entry)


def node(left: bytes, right: bytes) -> bytes:
    return sha(b"\1" + left + right)


def tree(hashes: list[bytes]) -> bytes:
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node(tree(hashes[:k]), tree(hashes[k:]))


def path_of(index: int, hashes: list[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = 1 << (len(hashes) - 1).bit_length() - 1
    if index < k:
        return [*path_of(index, hashes[:k]), tree(hashes[k:])]
    return [*path_of(index - k, hashes[k:]), tree(hashes[:k])]


def chain_of(name: str) -> bytes:
    return sha(b"consent-ledger/v1/chain\0" + name.encode())


def terms_hash(terms: Json) -> str:
    return b64u(sha(b"consent-ledger/v1/terms\0" + encode(terms)))


def map_root(pairs: dict[bytes, bytes]) -> bytes:
    def uv(number: int) -> bytes:
        return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + uv(number >> 7)

    def below(keys: list[bytes]) -> bytes:
        if len(keys) == 1:
            value = pairs[keys[0]]
            return sha(b"\0" + uv(32) + keys[0] + uv(len(value)) + value)
        bit = 256 - (int.from_bytes(keys[0]) ^ int.from_bytes(keys[-1])).bit_length()
        ones = [key for key in keys if key[bit // 8] >> 7 - bit % 8 & 1]
        return sha(b"\1" + uv(bit) + below(keys[: len(keys) - len(ones)]) + below(ones))

    return below(sorted(pairs)) if pairs else sha(b"")


class Signer:
    """A participant's Ed25519 key."""

    def __init__(self, kid: str, owner: str) -> None:
        self.kid, self.owner = kid, owner
        self.key = SigningKey(sha(kid.encode()))

    @property
    def jwk(self) -> Json:
        return {"crv": "Ed25519", "kty": "OKP", "x": b64u(bytes(self.key.verify_key))}

    def sign(self, payload: Json, header: Json | None = None) -> str:
        top = {"alg": "EdDSA", "kid": self.kid, "typ": "consent-statement+jwt"} if header is None else header
        signed = b64u(encode(top)) + "." + b64u(encode(payload))
        return signed + "." + b64u(self.key.sign(signed.encode()).signature)


class Forge:
    """Appends entries; `bend` (if set) may change each leaf dict before it is hashed: the lying ledger's hand."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.log_key = SigningKey(sha(b"forge log"))
        self.witness_key = SigningKey(sha(b"forge witness"))
        self.entries: list[bytes] = []
        self.hashes: list[bytes] = []
        self.evidence: dict[int, tuple[bytes, bytes]] = {}
        self.chains: dict[bytes, tuple[int, bytes]] = {}
        self.time = START
        self.signers: dict[str, Signer] = {}
        self.bend: Callable[[Json], None] | None = None
        self.bend_evidence: Callable[[int, Json], None] | None = None

    # --- leaves ---------------------------------------------------------------------------------------------

    def tick(self, ms: int = 1000) -> None:
        self.time += ms

    def _append(self, leaf: Json) -> int:
        index = len(self.entries)
        leaf |= {"index": index, "prev": b64u(self.hashes[-1] if self.hashes else bytes(32)), "time": self.time, "v": 1}
        if self.bend is not None:
            self.bend(leaf)
        entry = encode(leaf)
        self.entries.append(entry)
        self.hashes.append(leaf_hash(entry))
        return index

    def _append_chained(self, kind: str, name: str, members: Json) -> int:
        chain = chain_of(name)
        seq, head = self.chains.get(chain, (-1, bytes(32)))
        index = self._append(
            {"chain": b64u(chain), "kind": kind, "prev_in_chain": b64u(head), "seq": seq + 1, **members}
        )
        self.chains[chain] = (seq + 1, self.hashes[-1])
        return index

    def operator(self, document: Json, chain: str | None = None) -> int:
        participant = document.get("participant")
        name = chain or ("operator:ledger" if participant is None else f"operator:participant:{participant}")
        return self._append_chained("operator", name, {"document": {"v": 1, **document}})

    def index_head(self) -> int:
        root = map_root({chain: (seq + 1).to_bytes(8) + head for chain, (seq, head) in self.chains.items()})
        return self._append({"kind": "index-head", "map_root": b64u(root), "map_size": len(self.entries)})

    def record(self, kind: str, name: str, evidence: Json) -> int:
        index = len(self.entries)
        if self.bend_evidence is not None:
            self.bend_evidence(index, evidence)
        body, opening = encode({"v": 1, **evidence}), self.random.randbytes(32)
        commitment = hmac.digest(opening, b"consent-ledger/v1/commitment\0" + sha(body), "sha256")
        self.evidence[index] = (body, opening)
        return self._append_chained(kind, name, {"commitment": b64u(commitment)})

    # --- participants ---------------------------------------------------------------------------------------

    def open(self, origin: str = ORIGIN) -> Forge:
        self.operator({"type": "ledger.opened", "origin": origin, "ruleset": 1})
        self.register(HOLDER, ["holder"])
        self.register(RECIPIENT, ["recipient"])
        self.register(OTHER, ["recipient"])
        return self

    def register(self, participant: str, roles: list[str]) -> None:
        self.operator(
            {"type": "participant.registered", "participant": participant, "name": participant, "roles": roles}
        )
        self.add_key(participant, f"{participant}.1")

    def add_key(self, participant: str, kid: str) -> Signer:
        signer = Signer(kid, participant)
        self.operator(
            {
                "type": "key.added",
                "participant": participant,
                "kid": kid,
                "alg": "EdDSA",
                "use": "statement",
                "jwk": signer.jwk,
            }
        )
        self.signers[participant] = signer
        return signer

    # --- statements -----------------------------------------------------------------------------------------

    def payload(self, iss: str, act: str, **members: Any) -> Json:
        return {
            "act": act,
            "aud": ORIGIN,
            "iat": self.time // 1000,
            "iss": iss,
            "jti": b64u(self.random.randbytes(16)),
            "v": 1,
            **members,
        }

    def submit(
        self,
        payload: Json,
        outcome: Json | None,
        *,
        jws: str | None = None,
        kind: str = "consent",
        name: str | None = None,
    ) -> int:
        jws = jws or self.signers[payload["iss"]].sign(payload)
        evidence: Json = {"act": payload["act"], "statements": [jws]}
        if outcome is not None:
            evidence["outcome"] = outcome
        return self.record(kind, name or payload["consent_id"], evidence)

    def reference(self) -> str:
        return b64u(self.random.randbytes(18))

    def consent_id(self) -> str:
        return f"urn:forge:{b64u(self.random.randbytes(16))}"

    # --- bundles --------------------------------------------------------------------------------------------

    def vkey(self, key: SigningKey | None = None, name: str = ORIGIN, kind: int = 1) -> str:
        data = bytes([kind]) + bytes((key or self.log_key).verify_key)
        return _vkey(name, data)

    def policy(self, quorum: bool = False) -> str:
        lines = [f"log {self.vkey()}", f"witness w {self.vkey(self.witness_key, 'witness.example', 4)}"]
        return "\n".join([*lines, f"quorum {'w' if quorum else 'none'}", ""])

    def checkpoint(self, size: int | None = None, *, root: bytes | None = None, cosign: bool = False) -> bytes:
        size = len(self.entries) if size is None else size
        root = tree(self.hashes[:size]) if root is None else root
        text = f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
        lines = _line(ORIGIN, 1, self.log_key, self.log_key.sign(text).signature)
        if cosign:
            stamp = self.time // 1000
            signature = self.witness_key.sign(b"cosignature/v1\ntime %d\n" % stamp + text).signature
            lines += _line("witness.example", 4, self.witness_key, stamp.to_bytes(8) + signature)
        return text + b"\n" + lines

    def proof(self, index: int, cosign: bool = False) -> bytes:
        lines = ["c2sp.org/tlog-proof@v1", f"index {index}"]
        lines += [base64.b64encode(item).decode() for item in path_of(index, self.hashes)]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint(cosign=cosign)

    def receipt(self, index: int, cosign: bool = False) -> Json:
        members: Json = {"v": 1, "leaf": self.entries[index].decode(), "proof": self.proof(index, cosign).decode()}
        if index in self.evidence:
            body, opening = self.evidence[index]
            members |= {"evidence": body.decode(), "opening": b64u(opening)}
        return members

    def files(
        self, level: str = "full", withheld: frozenset[int] = frozenset(), *, cosign: bool = False
    ) -> dict[str, bytes]:
        size = len(self.entries)
        files = {
            "manifest.json": encode(
                {
                    "created": self.time,
                    "evidence": level,
                    "format": "consent-ledger-bundle/1",
                    "origin": ORIGIN,
                    "size": size,
                    "v": 1,
                }
            ),
            "checkpoint": self.checkpoint(cosign=cosign),
            "policy": self.policy().encode(),
        }
        row, tile_level = self.hashes, 0
        while row:
            for n in range(0, len(row), 256):
                part = row[n : n + 256]
                files[tile_name(tile_level, n // 256, len(part))] = b"".join(part)
            row = [tree(row[n : n + 256]) for n in range(0, len(row) - 255, 256)]
            tile_level += 1
        for n in range(0, size, 256):
            part = self.entries[n : n + 256]
            files[tile_name("entries", n // 256, len(part))] = b"".join(len(e).to_bytes(2) + e for e in part)
        if level != "none":
            for shard in range(0, size, 65_536):
                lines = [
                    self.line(i)
                    for i in range(shard, min(size, shard + 65_536))
                    if i in self.evidence and i not in withheld
                ]
                if lines:
                    files[tile_name(0, shard // 65_536, 256).replace("tile/0/", "evidence/") + ".jsonl.gz"] = (
                        gzip.compress(b"".join(lines), 1, mtime=0)
                    )
        return files

    def line(self, index: int) -> bytes:
        body, opening = self.evidence[index]
        return encode({"evidence": body.decode(), "index": index, "opening": b64u(opening)}) + b"\n"


def _vkey(name: str, data: bytes) -> str:
    return f"{name}+{sha(name.encode() + bytes([10]) + data)[:4].hex()}+{base64.b64encode(data).decode()}"


def _line(name: str, kind: int, key: SigningKey, blob: bytes) -> bytes:
    key_id = sha(name.encode() + b"\n" + bytes([kind]) + bytes(key.verify_key))[:4]
    return f"\u2014 {name} {base64.b64encode(key_id + blob).decode()}\n".encode()


def tile_name(level: int | str, n: int, width: int) -> str:
    text = f"{n % 1000:03d}"
    while n := n // 1000:
        text = f"x{n % 1000:03d}/{text}"
    return f"tile/{level}/{text}" + ("" if width == 256 else f".p/{width}")


def write(files: dict[str, bytes], root: Path) -> Path:
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return root


# --- an honest holder, recipient and ledger -------------------------------------------------------------------


class World(Forge):
    """An honest ledger with a rule book of its own: `consents` holds what it knows of each consent."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.consents: dict[str, Json] = {}
        self.suspended: set[str] = set()
        self.override: Callable[[Json], None] | None = None  # changes outcomes before they are recorded: a liar

    def terms(self, **changes: Any) -> Json:
        return {
            "authorisers_required": 1,
            "expires_at": 0,
            "frequency_per_day": 0,
            "grade": 3,
            "history_from": 0,
            "history_to": 0,
            "holder": HOLDER,
            "language": "en",
            "notice_hash": b64u(bytes(32)),
            "once": False,
            "permissions": DEFAULT_PERMISSIONS,
            "purpose": {"code": "AIS", "text": "See my accounts"},
            "recipient": RECIPIENT,
            "retention_days": 30,
            "separate_consents": [],
            "standard": "uk-ob",
            "standard_version": "4.0",
            "starts_at": 0,
            **changes,
        }

    def status(self, consent_id: str) -> str:
        state = self.consents[consent_id]
        end = state["terms"]["expires_at"]
        live = state["status"] in ("AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED")
        return "EXPIRED" if end and live and self.time >= end * 1000 else state["status"]

    def _outcome(self, outcome: Json) -> Json:
        if self.override is not None:
            self.override(outcome)
        return outcome

    def _state(self, consent_id: str) -> Json:
        state = self.consents[consent_id]
        return self._outcome({"consent_version": state["version"], "ruleset": 1, "status": state["status"]})

    def request(self, **changes: Any) -> str:
        consent_id, terms = self.consent_id(), self.terms(**changes)
        self.consents[consent_id] = {
            "status": "AWAITING",
            "version": 1,
            "terms": terms,
            "basis": len(self.entries),
            "accounts": [],
            "authorisers": [],
            "subject": self.reference(),
            "used": {},
            "pending": None,
        }
        self.submit(
            self.payload(RECIPIENT, "consent.request", consent_id=consent_id, terms=terms), self._state(consent_id)
        )
        return consent_id

    def authorise(self, consent_id: str, accounts: list[str] | None = None, **changes: Any) -> int:
        state = self.consents[consent_id]
        pending = state["pending"]
        target = pending or state
        accounts = sorted(accounts or [self.reference()])
        payload = self.payload(
            HOLDER,
            "consent.authorise",
            consent_id=consent_id,
            version=state["version"] + (pending is not None),
            terms_hash=terms_hash(target["terms"]),
            accounts=accounts,
            authoriser=self.reference(),
            subject=state["subject"],
            sca={"acr": "sca", "amr": ["pwd", "otp"], "at": self.time // 1000},
            **changes,
        )
        target["authorisers"].append(payload["authoriser"])
        target["accounts"] = sorted({*target["accounts"], *accounts})
        state["basis"] = len(self.entries)
        if len(target["authorisers"]) >= target["terms"]["authorisers_required"]:
            if pending:
                state |= {**pending, "version": state["version"] + 1, "pending": None}
            state["status"] = "ACTIVE"
        elif not pending:
            state["status"] = "PARTIAL"
        index = self.submit(payload, self._state(consent_id))
        self.companion(consent_id)
        return index

    def companion(self, consent_id: str, subject: str = "s" * 22) -> int:
        return self.submit(
            self.payload(HOLDER, "subject.consent", consent_id=consent_id, subject=subject),
            None,
            kind="subject",
            name=f"subject:{HOLDER}:{subject}",
        )

    def grant(self, **changes: Any) -> str:
        consent_id = self.request(**changes)
        self.authorise(consent_id)
        return consent_id

    def amend(self, consent_id: str, **changes: Any) -> int:
        state = self.consents[consent_id]
        terms = self.terms(**changes)
        state |= {"pending": {"terms": terms, "accounts": [], "authorisers": []}, "basis": len(self.entries)}
        return self.submit(
            self.payload(
                RECIPIENT, "consent.amend", consent_id=consent_id, terms=terms, previous_version=state["version"]
            ),
            self._state(consent_id),
        )

    def end(self, consent_id: str, act: str, status: str, iss: str = HOLDER, by: str = "customer") -> int:
        self.consents[consent_id] |= {"status": status, "basis": len(self.entries)}
        return self.submit(
            self.payload(iss, act, consent_id=consent_id, reason="asked", by=by), self._state(consent_id)
        )

    def revoke(self, consent_id: str) -> int:
        return self.end(consent_id, "consent.revoke", "REVOKED")

    def expire(self, consent_id: str) -> int:
        self.consents[consent_id] |= {"status": "EXPIRED", "basis": len(self.entries)}
        return self.record(
            "consent", consent_id, {"act": "consent.expire", "statements": [], "outcome": self._state(consent_id)}
        )

    def item(self, consent_id: str, **changes: Any) -> Json:
        return {
            "accounts": [],
            "consent_id": consent_id,
            "customer_present": False,
            "from": 0,
            "to": 0,
            "interaction_id": b64u(self.random.randbytes(12)),
            "permissions": ["ReadBalances"],
            "purpose": "AIS",
            "request_digest": b64u(self.random.randbytes(32)),
            **changes,
        }

    def decide(self, iss: str, item: Json) -> Json:
        """The rule book's answer, and the count it keeps."""
        state = self.consents.get(item["consent_id"])
        reasons = []
        mine = state is not None and state["terms"]["recipient"] == iss
        if self.suspended & ({HOLDER, iss} if mine else {iss}):
            reasons.append("PARTICIPANT_SUSPENDED")
        if state is None or not mine:
            reasons.append("CONSENT_NOT_YOURS" if state else "CONSENT_UNKNOWN")
            return self._outcome(
                {
                    "basis": -1,
                    "consent_version": 0,
                    "decision": "deny",
                    "obligations": {},
                    "reasons": reasons,
                    "ruleset": 1,
                    "used_today": 0,
                }
            )
        terms, status, day = state["terms"], self.status(item["consent_id"]), self.time // DAY
        used = state["used"].get(day, 0)
        granted = {*terms["permissions"], *(p.replace("Detail", "Basic") for p in terms["permissions"])}
        end = min((t for t in (item["to"], terms["history_to"]) if t), default=0)
        since = max(item["from"], terms["history_from"])
        for reason, applies in (
            (f"CONSENT_{status}", status != "ACTIVE"),
            ("CONSENT_NOT_STARTED", self.time < terms["starts_at"] * 1000),
            ("PURPOSE_MISMATCH", item["purpose"] != terms["purpose"]["code"]),
            ("ACCOUNT_NOT_IN_CONSENT", not set(item["accounts"]) <= set(state["accounts"])),
            ("PERMISSION_MISSING", not set(item["permissions"]) <= granted),
            ("GRADE_EXCEEDED", "ReadEverything" in item["permissions"]),
            ("WINDOW_EXCEEDED", 0 < item["to"] < item["from"] or 0 < end < since),
            ("FREQUENCY_EXCEEDED", not item["customer_present"] and 0 < terms["frequency_per_day"] <= used),
        ):
            if applies:
                reasons.append(reason)
        outcome = {
            "basis": state["basis"],
            "consent_version": state["version"],
            "decision": "deny" if reasons else "allow",
            "reasons": reasons,
            "ruleset": 1,
            "used_today": used,
            "obligations": {}
            if reasons
            else {
                "directions": ["credit"] if "ReadTransactionsCredits" in terms["permissions"] else [],
                "from": since,
                "masks": ["pan"],
                "to": end,
            },
        }
        outcome = self._outcome(outcome)
        if outcome["decision"] == "allow":
            if not item["customer_present"]:
                state["used"][day] = used + 1
            if terms["once"]:
                state["status"] = "CONSUMED"
        return outcome

    def access(self, consent_id: str, iss: str = RECIPIENT, **changes: Any) -> int:
        item = self.item(consent_id, **changes)
        return self.submit(self.payload(iss, "access.request", **item), self.decide(iss, item))

    def batch(self, consent_ids: list[str], iss: str = RECIPIENT) -> list[int]:
        items = [self.item(consent_id) for consent_id in consent_ids]
        hashes = [leaf_hash(encode(item)) for item in items]
        jws = self.signers[iss].sign(
            self.payload(iss, "access.batch", items_count=len(items), items_root=b64u(tree(hashes)))
        )
        return [
            self.record(
                "consent",
                item["consent_id"],
                {
                    "act": "access.request",
                    "statements": [jws],
                    "outcome": self.decide(iss, item),
                    "item": {
                        "body": encode(item).decode(),
                        "path": [b64u(h) for h in path_of(n, hashes)],
                        "position": n,
                    },
                },
            )
            for n, item in enumerate(items)
        ]

    def leg(self, act: str, consent_id: str, basis: int, interaction: str, **changes: Any) -> int:
        iss = HOLDER if act == "access.release" else RECIPIENT
        members = {
            "consent_id": consent_id,
            "interaction_id": interaction,
            "basis": basis,
            "rows": 3,
            "bytes": 900,
            "digest": b64u(bytes(32)),
            **changes,
        }
        return self.submit(self.payload(iss, act, **members), None)

    def suspend(self, participant: str) -> int:
        self.suspended.add(participant)
        return self.operator({"type": "participant.suspended", "participant": participant, "reason": "investigation"})
