"""The order of the log, leaf by leaf: index, hash chain, chain links, time, tree hash, completeness map.

After a defect the walk takes up again what the leaf itself says, so that one root cause is one defect and the next
independent one is still found. A leaf has up to two acceptable hashes: the one of its bytes, and the one that the
(published) tile names, if its bytes were damaged: either continues the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from verifier.audit.histories import TOO_YOUNG
from verifier.bytes.patricia import Map
from verifier.errors import Code, Defect, OtherVersion, Place, Refuted, printable
from verifier.records.leaf import ZERO, Columns, Leaf, parse_leaf, raw_of, text_of
from verifier.rules.chain_store import Chain, Shelf
from verifier.rules.findings import DAY_MS, Findings

NODES = 10
"""Nodes of the map in memory for each chain there: they are that much smaller."""


class Links:
    """Feed every entry in order to `add`."""

    def __init__(self, findings: Findings, shelf: Shelf) -> None:
        self.findings, self.shelf = findings, shelf
        self.previous: tuple[bytes, ...] = (ZERO,)
        self.time = 0
        self.latest: int | None = None
        """The latest time (ms) that the checkpoint's cosignatures allow; None: they say nothing, or one entry was told."""
        self.lost = 0  # entries that could not be read
        self._shift = 0
        self._suspected = (-1, 0)  # the last leaf whose index is not its place: where it stood, and by how much
        self._second_names: dict[bytes, bytes] = {}  # hash of damaged bytes -> hash the tile names
        self._unreadable: dict[bytes, int] = {}
        self.breaks: set[int] = set()
        """Entries before which their chain has one that could not be read: its state is unknown from here on. Told to the
        replay by index, for this walk runs ahead of it."""
        self.others: set[int] = set()
        """Leaves of a version that this verifier cannot read: the rules of the log after them are not known."""
        self.map = Map(NODES * shelf.limit)
        self._touched: dict[bytes, tuple[int, bytes]] = {}
        # What the map cannot be held against: unreadable entries whose chain nobody has named yet, chains whose last
        # leaf has two hashes.
        self._unplaced: set[int] = set()
        self._doubtful: set[bytes] = set()

    def add(self, position: int, entry: bytes, in_tile: bytes | None) -> tuple[Leaf | None, bytes]:
        """Check the entry at `position`; `in_tile` is the (raw) hash that its tile names, if there is one.
        The leaf, None if unreadable, and the raw leaf hash."""
        raw = sha256(b"\0" + entry).digest()
        text = text_of(raw)
        names: tuple[bytes, ...] = (text,)
        # Step 5.3.
        if in_tile is not None and in_tile != raw:
            names = (text, text_of(in_tile))
            self._second_names[text] = names[1]
            self._bad(position, Code.BAD_PROOF, "the entry is not the one of the tree", "", names[1], text)
        try:
            # Step 5.4.
            leaf = parse_leaf(entry)
        except OtherVersion as refusal:
            if in_tile == raw:  # the log has it so: only this verifier cannot read it
                self.findings.postpone(position, refusal.defect.sentence, refusal.defect.found)
                self.others.add(position)
            else:
                self.findings.refuse(refusal, index=position)
            self._lose(position, names)
            return None, raw
        except Refuted as refusal:
            self.findings.refuse(refusal, index=position)
            self._lose(position, names)
            return None, raw
        chain = self.shelf.get(leaf.chain) if leaf.chain else None
        wrong = [] if self._fits(position, leaf, chain) else self._wrong(position, leaf, chain)
        if leaf.number == position:
            self._shift = 0
        if wrong and len(names) == 2:
            # Neither the tree nor its neighbours know this leaf: it is not the log's, and nothing in it counts.
            self._lose(position, names)
            return None, raw
        for defect in wrong:
            self.findings.add(defect)
        self.previous = names
        self.time = leaf.time
        self._hold_to_witnesses(position, leaf)
        if leaf.kind == "index-head":
            self._check_map(position, leaf)
        else:
            self._take(leaf, chain, text, raw)
            if len(names) == 2:
                self._doubtful.add(leaf.chain)
            else:
                self._doubtful.discard(leaf.chain)
        self.findings.kinds[leaf.kind] += 1
        self.findings.days[leaf.time // DAY_MS] += 1
        return leaf, raw

    def _hold_to_witnesses(self, position: int, leaf: Leaf) -> None:
        """Step 6.3: times only rise, so the first entry that is too young is told for all."""
        if self.latest is not None and leaf.time > self.latest:
            self._bad(position, Code.TIME_INVALID, TOO_YOUNG, "time", f"at most {self.latest}", leaf.time)
            self.latest = None

    def add_all(self, first: int, leaves: Columns) -> bool:
        """As `add` for each leaf of a bundle whose hashes are those of its tile. False, and nothing was done, unless
        they follow each other and what came before: then they must be added one by one."""
        times = leaves.times
        if (
            self._shift
            or leaves.prevs[0] not in self.previous
            or list(leaves.prevs[1:]) != leaves.texts[:-1]
            or times[0] < self.time
            or times != sorted(times)
            or (self.latest is not None and times[-1] > self.latest)
        ):
            return False
        get, put, touched = self.shelf.get, self.shelf.put, self._touched
        rows = zip(leaves.chains, leaves.befores, leaves.seqs, leaves.texts, leaves.raws, strict=True)
        for position, (name, before, seq, text, raw) in enumerate(rows, first):
            chain = get(name)
            if chain is not None and seq == chain.seq + 1 and before == chain.head:
                chain.seq, chain.head = seq, text
            elif chain is None and seq == 0 and before == ZERO:
                put(name, Chain(0, text))
            else:
                leaf = leaves.leaves(first)[position - first]
                for defect in self._check_chain(position, leaf, chain):
                    self.findings.add(defect)
                self._take(leaf, chain, text, raw)
            touched[name] = (seq, raw)
        if len(touched) > self.shelf.limit:
            self._settle()
        self._doubtful.difference_update(leaves.chains)
        self.previous, self.time = (leaves.texts[-1],), times[-1]
        self.findings.kinds.update(leaves.kinds)
        self.findings.days.update([time // DAY_MS for time in times])
        return True

    def _lose(self, position: int, names: tuple[bytes, ...]) -> None:
        """An entry that is missing or cannot be read: a leaf that names it is believed to link to it."""
        self.lost += 1
        self._unplaced.add(position)
        self._unreadable.update(dict.fromkeys(names, position))
        self.previous = names

    def skip(self, position: int, in_tile: bytes | None) -> None:
        """The entry at `position` is missing (reported for its file); a leaf that names it is believed to link to
        it."""
        self._lose(position, () if in_tile is None else (text_of(in_tile),))

    def _fits(self, position: int, leaf: Leaf, chain: Chain | None) -> bool:
        """The usual case, decided quickly: nothing is wrong."""
        if leaf.number != position or leaf.prev not in self.previous or leaf.time < self.time:
            return False
        if chain is None:
            return leaf.kind == "index-head" or (leaf.seq == 0 and leaf.prev_in_chain == ZERO)
        return leaf.seq == chain.seq + 1 and leaf.prev_in_chain == chain.head

    def _wrong(self, position: int, leaf: Leaf, chain: Chain | None) -> list[Defect]:
        return [*self._check_order(position, leaf), *self._check_chain(position, leaf, chain)]

    def _check_order(self, position: int, leaf: Leaf) -> Iterator[Defect]:
        # Step 6.1.
        shift = leaf.number - position
        if shift not in (0, self._shift):
            if (position - 1, shift) == self._suspected:  # the whole rest of the log is shifted: said once
                self._shift = shift
            else:
                yield _defect(
                    position,
                    Code.BAD_CHAIN,
                    "the leaf has another index than its place",
                    "index",
                    position + self._shift,
                    leaf.number,
                )
            self._suspected = position, shift
        # Step 6.2.
        if self.previous and leaf.prev not in self.previous:
            yield _defect(
                position,
                Code.BAD_CHAIN,
                "the leaf does not name the hash of the one before it",
                "prev",
                self.previous[0],
                leaf.prev,
            )
        # Step 6.3.
        if leaf.time < self.time:
            yield _defect(
                position, Code.TIME_INVALID, "the time runs backwards", "time", f"at least {self.time}", leaf.time
            )

    def _check_chain(self, position: int, leaf: Leaf, chain: Chain | None) -> Iterator[Defect]:
        if leaf.kind == "index-head":
            return
        # Step 6.4.
        seq, head = (0, ZERO) if chain is None else (chain.seq + 1, chain.head)
        if leaf.seq == seq and leaf.prev_in_chain in (head, self._second_names.get(head)):
            return
        if leaf.prev_in_chain in self._unreadable:
            # The link leads to a leaf that could not be read: reported there, and its act is unknown. Now its chain is known.
            self.breaks.add(position)
            self._unplaced.discard(self._unreadable[leaf.prev_in_chain])
        elif leaf.seq != seq:
            yield _defect(position, Code.BAD_CHAIN, "the chain has a gap or a repetition", "seq", seq, leaf.seq)
        else:
            yield _defect(
                position,
                Code.BAD_CHAIN,
                "the leaf does not name the hash of its chain's last leaf",
                "prev_in_chain",
                head,
                leaf.prev_in_chain,
            )

    def _take(self, leaf: Leaf, chain: Chain | None, text: bytes, raw: bytes) -> None:
        if chain is None:
            # A chain whose first leaf is not number 0 has a beginning that nobody can replay.
            self.shelf.put(leaf.chain, Chain(leaf.seq, text, known=leaf.seq == 0))
        else:
            chain.seq, chain.head = leaf.seq, text
        self._touched[leaf.chain] = (leaf.seq, raw)
        if len(self._touched) > self.shelf.limit:
            self._settle()

    def _settle(self) -> None:
        """Take what was touched into the map."""
        for key, (seq, raw) in self._touched.items():
            self.map.put(raw_of(key), (seq + 1).to_bytes(8) + raw)
        self._touched.clear()

    def _check_map(self, position: int, leaf: Leaf) -> None:
        # Step 6.5.
        if leaf.map_size != leaf.number:
            self._bad(
                position,
                Code.INCOMPLETE,
                "the index-head does not cover all leaves before it",
                "map_size",
                leaf.number,
                leaf.map_size,
            )
        self._settle()
        # Step 6.6. Each map root is held against the leaves themselves: one that is wrong says nothing of the next.
        root = text_of(self.map.root())
        if root == leaf.map_root:
            self.findings.checked["completeness maps"] += 1
        elif self._unplaced or self._doubtful:
            self.findings.unchecked["index-heads after a damaged entry"] += 1
        else:
            self._bad(
                position,
                Code.BAD_PROOF,
                "the completeness map is not that of the leaves before it",
                "map_root",
                root,
                leaf.map_root,
            )

    def restore_map(self, chains: Iterable[tuple[bytes, Chain]]) -> None:
        """Build the map from the chains of an earlier run."""
        for name, chain in chains:
            self.map.put(raw_of(name), (chain.seq + 1).to_bytes(8) + raw_of(chain.head))

    def _bad(self, index: int, code: Code, sentence: str, field: str, expected: object, found: object) -> None:
        self.findings.add(_defect(index, code, sentence, field, expected, found))


def _defect(index: int, code: Code, sentence: str, field: str, expected: object, found: object) -> Defect:
    return Defect(code, sentence, Place(index, field=field or None), _text(expected), _text(found))


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else printable(value)
