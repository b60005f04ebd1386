"""Hostile proofs, receipts and packs against the verifier, in process: `attempt(kind, seed)` makes one and judges it.

Whatever is not at byte for byte a genuine input is hostile. It may be refused, in one of the verifier's two ways; or it may be
read as saying something that is true, for some bytes nobody signs (an `extra`, a line of an unknown key, a cosignature taken
away). To be accepted with a claim that is not true is the one failure; to raise anything else, the other.
"""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import IO

from tests.attacks.changes import blind, member
from tests.verifier.cases import honest
from tests.verifier.forge import ORIGIN, Signer, World, encode, node, path_of, tree
from tests.verifier.packing import pack
from verifier.audit.pack import check_pack
from verifier.audit.receipt import check_receipt
from verifier.crypto.backend import Backend, select
from verifier.crypto.keys import PublicKey, parse_jwk
from verifier.errors import CannotCheck, NotFound, Refuted
from verifier.tlog.proof import parse_proof, verify_proof
from verifier.tlog.trust import parse_trust


class Outcome(StrEnum):
    """What became of one hostile input."""

    REFUSED = "refused"
    TRUE = "true all the same"
    ACCEPTED = "accepted"


Kind = str
KINDS: tuple[Kind, ...] = ("proofs", "receipts", "packs")
INDEXES = (0, 7, 8, 9, 20, 26, 30, 77, 128, 255, 256, 290)
FORMAT = "c2sp.org/tlog-proof@v1"


def remembering(backend: Backend) -> Backend:
    """The same backend, which does not compute twice that a signature is good. Bad ones are computed every time."""
    good: set[tuple[object, ...]] = set()

    def checked(verify: Callable[..., None]) -> Callable[..., None]:
        def check(*arguments: object) -> None:
            if arguments not in good:
                verify(*arguments)
                good.add(arguments)

        return check

    return replace(
        backend, ed25519=checked(backend.ed25519), es256=checked(backend.es256), ps256=checked(backend.ps256)
    )


class Memory:
    """A pack in memory, read as the verifier reads a folder."""

    name = "pack"

    def __init__(self, files: list[tuple[str, bytes]]) -> None:
        self._names = [name for name, _ in files]
        self._files = dict(files)

    def read(self, path: str, limit: int) -> bytes:
        if path not in self._files:
            raise NotFound(f"{path} is not there")
        return self._files[path][: limit + 1]

    def names(self) -> Iterator[str]:
        return iter(self._names)

    def oddities(self) -> Iterator[tuple[str, str]]:
        """In memory there is no link, no pipe, and no second member of a name."""
        return iter(())

    def open(self, path: str) -> IO[bytes]:
        return io.BytesIO(self.read(path, 1 << 30))

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Stock:
    """Genuine evidence of one log, and a second log under the same name that nobody may believe."""

    world: World
    stranger: World
    proofs: dict[int, bytes]
    receipts: dict[int, bytes]
    packs: tuple[dict[str, bytes], ...]
    keys: dict[str, PublicKey]


@cache
def stock() -> Stock:
    """Made once: a log of three hundred entries, cosigned, and packs that it recorded."""
    _, first = honest()
    world = World(7)
    world.__dict__.update({name: _copied(value) for name, value in first.__dict__.items()})
    packs = tuple(pack(world, indexes) for indexes in ([8, 20, 26], [9], list(range(60, 69))))
    stranger = World(7)
    stranger.__dict__.update({name: _copied(value) for name, value in world.__dict__.items()})
    stranger.log_key = Signer("stranger", "x").key
    return Stock(
        world,
        stranger,
        {index: world.proof(index, cosign=True) for index in INDEXES},
        {index: _bytes(world.receipt(index, cosign=True)) for index in INDEXES},
        packs,
        {signer.kid: parse_jwk(signer.jwk) for signer in world.signers.values()},
    )


def _copied(value: object) -> object:
    return value.copy() if isinstance(value, (list, dict, set)) else value


def _bytes(receipt: dict[str, object]) -> bytes:
    return json.dumps(receipt, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


@cache
def _roots() -> dict[int, bytes]:
    """The root of every size the log has had: what may truly be claimed."""
    world = stock().world
    return {size: tree(world.hashes[:size]) for size in range(1, len(world.hashes) + 1)}


class Attacker:
    """Makes hostile inputs and holds the verifier's answer against the truth."""

    def __init__(self) -> None:
        self.stock = stock()
        self.backend = remembering(select())
        policies = (self.stock.world.policy(), self.stock.world.policy(quorum=True))
        self.trusts = [parse_trust(policy.encode()) for policy in policies]

    def attempt(self, kind: Kind, seed: int) -> Outcome:
        """One hostile input of this kind; what is neither refused nor true is ACCEPTED."""
        dice = random.Random(f"{kind} {seed}")
        try:
            if kind == "proofs":
                true = self._proof(dice)
            elif kind == "receipts":
                true = self._receipt(dice)
            else:
                true = self._pack(dice)
        except (Refuted, CannotCheck):
            return Outcome.REFUSED
        return Outcome.REFUSED if true is None else Outcome.TRUE if true else Outcome.ACCEPTED

    def believes_the_genuine(self) -> bool:
        """Whether the same judge takes what was not changed for what it is."""
        dice, trust = random.Random(0), self.trusts[1]
        proofs = (
            self._is_true(proof.index, entry, head.size, head.root)
            for proof, entry in ((parse_proof(self.stock.proofs[at]), self.stock.world.entries[at]) for at in INDEXES)
            for head in [verify_proof(proof, entry, trust.policy, self.backend).head]
        )
        receipts = (self._judge_receipt(receipt, dice) for receipt in self.stock.receipts.values())
        packs = (
            not check_pack(Memory(list(files.items())), self.trusts[0], self.backend, self.stock.keys).findings.count
            and self._is_part_of_a_pack(files)
            for files in self.stock.packs
        )
        return all(proofs) and all(receipts) and all(packs)

    # --- proofs ---------------------------------------------------------------------------------------------

    def _proof(self, dice: random.Random) -> bool | None:
        stock, index = self.stock, dice.choice(INDEXES)
        entry, genuine = stock.world.entries[index], stock.proofs[index]
        if dice.random() < 0.5:
            data = blind(dice, genuine, list(stock.proofs.values()))
        else:
            data, entry = self._bent_proof(dice, index)
        if (data, entry) == (genuine, stock.world.entries[index]):
            return None  # the dice changed nothing: not hostile
        proof = parse_proof(data)
        head = verify_proof(proof, entry, dice.choice(self.trusts).policy, self.backend).head
        return self._is_true(proof.index, entry, head.size, head.root)

    def _bent_proof(self, dice: random.Random, index: int) -> tuple[bytes, bytes]:
        """A well-formed proof of something that is not so."""
        world = self.stock.world
        entry, size = world.entries[index], len(world.entries)
        path, checkpoint = list(_path(index)), self._checkpoint(dice)
        match dice.randrange(8):
            case 0:
                index = dice.choice([index + 1, abs(index - 1), size, size - 1, dice.randrange(2 * size), 2**62])
            case 1:
                path = list(_path(dice.choice([*INDEXES, *range(60, 70)])))
            case 2 if path:
                at = dice.randrange(len(path))
                path[at] = dice.choice([bytes(32), dice.randbytes(32), path[-1], world.hashes[index]])
            case 3 if path:
                path.pop(dice.randrange(len(path)))
            case 4:
                path.insert(dice.randrange(len(path) + 1), dice.choice([bytes(32), *path, world.hashes[index]]))
            case 5:
                entry = dice.choice(world.entries)
            case 6 if path:  # an inner node offered as an entry: its two children, with and without the prefix
                pair = world.hashes[index] + path[0] if index % 2 == 0 else path[0] + world.hashes[index]
                entry, path, index = dice.choice([pair, b"\1" + pair, node(pair[:32], pair[32:])]), path[1:], index // 2
            case _:
                path = list(reversed(path)) if dice.random() < 0.5 else [*path, *path]
        return proof_text(index, path, checkpoint), entry

    def _checkpoint(self, dice: random.Random) -> bytes:
        """Mostly the genuine one: a hostile proof keeps what it can."""
        world = self.stock.world
        fate = dice.random()
        if fate < 0.85:
            return _head_of(self.stock.proofs[7])
        if fate < 0.9:  # the right text under a stranger's key, who uses the log's name
            return _strange(cosign=dice.random() < 0.5)
        if fate < 0.95:  # the genuine signatures over another root or size
            root = base64.b64encode(dice.randbytes(32)).decode()
            text = f"{ORIGIN}\n{dice.randrange(1, 2 * len(world.entries))}\n{root}\n\n".encode()
            return text + _head_of(self.stock.proofs[7]).partition(b"\n\n")[2]
        return blind(dice, _head_of(self.stock.proofs[7]), [_strange(cosign=True)])

    def _is_true(self, index: int, entry: bytes, size: int, root: bytes) -> bool:
        world = self.stock.world
        return _roots().get(size) == root and index < size and world.entries[index] == entry

    # --- receipts -------------------------------------------------------------------------------------------

    def _hostile_receipt(self, dice: random.Random) -> bytes:
        stock, index = self.stock, dice.choice(INDEXES)
        genuine, others = stock.receipts[index], list(stock.receipts.values())
        fate = dice.random()
        if fate < 0.4:
            return blind(dice, genuine, others)
        if fate < 0.8:
            return member(dice, genuine, others)
        receipt = json.loads(genuine)
        if fate < 0.9:  # a well-formed proof of something else
            data, entry = self._bent_proof(dice, index)
            receipt |= {"proof": data.decode("utf-8", "replace"), "leaf": entry.decode("utf-8", "replace")}
        else:  # the leaf says something else, in good order
            receipt["leaf"] = member(dice, stock.world.entries[index], stock.world.entries).decode("utf-8", "replace")
        return _bytes(receipt)

    def _receipt(self, dice: random.Random) -> bool | None:
        data = self._hostile_receipt(dice)
        if data in self.stock.receipts.values():
            return None
        return self._judge_receipt(data, dice)

    def _judge_receipt(self, data: bytes, dice: random.Random) -> bool | None:
        keys = None if dice.random() < 0.3 else self.stock.keys
        checked = check_receipt(data, dice.choice(self.trusts), self.backend, keys)
        if checked.findings.count or checked.head is None:
            return None
        receipt, head = checked.receipt, checked.head.head
        disclosed = self.stock.world.evidence.get(receipt.proof.index) if receipt.evidence is not None else None
        return self._is_true(receipt.proof.index, receipt.leaf, head.size, head.root) and (
            receipt.evidence is None or (receipt.evidence, receipt.opening) == disclosed
        )

    # --- packs ----------------------------------------------------------------------------------------------

    def _pack(self, dice: random.Random) -> bool | None:
        stock = self.stock
        genuine = dice.choice(stock.packs)
        files = list(genuine.items())
        at = dice.randrange(len(files))
        name, content = files[at]
        others = [other[name] for other in stock.packs if name in other]
        match dice.randrange(9):
            case 0 | 1:
                files[at] = (name, blind(dice, content, others))
            case 2 | 3 | 4:
                files[at] = (name, member(dice, content, others))
            case 5:
                files[at] = (name, dice.choice(others))
            case 6:
                files[at] = (
                    dice.choice([f"items/{dice.randrange(12):06d}.json", "pack.json", "x", name + "/"]),
                    content,
                )
            case 7:
                files.append((name, dice.choice([content, blind(dice, content, others)])))
            case _:
                files[at] = self._item_with_hostile_receipt(dice, name, content)
        if dict(files) == genuine and len(files) == len(genuine):
            return None
        checked = check_pack(Memory(files), dice.choice(self.trusts), self.backend, stock.keys)
        if checked.findings.count or checked.log_head is None:
            return None
        return self._is_part_of_a_pack(dict(files))

    def _is_part_of_a_pack(self, said: dict[str, bytes]) -> bool:
        """A genuine pack, whole or in part. Its `size` is the maker's word, within bounds (docs/spec/packs.md)."""
        for whole in self.stock.packs:
            head, genuine = json.loads(said["pack.json"]), json.loads(whole["pack.json"])
            if head | {"size": 0} == genuine | {"size": 0}:
                items = {name: data for name, data in said.items() if name.startswith("items/")}
                return items.items() <= whole.items()
        return False

    def _item_with_hostile_receipt(self, dice: random.Random, name: str, content: bytes) -> tuple[str, bytes]:
        if not name.startswith("items/"):
            return name, self._hostile_receipt(dice)
        item = json.loads(content)
        item["value"] = self._hostile_receipt(dice).decode("utf-8", "replace")
        return name, encode(item)


def proof_text(index: int, path: list[bytes], checkpoint: bytes) -> bytes:
    """A proof file, in good order whatever it says."""
    lines = [FORMAT, f"index {index}", *(base64.b64encode(item).decode() for item in path)]
    return ("\n".join(lines) + "\n\n").encode() + checkpoint


@cache
def _path(index: int) -> tuple[bytes, ...]:
    return tuple(path_of(index, stock().world.hashes))


@cache
def _strange(cosign: bool) -> bytes:
    return stock().stranger.checkpoint(cosign=cosign)


def _head_of(proof: bytes) -> bytes:
    return proof.partition(b"\n\n")[2]
