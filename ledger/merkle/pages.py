"""The completeness map in pages, so that it need not fit into memory (docs/adr/0014).

Its hashes are those of `ledger.merkle.patricia`: what a branching hashes to depends on the keys below it only, so the map
can be cut anywhere. It is cut after every fourth bit of the key. The page of a prefix, written in hexadecimal digits, is

    bucket   00 ‖ (key ‖ value) …          at most BUCKET keys, rising
    branch   01 ‖ 31 hashes                nodes 1 … 31 of a binary heap: node i has the children 2i and 2i + 1, nodes
                                           16 … 31 are the pages one digit longer; 32 zero bytes where no key is

A node with one child has that child's hash: branchings that do not branch do not exist. Every page that is read is compared
with what the page above says of it, up to the root that the caller trusts; so a changed page is found, never hashed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from ledger.errors import Corrupt, InvalidInput
from ledger.merkle.hashing import EMPTY_ROOT, HASH_SIZE, Hash
from ledger.merkle.patricia import hash_inner, uv

KEY_SIZE: Final = 32
VALUE_SIZE: Final = 40
BUCKET: Final = 8
"""Keys of a bucket; with one more it becomes a branch."""

_DIGIT_BITS: Final = 4
_SLOTS: Final = 1 << _DIGIT_BITS
_NONE: Final = bytes(HASH_SIZE)
_ROW: Final = KEY_SIZE + VALUE_SIZE
_LEAF_HEAD: Final = b"\x00" + uv(KEY_SIZE)  # `hash_leaf` for these sizes, without a call
_VALUE_HEAD: Final = uv(VALUE_SIZE)
_BUCKET_TAG: Final = b"\x00"
_BRANCH_TAG: Final = b"\x01"
_BRANCH_SIZE: Final = 1 + (2 * _SLOTS - 1) * HASH_SIZE

ReadPages = Callable[[Iterable[str]], Mapping[str, bytes]]
"""Those of the pages of these prefixes that exist."""

KEPT_DIGITS: Final = 2
"""Branches of prefixes up to so long are worth keeping: 273 of them, half a megabyte, are on everybody's way down."""


class KeptBranches(Protocol):
    """Branches that were read, by prefix and hash. What has that hash is the branch, whoever changed the page since."""

    def get(self, key: tuple[str, Hash]) -> list[Hash] | None:
        """Its nodes, which nobody changes."""
        ...

    def put(self, key: tuple[str, Hash], value: list[Hash]) -> None:
        """Keep its nodes; all of them were compared with that hash."""
        ...


class Found(NamedTuple):
    """What the map says of a key, with the proof (docs/spec/log.md)."""

    value: bytes | None
    proof: bytes


class Update(NamedTuple):
    """What setting values leads to."""

    pages: dict[str, bytes]
    """The pages to be stored, by prefix."""
    replaced: dict[bytes, bytes]
    """The earlier values of those keys that had one."""


class _Visit(NamedTuple):
    """A branch page on the way down: where it is, its nodes, and the digits below it that change."""

    prefix: str
    nodes: list[Hash]
    digits: list[int]


class PagedMap:
    """The map under a trusted `root`, read page by page. 32-byte keys, 40-byte values."""

    def __init__(self, root: Hash, read: ReadPages) -> None:
        self.root = root
        self._read = read

    def update(self, values: Mapping[bytes, bytes]) -> Update:
        """Set all `values`; `root` is then the new one. One read for each level of pages.

        Raises Corrupt for a page that is missing or not the one its parent names; InvalidInput for sizes.
        """
        if any(len(key) != KEY_SIZE or len(value) != VALUE_SIZE for key, value in values.items()):
            raise InvalidInput(f"the map holds keys of {KEY_SIZE} and values of {VALUE_SIZE} bytes")
        stored: dict[str, bytes] = {}
        replaced: dict[bytes, bytes] = {}
        if not values:
            return Update(stored, replaced)
        hashes: dict[str, Hash] = {}
        visits: list[_Visit] = []
        todo = {"": (_below(self.root), sorted(values))}
        while todo:
            pages = self._read([prefix for prefix, (expected, _) in todo.items() if expected != _NONE])
            following: dict[str, tuple[Hash, list[bytes]]] = {}
            for prefix, (expected, keys) in todo.items():
                page = _BUCKET_TAG if expected == _NONE else _existing(pages, prefix)
                if page[:1] == _BUCKET_TAG:
                    known = _read_bucket(prefix, page, expected)
                    replaced.update((key, known[key]) for key in keys if key in known)
                    known.update((key, values[key]) for key in keys)
                    hashes[prefix] = _lay_out(prefix, known, stored)
                else:
                    visit = _open_branch(prefix, page, expected, keys)
                    visits.append(visit)
                    for digit, group in _grouped(keys, len(prefix)):
                        following[f"{prefix}{digit:x}"] = (visit.nodes[_SLOTS + digit], group)
            todo = following
        for prefix, nodes, digits in reversed(visits):
            for digit in digits:
                nodes[_SLOTS + digit] = hashes[f"{prefix}{digit:x}"]
            for node in _above(digits):
                nodes[node] = _join(prefix, node, nodes)
            hashes[prefix] = nodes[1]
            stored[prefix] = _BRANCH_TAG + b"".join(nodes[1:])
        self.root = hashes[""]
        return Update(stored, replaced)

    def find(self, key: bytes) -> Found:
        """The value of `key`, or None, with the proof of its presence or absence. Raises Corrupt, InvalidInput."""
        if len(key) != KEY_SIZE:
            raise InvalidInput(f"the map holds keys of {KEY_SIZE} bytes")
        if self.root == EMPTY_ROOT:
            return Found(None, b"")
        prefix, expected = "", self.root
        steps: list[bytes] = []  # from the root down; each is uv(bit) and the sibling's hash
        while (page := _existing(self._read([prefix]), prefix))[:1] != _BUCKET_TAG:
            nodes = _open_branch(prefix, page, expected, [])[1]
            node = 1
            while node < _SLOTS:
                left, right = nodes[2 * node], nodes[2 * node + 1]
                side = int(left == _NONE)
                if _NONE not in (left, right):
                    if hash_inner(_bit(prefix, node), left, right) != nodes[node]:
                        raise _damaged(prefix)
                    side = _bit_of(key, _bit(prefix, node))
                    steps.append(uv(_bit(prefix, node)) + (left if side else right))
                node = 2 * node + side
            prefix, expected = f"{prefix}{node - _SLOTS:x}", nodes[node]
        rows = sorted(_read_bucket(prefix, page, expected).items())
        while len(rows) > 1:
            bit, middle = _parting(rows)
            sides = rows[:middle], rows[middle:]
            side = _bit_of(key, bit)
            steps.append(uv(bit) + _fold(sides[1 - side]))
            rows = sides[side]
        [(found, value)] = rows
        shown = b"" if found == key else uv(KEY_SIZE) + found + uv(VALUE_SIZE) + value
        return Found(value if found == key else None, shown + b"".join(reversed(steps)))

    def values(self, keys: Collection[bytes], kept: KeptBranches) -> dict[bytes, bytes]:
        """The value of each of these keys, be8(0) ‖ zeros for one that the map does not hold. One read for each level of pages
        that has some that are not `kept`.

        Raises Corrupt.
        """
        found = dict.fromkeys(keys, bytes(VALUE_SIZE))
        todo = {"": (self.root, sorted(found))} if found and self.root != EMPTY_ROOT else {}
        while todo:
            known = {prefix: kept.get((prefix, expected)) for prefix, (expected, _) in todo.items()}
            unread = [prefix for prefix, nodes in known.items() if nodes is None]
            pages = self._read(unread) if unread else {}
            following: dict[str, tuple[Hash, list[bytes]]] = {}
            for prefix, (expected, wanted) in todo.items():
                nodes = known[prefix]
                if nodes is None:
                    page = _existing(pages, prefix)
                    if page[:1] == _BUCKET_TAG:
                        rows = _read_bucket(prefix, page, expected)
                        found.update((key, rows[key]) for key in wanted if key in rows)
                        continue
                    nodes = _kept_branch(prefix, page, expected, wanted, kept)
                for digit, group in _grouped(wanted, len(prefix)):
                    if nodes[_SLOTS + digit] != _NONE:
                        following[f"{prefix}{digit:x}"] = (nodes[_SLOTS + digit], group)
            todo = following
        return found

    def check(self) -> int:
        """Read all pages and compare each with its parent; how many keys there are. Raises Corrupt."""
        if self.root == EMPTY_ROOT:
            return 0
        count = 0
        waiting = [("", self.root)]
        while waiting:
            part, waiting = waiting[-256:], waiting[:-256]
            pages = self._read([prefix for prefix, _ in part])
            for prefix, expected in part:
                page = _existing(pages, prefix)
                if page[:1] == _BUCKET_TAG:
                    count += len(_read_bucket(prefix, page, expected))
                    continue
                nodes = _open_branch(prefix, page, expected, [])[1]
                if any(_join(prefix, node, nodes) != nodes[node] for node in range(1, _SLOTS)):
                    raise _damaged(prefix)
                below = ((f"{prefix}{slot:x}", nodes[_SLOTS + slot]) for slot in range(_SLOTS))
                waiting += [(child, named) for child, named in below if named != _NONE]
        return count


def _below(root: Hash) -> Hash:
    return _NONE if root == EMPTY_ROOT else root


def _existing(pages: Mapping[str, bytes], prefix: str) -> bytes:
    page = pages.get(prefix)
    if not page:
        raise Corrupt(f"page {prefix!r} of the completeness map is missing; {REPAIR}")
    return page


REPAIR: Final = (
    "nothing was signed over it. Run «consent-ledger rebuild-map», which makes the map again from the entries"
)


def _damaged(prefix: str) -> Corrupt:
    return Corrupt(f"page {prefix!r} of the completeness map is not the one that its parent names; {REPAIR}")


def _read_bucket(prefix: str, page: bytes, expected: Hash) -> dict[bytes, bytes]:
    rows = {page[at : at + KEY_SIZE]: page[at + KEY_SIZE : at + _ROW] for at in range(1, len(page), _ROW)}
    if len(page) % _ROW != 1 or (_fold(sorted(rows.items())) if rows else _NONE) != expected:
        raise _damaged(prefix)
    return rows


def _open_branch(prefix: str, page: bytes, expected: Hash, keys: list[bytes]) -> _Visit:
    """The nodes of a branch page; those above the slots of `keys` are recomputed first, since they will be replaced."""
    if len(page) != _BRANCH_SIZE or page[:1] != _BRANCH_TAG:
        raise _damaged(prefix)
    nodes = [_NONE, *(page[at : at + HASH_SIZE] for at in range(1, _BRANCH_SIZE, HASH_SIZE))]
    digits = [digit for digit, _ in _grouped(keys, len(prefix))]
    if nodes[1] != expected or any(_join(prefix, node, nodes) != nodes[node] for node in _above(digits)):
        raise _damaged(prefix)
    return _Visit(prefix, nodes, digits)


def _kept_branch(prefix: str, page: bytes, expected: Hash, wanted: list[bytes], kept: KeptBranches) -> list[Hash]:
    """The nodes of a branch page; they are kept where many ways lead through it, and then all of them are compared."""
    nodes = _open_branch(prefix, page, expected, wanted).nodes
    if len(prefix) <= KEPT_DIGITS:
        if any(_join(prefix, node, nodes) != nodes[node] for node in range(1, _SLOTS)):
            raise _damaged(prefix)
        kept.put((prefix, expected), nodes)
    return nodes


def _lay_out(prefix: str, rows: Mapping[bytes, bytes], stored: dict[str, bytes]) -> Hash:
    """Store these keys as one bucket, or as a branch with pages below; the hash over them."""
    ordered = sorted(rows)
    if len(ordered) <= BUCKET:
        stored[prefix] = _BUCKET_TAG + b"".join(key + rows[key] for key in ordered)
        return _fold([(key, rows[key]) for key in ordered])
    nodes = [_NONE] * (2 * _SLOTS)
    for digit, keys in _grouped(ordered, len(prefix)):
        nodes[_SLOTS + digit] = _lay_out(f"{prefix}{digit:x}", {key: rows[key] for key in keys}, stored)
    for node in range(_SLOTS - 1, 0, -1):
        nodes[node] = _join(prefix, node, nodes)
    stored[prefix] = _BRANCH_TAG + b"".join(nodes[1:])
    return nodes[1]


def _fold(rows: list[tuple[bytes, bytes]]) -> Hash:
    """The hash over these (key, value), sorted, at least one."""
    if len(rows) == 1:
        key, value = rows[0]
        return sha256(_LEAF_HEAD + key + _VALUE_HEAD + value).digest()
    bit, middle = _parting(rows)
    return hash_inner(bit, _fold(rows[:middle]), _fold(rows[middle:]))


def _parting(rows: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    """The first bit in which these sorted keys differ, and the position of the first key that has it set."""
    bit = 8 * KEY_SIZE - (int.from_bytes(rows[0][0], "big") ^ int.from_bytes(rows[-1][0], "big")).bit_length()
    at, mask = bit >> 3, 0x80 >> (bit & 7)
    middle = 1
    while not rows[middle][0][at] & mask:
        middle += 1
    return bit, middle


def _grouped(keys: Iterable[bytes], depth: int) -> Iterator[tuple[int, list[bytes]]]:
    """Sorted keys by their hexadecimal digit number `depth`."""
    groups: dict[int, list[bytes]] = {}
    for key in keys:
        byte = key[depth >> 1]
        groups.setdefault(byte & 15 if depth & 1 else byte >> 4, []).append(key)
    return iter(groups.items())


def _above(digits: Iterable[int]) -> list[int]:
    """The nodes of a branch page above these slots, each after its children."""
    nodes: set[int] = set()
    for digit in digits:
        node = (_SLOTS + digit) >> 1
        while node and node not in nodes:
            nodes.add(node)
            node >>= 1
    return sorted(nodes, reverse=True)


def _join(prefix: str, node: int, nodes: list[Hash]) -> Hash:
    left, right = nodes[2 * node], nodes[2 * node + 1]
    if left == _NONE:
        return right
    return left if right == _NONE else hash_inner(_bit(prefix, node), left, right)


def _bit(prefix: str, node: int) -> int:
    return _DIGIT_BITS * len(prefix) + node.bit_length() - 1


def _bit_of(key: bytes, bit: int) -> int:
    return key[bit >> 3] >> (7 - (bit & 7)) & 1
