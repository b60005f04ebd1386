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
from functools import cache
from pathlib import Path
from typing import Any, Self

from nacl.signing import SigningKey

Json = dict[str, Any]
DAY = 86_400_000
START = 1_790_000_000_000
ORIGIN = "ledger.example/forge"
HOLDER, RECIPIENT, OTHER, PROVIDER = "bank.example", "app.example", "other.example", "helper.example"
LIVE = ("ACTIVE", "PAUSED", "SUSPENDED")
DEFAULT_PERMISSIONS = ["ReadAccountsDetail", "ReadBalances", "ReadTransactionsCredits", "ReadTransactionsDetail"]


_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def encode(value: Json) -> bytes:
    return _text(value).encode()


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


def named(ruleset: int) -> Json:
    """The members of a document that name a ruleset: 3 by its catalogue also (docs/spec/leaves.md)."""
    if ruleset != 3:
        return {"ruleset": ruleset}
    catalogue = json.loads((Path(__file__).parents[2] / "docs/spec/catalogue-3.json").read_text())
    published = json.dumps(catalogue, sort_keys=True, separators=(",", ":")).encode()  # RFC 8785
    return {"v": 2, "ruleset": 3, "catalogue": b64u(sha(b"consent-ledger/v1/catalogue\0" + published))}


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


@cache
def signing_key(name: str) -> SigningKey:
    """The key that belongs to a name: the same in every log."""
    return SigningKey(sha(name.encode()))


class Signer:
    """A participant's Ed25519 key."""

    def __init__(self, kid: str, owner: str) -> None:
        self.kid, self.owner = kid, owner
        self.key = signing_key(kid)

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
        self.log_key = signing_key("forge log")
        self.witness_key = signing_key("forge witness")
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

    ruleset = 2

    def open(self, origin: str = ORIGIN) -> Self:
        self.operator({"type": "ledger.opened", "origin": origin, **named(self.ruleset)})
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
        lines = note_line(ORIGIN, 1, self.log_key, self.log_key.sign(text).signature)
        if cosign:
            stamp = self.time // 1000
            signature = self.witness_key.sign(b"cosignature/v1\ntime %d\n" % stamp + text).signature
            lines += note_line("witness.example", 4, self.witness_key, stamp.to_bytes(8) + signature)
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
        self,
        level: str = "full",
        withheld: frozenset[int] = frozenset(),
        *,
        cosign: bool = False,
        size: int | None = None,
    ) -> dict[str, bytes]:
        """A bundle of the first `size` entries."""
        size = len(self.entries) if size is None else size
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
            "checkpoint": self.checkpoint(size, cosign=cosign),
            "policy": self.policy().encode(),
        }
        row, tile_level = self.hashes[:size], 0
        while row:
            for n in range(0, len(row), 256):
                part = row[n : n + 256]
                files[tile_name(tile_level, n // 256, len(part))] = b"".join(part)
            row = [tree(row[n : n + 256]) for n in range(0, len(row) - 255, 256)]
            tile_level += 1
        for n in range(0, size, 256):
            part = self.entries[n : min(n + 256, size)]
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


def note_line(name: str, kind: int, key: SigningKey, blob: bytes) -> bytes:
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

GRAVE = {"ReadProducts": 1, "ReadAccountsBasic": 2, "ReadBeneficiariesBasic": 2, "ReadOffers": 2, "ReadResources": 2}
"""Every other permission that the forge uses has grade 3."""
MASKS = {
    "account-number": "ReadAccountsDetail",
    "beneficiary-account": "ReadBeneficiariesDetail",
    "counterparty-account": "ReadTransactionsDetail",
    "pan": "ReadPAN",
    "party-identity": "ReadParty ReadPartyPSU",
    "scheduled-payment-account": "ReadScheduledPaymentsDetail",
    "standing-order-account": "ReadStandingOrdersDetail",
    "statement-amount": "ReadStatementsDetail",
    "transaction-text": "ReadTransactionsDetail",
}


def nothing_given() -> Json:
    return {"approvals": {}, "joint": set(), "separate": set()}


class World(Forge):
    """An honest ledger with a rule book of its own: `consents` holds what it knows of each consent."""

    def __init__(self, seed: int = 0, ruleset: int = 2) -> None:
        super().__init__(seed)
        self.ruleset = ruleset
        self.consents: dict[str, Json] = {}
        self.suspended: set[str] = set()
        self.removed: set[str] = set()
        self.purposes: dict[str, Json] = {}
        self.legs: dict[int, Json] = {}
        self.times: list[int] = []
        self.reported = -1
        self.override: Callable[[Json], None] | None = None  # changes outcomes before they are recorded: a liar

    def _append(self, leaf: Json) -> int:
        self.times.append(self.time)
        return super()._append(leaf)

    def terms(self, **changes: Any) -> Json:
        terms = {
            "authorisers_required": 1,
            "expires_at": 0,
            "frequency_per_day": 0,
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
            "standard": "uk-ob",
            "standard_version": "4.0",
            "starts_at": 0,
            **changes,
        }
        terms.setdefault("grade", max(GRAVE.get(code, 3) for code in terms["permissions"]))
        two = self.ruleset >= 2 and terms["grade"] == 3
        terms.setdefault("separate_consents", ["provision", "sensitive"] if two else [])
        return terms

    def status(self, consent_id: str) -> str:
        state = self.consents[consent_id]
        end = state["terms"]["expires_at"]
        live = state["status"] in ("AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED")
        if live and self.removed & {state["terms"]["holder"], state["terms"]["recipient"]}:
            return "TERMINATED"
        return "EXPIRED" if end and live and self.time >= end * 1000 else state["status"]

    def _outcome(self, outcome: Json) -> Json:
        if self.override is not None:
            self.override(outcome)
        return outcome

    def _state(self, consent_id: str) -> Json:
        state = self.consents[consent_id]
        return self._outcome({"consent_version": state["version"], "ruleset": self.ruleset, "status": state["status"]})

    def shared(self, state: Json) -> set[str]:
        """The accounts that may be read."""
        every = [account for accounts in state["given"]["approvals"].values() for account in accounts]
        twice = {account for account in every if every.count(account) > 1}
        return {account for account in every if account in twice or account not in state["given"]["joint"]} - state[
            "withdrawn"
        ]

    def waiting(self, state: Json) -> set[str]:
        every = {account for accounts in state["given"]["approvals"].values() for account in accounts}
        return every - self.shared(state) - state["withdrawn"]

    def request(self, iss: str = RECIPIENT, behalf: str | None = None, **changes: Any) -> str:
        consent_id, terms = self.consent_id(), self.terms(**changes)
        self.consents[consent_id] = {
            "status": "AWAITING",
            "version": 1,
            "terms": terms,
            "basis": len(self.entries),
            "given": nothing_given(),
            "withdrawn": set(),
            "subject": self.reference(),
            "used": {},
            "pending": None,
            "authenticated": 0,
            "confirmed": 0,
        }
        more = {} if behalf is None else {"on_behalf_of": behalf}
        payload = self.payload(iss, "consent.request", consent_id=consent_id, terms=terms, **more)
        self.submit(payload, self._state(consent_id))
        return consent_id

    def authorise(
        self,
        consent_id: str,
        accounts: list[str] | None = None,
        iss: str = HOLDER,
        present: bool = False,
        **changes: Any,
    ) -> int:
        """An authorisation of the pending version if there is one, unless it is of the `present` one."""
        state = self.consents[consent_id]
        pending = None if present else state["pending"]
        target = pending or state
        accounts = sorted(accounts or [self.reference()])
        kinds = target["terms"]["separate_consents"] if self.ruleset >= 2 else []
        if kinds:
            row = {"given_at": self.time // 1000, "text_hash": b64u(bytes(32))}
            changes.setdefault("separate_consents", [{**row, "kind": kind} for kind in kinds])
        if changes.get("separate_consents") == []:
            del changes["separate_consents"]
        payload = self.payload(
            iss,
            "consent.authorise",
            **{
                "consent_id": consent_id,
                "version": state["version"] + (pending is not None),
                "terms_hash": terms_hash(target["terms"]),
                "accounts": accounts,
                "authoriser": self.reference(),
                "subject": state["subject"],
                "sca": {"acr": "sca", "amr": ["pwd", "otp"], "at": self.time // 1000},
                **changes,
            },
        )
        given = target["given"]
        given["approvals"][payload["authoriser"]] = accounts
        given["joint"] |= set(payload.get("joint_accounts", []))
        given["separate"] |= {row["kind"] for row in payload.get("separate_consents", [])}
        state["basis"] = len(self.entries)
        if not pending:
            state["withdrawn"] -= set(accounts)
        complete = len(given["approvals"]) >= target["terms"]["authorisers_required"]
        if complete and (pending or state["status"] in ("AWAITING", "PARTIAL")):
            if pending:
                state |= {"terms": pending["terms"], "given": given, "version": state["version"] + 1, "pending": None}
            if self.ruleset == 1 or state["status"] not in ("PAUSED", "SUSPENDED"):
                state["status"] = "ACTIVE"
            state |= {"withdrawn": set(), "authenticated": self.time // 1000, "confirmed": self.time // 1000}
        elif not pending and state["status"] not in LIVE:
            state["status"] = "PARTIAL"
        index = self.submit(payload, self._state(consent_id))
        self.companion(consent_id, iss=iss, behalf=changes.get("on_behalf_of"))
        return index

    def companion(self, consent_id: str, subject: str = "s" * 22, iss: str = HOLDER, behalf: str | None = None) -> int:
        more = {} if behalf is None else {"on_behalf_of": behalf}
        return self.submit(
            self.payload(iss, "subject.consent", consent_id=consent_id, subject=subject, **more),
            None,
            kind="subject",
            name=f"subject:{behalf or iss}:{subject}",
        )

    def grant(self, **changes: Any) -> str:
        consent_id = self.request(**changes)
        self.authorise(consent_id)
        return consent_id

    def amend(self, consent_id: str, **changes: Any) -> int:
        state = self.consents[consent_id]
        terms = self.terms(**changes)
        state |= {"pending": {"terms": terms, "given": nothing_given()}, "basis": len(self.entries)}
        return self.submit(
            self.payload(
                RECIPIENT, "consent.amend", consent_id=consent_id, terms=terms, previous_version=state["version"]
            ),
            self._state(consent_id),
        )

    def end(
        self, consent_id: str, act: str, status: str, iss: str = HOLDER, by: str = "customer", **members: Any
    ) -> int:
        self.consents[consent_id] |= {"status": status, "basis": len(self.entries)}
        return self.submit(
            self.payload(iss, act, consent_id=consent_id, reason="asked", by=by, **members), self._state(consent_id)
        )

    def revoke(self, consent_id: str) -> int:
        return self.end(consent_id, "consent.revoke", "REVOKED")

    def expire(self, consent_id: str) -> int:
        self.consents[consent_id] |= {"status": "EXPIRED", "basis": len(self.entries)}
        return self.record(
            "consent", consent_id, {"act": "consent.expire", "statements": [], "outcome": self._state(consent_id)}
        )

    # --- acts of ruleset 2 ----------------------------------------------------------------------------------

    def withdraw_accounts(self, consent_id: str, accounts: list[str]) -> int:
        state = self.consents[consent_id]
        for given in (state["given"], (state["pending"] or state)["given"]):
            for authoriser, its in given["approvals"].items():
                given["approvals"][authoriser] = [account for account in its if account not in accounts]
        state["withdrawn"] |= set(accounts)
        return self.end(consent_id, "consent.withdraw_accounts", state["status"], accounts=sorted(accounts))

    def withdraw_approval(self, consent_id: str, authoriser: str) -> int:
        state = self.consents[consent_id]
        before = self.shared(state)
        del state["given"]["approvals"][authoriser]
        state["withdrawn"] |= before - self.shared(state)
        state["pending"] = None
        short = len(state["given"]["approvals"]) < state["terms"]["authorisers_required"]
        status = "PARTIAL" if short and state["status"] == "ACTIVE" else state["status"]
        return self.end(consent_id, "consent.withdraw_approval", status, authoriser=authoriser)

    def withdraw_separate(self, consent_id: str, kind: str, iss: str = HOLDER) -> int:
        state = self.consents[consent_id]
        state["given"]["separate"] -= {kind}
        return self.end(consent_id, "consent.withdraw_separate", state["status"], iss, separate=kind)

    def reauthenticate(self, consent_id: str) -> int:
        state = self.consents[consent_id]
        state |= {"authenticated": self.time // 1000, "basis": len(self.entries)}
        sca = {"acr": "sca", "amr": ["pwd"], "at": self.time // 1000}
        payload = self.payload(HOLDER, "consent.reauthenticate", consent_id=consent_id, sca=sca)
        return self.submit(payload, self._state(consent_id))

    def reconfirm(self, consent_id: str) -> int:
        state = self.consents[consent_id]
        state["confirmed"] = self.time // 1000
        return self.end(consent_id, "consent.reconfirm", state["status"], RECIPIENT)

    def supersede(self, consent_id: str, other: str) -> int:
        return self.end(consent_id, "consent.supersede", "SUPERSEDED", superseded_by=other)

    def activate(self, ruleset: int = 2) -> int:
        self.ruleset = ruleset
        return self.operator({"type": "ruleset.activated", **named(ruleset)})

    def remove(self, participant: str) -> int:
        self.removed.add(participant)
        return self.operator({"type": "participant.removed", "participant": participant, "reason": "left"})

    def delegate(self, participant: str, acts: list[str], delegate: str = PROVIDER) -> int:
        if delegate not in self.signers:
            self.register(delegate, ["technology-provider"])
        document = {"participant": participant, "delegate": delegate, "acts": sorted(acts)}
        return self.operator({"type": "delegation.granted", **document})

    def undelegate(self, participant: str, delegate: str = PROVIDER) -> int:
        document = {"participant": participant, "delegate": delegate, "reason": "ended"}
        return self.operator({"type": "delegation.ended", **document})

    def define_purpose(self, code: str = "AIS", **changes: Any) -> int:
        none = dict.fromkeys(("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days"), 0)
        self.purposes[code] = {"permissions": DEFAULT_PERMISSIONS, **none, **changes}
        return self.operator({"type": "purpose.defined", "code": code, **self.purposes[code]})

    def reconcile(self, **lies: Any) -> int:
        """The ledger's report on its accesses of an hour ago and more."""
        first = self.reported + 1
        last = max(index for index, time in enumerate(self.times) if time <= self.time - 3_600_000)
        covered = [leg for index, leg in sorted(self.legs.items()) if first <= index <= last]
        findings = []
        for leg in covered:
            release, receipt = leg.get("access.release"), leg.get("access.receive")
            if release and receipt:
                codes = [f"{name}-differ" for name in ("rows", "bytes", "digest") if release[name] != receipt[name]]
            else:
                codes = ["release-missing"] if receipt else ["receipt-missing"] if release else []
            findings += [{"access": leg["index"], "finding": code} for code in codes]
        text = b"".join(encode(finding) + b"\n" for finding in findings)
        self.reported = last
        return self.operator(
            {
                "type": "reconciliation.reported",
                "from_index": first,
                "to_index": last,
                "accesses": len(covered),
                "releases": sum("access.release" in leg for leg in covered),
                "receipts": sum("access.receive" in leg for leg in covered),
                "findings": len(findings),
                "findings_hash": b64u(sha(b"consent-ledger/v1/findings\0" + text)),
                **lies,
            }
        )

    # --- accesses -------------------------------------------------------------------------------------------

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

    def decide(self, iss: str, item: Json, party: str | None = None, asserted: tuple[str, ...] = ()) -> Json:
        """The rule book's answer, and the count it keeps. `iss` acts for `party`."""
        state = self.consents.get(item["consent_id"])
        party = party or iss
        reasons = []
        side = "holder" if item.get("relayed") else "recipient"
        mine = state is not None and state["terms"][side] == party
        if self.suspended & (
            {state["terms"]["holder"], state["terms"]["recipient"], iss} if mine and state else {iss, party}
        ):
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
                    "ruleset": self.ruleset,
                    "used_today": 0,
                }
            )
        terms, status, two = state["terms"], self.status(item["consent_id"]), self.ruleset >= 2
        used = self.used_before(state, item)
        granted = {*terms["permissions"], *(p.replace("Detail", "Basic") for p in terms["permissions"])}
        end = min((t for t in (item["to"], terms["history_to"]) if t), default=0)
        since = max(item["from"], terms["history_from"])
        purpose = self.purposes.get(terms["purpose"]["code"], {"permissions": item["permissions"]})
        asked, shared, waiting = set(item["accounts"]), self.shared(state), self.waiting(state)
        for reason, applies in (
            (f"CONSENT_{status}", status != "ACTIVE"),
            ("CONSENT_NOT_STARTED", self.time < terms["starts_at"] * 1000),
            ("REAUTHENTICATION_REQUIRED", self._due(state, status, "authenticated", "reauthenticate_days")),
            ("RECONFIRMATION_OVERDUE", self._due(state, status, "confirmed", "reconfirm_days")),
            (
                "SEPARATE_CONSENT_MISSING",
                two and status == "ACTIVE" and not set(terms["separate_consents"]) <= state["given"]["separate"],
            ),
            (
                "PURPOSE_MISMATCH",
                item["purpose"] != terms["purpose"]["code"]
                or not set(item["permissions"]) <= set(purpose["permissions"]),
            ),
            ("ACCOUNT_NOT_IN_CONSENT", bool(asked - shared - waiting - state["withdrawn"])),
            ("ACCOUNT_APPROVAL_PENDING", bool(asked & waiting)),
            ("ACCOUNT_APPROVAL_WITHDRAWN", bool(asked & state["withdrawn"])),
            ("PERMISSION_MISSING", not set(item["permissions"]) <= granted),
            ("GRADE_EXCEEDED", bool({"ReadEverything", "ReadBiometricData"} & set(item["permissions"]))),
            ("WINDOW_EXCEEDED", 0 < item["to"] < item["from"] or 0 < end < since),
            ("FREQUENCY_EXCEEDED", not item["customer_present"] and 0 < terms["frequency_per_day"] <= used),
        ):
            if applies:
                reasons.append(reason)
        reasons = self.also(state, item, status, reasons)
        outcome: Json = {
            "basis": state["basis"],
            "consent_version": state["version"],
            "decision": "deny" if reasons or asserted else "allow",
            "reasons": reasons,
            "ruleset": self.ruleset,
            "used_today": used,
            "obligations": {} if reasons or asserted else self.obligations(terms, since, end),
        }
        if asserted:
            outcome["asserted"] = list(asserted)
        outcome = self._outcome(outcome)
        if outcome["decision"] == "allow":
            self.count(state, item)
            self.legs[len(self.entries)] = {"index": len(self.entries)}
        return outcome

    def _day(self, state: Json) -> int:
        day: int = (self.time // 60_000 + state["terms"].get("utc_offset", 0)) // 1440
        return day

    def used_before(self, state: Json, item: Json) -> int:
        """`used_today`."""
        used: int = state["used"].get(self._day(state), 0)
        return used

    def count(self, state: Json, item: Json) -> None:
        """What an allowed access leads to."""
        if not item["customer_present"]:
            state["used"][self._day(state)] = state["used"].get(self._day(state), 0) + 1
        if state["terms"]["once"]:
            state["status"] = "CONSUMED"

    def also(self, state: Json, item: Json, status: str, reasons: list[str]) -> list[str]:
        """What later rulesets add, in its places."""
        return reasons

    def _due(self, state: Json, status: str, since: str, days: str) -> bool:
        limit = state["terms"].get(days)
        return bool(limit and status == "ACTIVE" and self.time >= (state[since] + limit * 86_400) * 1000)

    def obligations(self, terms: Json, since: int, end: int) -> Json:
        held = set(terms["permissions"])
        masks = [mask for mask, lifting in MASKS.items() if not held & set(lifting.split())]
        obligations: Json = {
            "directions": ["credit"] if "ReadTransactionsCredits" in held else [],
            "from": since,
            "masks": masks if self.ruleset >= 2 else ["pan"],
            "to": end,
        }
        if self.ruleset >= 2 and "filters" in terms:
            obligations["filters"] = terms["filters"]
        if self.ruleset >= 2 and terms["retention_days"]:
            obligations["keep_until"] = self.time // 1000 + terms["retention_days"] * 86_400
        return obligations

    def access(
        self,
        consent_id: str,
        iss: str = RECIPIENT,
        *,
        behalf: str | None = None,
        word: tuple[str, ...] = (),
        **changes: Any,
    ) -> int:
        """An access of `iss`, for `behalf`; `word`: reasons that the ledger asserts beside those of the statement."""
        item = self.item(consent_id, **changes)
        more = {} if behalf is None else {"on_behalf_of": behalf}
        asserted = (*item.get("asserted", ()), *word)
        return self.submit(
            self.payload(iss, "access.request", **item, **more), self.decide(iss, item, behalf, asserted)
        )

    def batch(self, consent_ids: list[str], iss: str = RECIPIENT, behalf: str | None = None) -> list[int]:
        items = [self.item(consent_id) for consent_id in consent_ids]
        hashes = [leaf_hash(encode(item)) for item in items]
        more = {} if behalf is None else {"on_behalf_of": behalf}
        jws = self.signers[iss].sign(
            self.payload(iss, "access.batch", items_count=len(items), items_root=b64u(tree(hashes)), **more)
        )
        return [
            self.record(
                "consent",
                item["consent_id"],
                {
                    "act": "access.request",
                    "statements": [jws],
                    "outcome": self.decide(iss, item, behalf),
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
        if basis in self.legs:
            self.legs[basis].setdefault(act, members)
        return self.submit(self.payload(iss, act, **members), None)

    def suspend(self, participant: str) -> int:
        self.suspended.add(participant)
        return self.operator({"type": "participant.suspended", "participant": participant, "reason": "investigation"})
