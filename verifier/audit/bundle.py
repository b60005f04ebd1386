"""The audit of a bundle in one streaming pass (docs/spec/bundles.md).

Per group of entry bundles: links and tiles are checked here, evidence lines go to the workers, and when their results
come back, in order, the rules are replayed. Memory holds the groups under way and the busy chains, not the log.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from verifier.audit.contents import Top
from verifier.audit.evidence_files import Evidence
from verifier.audit.histories import window_of
from verifier.audit.log_order import Links
from verifier.audit.marks import Marks
from verifier.audit.models import Models
from verifier.audit.planning import Plan
from verifier.audit.request_files import RequestTexts
from verifier.audit.succession import check_log_keys
from verifier.audit.tree import Tree
from verifier.audit.workers import Row, Workers, calm
from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.growing_tree import WIDTH, Growth
from verifier.crypto.backend import select
from verifier.errors import Code, Defect, NotFound, Place, Refuted, printable
from verifier.records.facts import Found
from verifier.records.leaf import Leaf, parse_leaf
from verifier.rules.chain_store import HOT, Shelf
from verifier.rules.findings import Findings
from verifier.rules.replay import Replay
from verifier.rules.reporting import OF_A_MOMENT, Wanted
from verifier.tlog.policy import PolicyHead
from verifier.tlog.tiles import MAX_BUNDLE, split_entries, tile_path
from verifier.tlog.trust import Trust

GROUP = 1_024
"""How many entries travel to a worker at a time, at least."""

Progress = Callable[[int, int], None]
"""Takes entries done and entries in all."""
Ask = Callable[[Plan], list[Wanted]]
"""Which reports are wanted beside those that were issued, given what the bundle defines. May raise CannotCheck."""
Watch = Callable[[int, Leaf, Found | None], None]
"""Is shown every readable entry after it was judged."""


@dataclass(slots=True)
class Options:
    """`jobs` worker processes; `signatures` and `evidence` False leave those checks out, and the audit says so.
    `backend`: see crypto.backend.select. `hot`: chains that are kept in memory, the others lie in temporary files.
    `marks`: roots that another log names of this one's beginning."""

    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    signatures: bool = True
    evidence: bool = True
    backend: str = "auto"
    progress: Progress | None = None
    watch: Watch | None = None
    hot: int = HOT
    ask: Ask | None = None
    marks: Marks | None = None


@dataclass(slots=True)
class Audit:
    """The result: the verified head, if there is one, and what was found."""

    origin: str
    size: int
    level: str
    created: int
    head: PolicyHead | None
    findings: Findings
    backend: str
    start: int = 0

    @property
    def verdict(self) -> Code | None:
        """One code for the whole bundle; None if no verdict can be given (`findings.open`)."""
        # Step 3.4.
        return self.findings.verdict(self.head is not None and self.head.witnessed)


class Auditor:
    """One run over one bundle."""

    def __init__(self, archive: Archive, trust: Trust, options: Options) -> None:
        self.archive, self.trust, self.options = archive, trust, options
        self.findings = Findings()
        self.shelf = Shelf(options.hot)
        self.links = Links(self.findings, self.shelf)
        self.growth = Growth()
        self.start = 0
        self.sound = False
        """Whether all entries were read and nothing signed contradicts their root."""
        self.backend = select(options.backend)
        self.top = top = Top(archive, trust, self.backend, self.findings)
        self.origin, self.size, self.level, self.head = top.origin, top.size, top.level, top.head
        if self.head is not None:
            self.links.latest = window_of(trust.policy, self.head).latest
        self.replay = Replay(
            self.origin,
            self.findings,
            self.shelf,
            self.level == "full",
            trust,
            self.backend,
            self._time_of,
            Models(archive, self.findings).read,
        )
        self.replay.alerts.complete = self.replay.reports.complete = options.evidence
        self.replay.breaks, self.replay.others = self.links.breaks, self.links.others

    # --- the pass -------------------------------------------------------------------------------------------

    def run(self) -> Audit:
        """Read everything; all defects are in the findings. Raises CannotCheck when the question stays open."""
        calm()
        if not self.top.names_are_complete():
            return self._audit()
        workers = Workers(
            self.origin,
            self.options.backend,
            self.options.jobs if self.options.evidence else 1,
            self.options.signatures,
        )
        for key in self.replay.registry.keys.values():
            workers.tell_key(key.kid, key.jwk)
        self._plan()
        tree = Tree(self.archive, self.findings, self.links, self.growth, self.start, self.size, self.options.marks)
        try:
            if self.options.evidence or self.options.watch is not None:
                self._pass(tree, workers)
            else:
                self._tree_only(tree)
        finally:
            workers.close()
        self._finish(tree.finish())
        return self._audit()

    def _plan(self) -> None:
        """The reports that are to be recomputed. What began before the entries that are read is not known."""
        if not self.options.evidence:
            return
        plan, reports = Plan(self.archive, self.size), self.replay.reports
        asked = [] if self.options.ask is None else self.options.ask(plan)
        reports.keep = self.options.ask is not None
        for wanted in (*plan.wanted(), *asked):
            later = wanted.since * 1000 > self.links.time and OF_A_MOMENT.isdisjoint(wanted.definition.measures)
            if not self.start or later:
                reports.plan(wanted)
        reports.asked.update(asked)

    def _audit(self) -> Audit:
        return Audit(
            self.origin,
            self.size,
            self.level,
            self.top.created,
            self.head,
            self.findings,
            self.backend.name,
            self.start,
        )

    def _pass(self, tree: Tree, workers: Workers) -> None:
        told = self.archive, self.findings, self.size, self.start, self.options.evidence
        with closing(Evidence(*told)) as evidence, closing(RequestTexts(*told)) as requests:
            self.requests = requests
            self._read(tree, workers, evidence)
            self._replay(workers, 0)

    def _read(self, tree: Tree, workers: Workers, evidence: Evidence) -> None:
        told = set(self.replay.registry.keys)
        group: list[tuple[int, Leaf | None]] = []
        rows: list[Row] = []
        for first, leaves in tree.bundles(wanted=True):
            for position, leaf in enumerate(leaves, first):
                line = evidence.line_of(position, leaf.kind if leaf is not None else "")
                group.append((position, leaf))
                if leaf is None:
                    rows.append(("", b"", b"", 0, None))
                else:
                    if leaf.kind == "operator":
                        _tell(workers, leaf, told)
                    rows.append((leaf.kind, leaf.chain, leaf.commitment, leaf.time, line))
            if len(group) >= GROUP:
                workers.submit(group, rows)
                group, rows = [], []
                self._replay(workers, workers.window)
        workers.submit(group, rows)

    def _tree_only(self, tree: Tree) -> None:
        for first, leaves in tree.bundles(wanted=False):
            for position, leaf in enumerate(leaves, first):
                if leaf is not None and leaf.kind == "operator":
                    self.replay.add(position, leaf, None)
            if self.options.progress is not None:
                self.options.progress(min(first + WIDTH, self.size), self.size)

    def _replay(self, workers: Workers, keep: int) -> None:
        for group, results in workers.results(keep):
            position = -1
            for (position, leaf), found in zip(group, results, strict=True):
                if leaf is None:
                    self.replay.lose(position)
                    self.requests.see(position, None, readable=False)
                    continue
                if self.options.evidence:
                    self.replay.add(position, leaf, found)
                    if not self.replay.unknown_rules:
                        self.requests.see(position, found)
                elif leaf.kind == "operator":
                    self.replay.add(position, leaf, None)
                if self.options.watch is not None:
                    self.options.watch(position, leaf, found)
            if self.options.progress is not None and position >= 0:
                self.options.progress(position + 1, self.size)

    def _time_of(self, index: int) -> int | None:
        """The time of an entry out of its bundle: a report of the ledger names entries far back."""
        n = index // WIDTH
        width = min(WIDTH, self.size - n * WIDTH)
        try:
            entries = split_entries(self.archive.read(tile_path("entries", n, width), MAX_BUNDLE))
            return parse_leaf(entries[index % WIDTH]).time
        except (Refuted, Unreadable, NotFound, IndexError):
            return None

    def _finish(self, root: bytes) -> None:
        self.findings.checked["entries"] += self.size - self.start
        self.sound = self.head is None or root == self.head.head.root
        # Step 5.6.
        if self.head is not None and not self.sound:
            self.findings.add(
                Defect(
                    Code.BAD_PROOF,
                    "the entries do not give the signed root",
                    Place(file="checkpoint"),
                    printable(self.head.head.root),
                    printable(root),
                )
            )
        if not self.options.signatures:
            self.findings.unchecked["signatures of statements (left out on request)"] += 1
        # Step 4.3.
        named = {f"models/{text}.json" for text in self.replay.registry.orders.models.values()}
        for name in sorted(set(self.top.models) - named):
            sentence = "a model that no model.activated names"
            self.findings.add(Defect(Code.BAD_ENCODING, sentence, Place(file=name)))
        if self.options.evidence:
            self.replay.finish()
        else:
            self.findings.unchecked["evidence and rules (left out on request)"] += 1
        if not self.replay.unknown_rules:
            lost = self.replay.matching.legs.last_lost >= 0  # an unreadable leaf may have been a document
            check_log_keys(
                self.archive,
                self.replay.registry.log_keys,
                None if lost else self.head,
                (self.origin, self.size, root),
                self.findings,
                self.backend,
            )

    def close(self) -> None:
        """Give temporary files back."""
        replay = self.replay
        for held in (
            replay.matching,
            replay.alerts,
            replay.gestures,
            replay.usage,
            replay.sheets,
            self.shelf,
            self.links.map,
        ):
            held.close()


def _tell(workers: Workers, leaf: Leaf, told: set[str]) -> None:
    """Hand a key to the workers as soon as its entry is read; when it was in force is judged by the replay."""
    document = leaf.document or {}
    kid, jwk = document.get("kid"), document.get("jwk")
    if document.get("type") == "key.added" and isinstance(kid, str) and isinstance(jwk, dict) and kid not in told:
        told.add(kid)
        workers.tell_key(kid, jwk)
