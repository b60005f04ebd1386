"""How much work a pattern of Python's `re` can be made to do: whether some input can be read in ever more ways.

A backtracking matcher tries each way of reading an input before it gives up. A pattern is *exponential* when a part of the
input can be read in two ways, again and again; *polynomial* when two neighbouring repetitions can share a run of characters
in as many ways as it is long; else *linear*. This is decided on the pattern's automaton, not by a clock (Weber and Seidl, On
the degree of ambiguity of finite automata, 1991): exponential when a state reaches itself by two different paths that read
the same word; polynomial when for two states p, q one word leads from p to p, from p to q and from q to q.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from re import _constants as names  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

COPIES: Final = 12
"""Repetitions written out; beyond, a repetition counts as endless, which can only make a pattern look worse."""
SAMPLES: Final = "\x00\t\n 09AZaz_-.~\x7f\x85\xa0\xe9\u0660\u4e2d\uffff"


class CannotJudge(Exception):
    """The pattern uses what this analysis does not know."""


@dataclass
class _Automaton:
    """States, with steps that read one of a set of characters and steps that read nothing."""

    alphabet: list[str]
    empty: list[list[int]] = field(default_factory=list)
    reads: list[tuple[frozenset[int], int] | None] = field(default_factory=list)
    inner: list[Any] = field(default_factory=list)
    """What stands in assertions: matchers of their own."""

    def state(self) -> int:
        self.empty.append([])
        self.reads.append(None)
        return len(self.empty) - 1

    def build(self, tree: Iterable[tuple[Any, Any]], at: int) -> int:
        """Add a sequence from state `at`; the state where it ends."""
        for operator, argument in tree:
            at = self._add(operator, argument, at)
        return at

    def _add(self, operator: Any, argument: Any, at: int) -> int:
        match operator:
            case names.LITERAL | names.NOT_LITERAL | names.ANY | names.IN:
                end = self.state()
                self.reads[at] = (self._set(operator, argument), end)
                after = self.state()
                self.empty[end].append(after)
                return after
            case names.BRANCH:
                end = self.state()
                for branch in argument[1]:
                    begin = self.state()
                    self.empty[at].append(begin)
                    self.empty[self.build(branch, begin)].append(end)
                return end
            case names.SUBPATTERN:
                return self.build(argument[3], at)
            case names.MAX_REPEAT | names.MIN_REPEAT:
                return self._repeat(*argument, at)
            case names.AT:
                return at
            case names.ASSERT | names.ASSERT_NOT:
                self.inner.append(argument[1])
                return at
            case _:
                raise CannotJudge(str(operator))

    def _repeat(self, least: int, most: Any, tree: Any, at: int) -> int:
        for _ in range(min(least, COPIES)):
            at = self.build(tree, self._after(at))
        if least == most and least <= COPIES:
            return at
        end = self.state()
        if most is names.MAXREPEAT or most > COPIES:
            loop, begin = self.state(), self.state()
            self.empty[at].append(loop)
            self.empty[loop] += [begin, end]
            self.empty[self.build(tree, begin)].append(loop)
            return end
        for _ in range(most - least):
            self.empty[at].append(end)
            at = self.build(tree, self._after(at))
        self.empty[at].append(end)
        return end

    def _after(self, at: int) -> int:
        """A fresh state behind `at`: a state that reads has one step only."""
        fresh = self.state()
        self.empty[at].append(fresh)
        return fresh

    def _set(self, operator: Any, argument: Any) -> frozenset[int]:
        if operator is names.LITERAL:
            return frozenset(n for n, char in enumerate(self.alphabet) if ord(char) == argument)
        if operator is names.NOT_LITERAL:
            return frozenset(n for n, char in enumerate(self.alphabet) if ord(char) != argument)
        if operator is names.ANY:
            return frozenset(range(len(self.alphabet)))
        return frozenset(n for n, char in enumerate(self.alphabet) if _is_in(ord(char), argument))


def _is_in(code: int, members: list[tuple[Any, Any]]) -> bool:
    negated = bool(members) and members[0][0] is names.NEGATE
    found = False
    for operator, argument in members:
        match operator:
            case names.NEGATE:
                continue
            case names.LITERAL:
                found |= code == argument
            case names.RANGE:
                found |= argument[0] <= code <= argument[1]
            case names.CATEGORY:
                found |= re.fullmatch(_CATEGORIES[argument], chr(code)) is not None
            case _:
                raise CannotJudge(str(operator))
    return found != negated


_CATEGORIES: Final = {
    names.CATEGORY_DIGIT: r"\d",
    names.CATEGORY_NOT_DIGIT: r"\D",
    names.CATEGORY_SPACE: r"\s",
    names.CATEGORY_NOT_SPACE: r"\S",
    names.CATEGORY_WORD: r"\w",
    names.CATEGORY_NOT_WORD: r"\W",
}


def _alphabet(tree: Any) -> list[str]:
    """One character of each kind that the pattern can tell apart, and some more."""
    codes = {ord(char) for char in SAMPLES}

    def visit(node: Any) -> None:
        if isinstance(node, tuple) and len(node) == 2:
            operator, argument = node
            if operator in (names.LITERAL, names.NOT_LITERAL):
                codes.update((argument, argument + 1))
            elif operator is names.RANGE:
                codes.update((argument[0], argument[1], argument[1] + 1, max(argument[0] - 1, 0)))
        if isinstance(node, tuple | list | parser.SubPattern):
            for part in node:
                visit(part)

    visit(tree)
    return [chr(code) for code in sorted(codes) if code < 0x110000]


def judge(pattern: str | bytes, flags: int = 0, *, searched: bool = False) -> str:
    """`linear`, `polynomial` or `exponential`; `searched`: it may begin anywhere. Raises CannotJudge."""
    if isinstance(pattern, bytes):
        pattern = pattern.decode("latin-1")
    if flags & (re.IGNORECASE | re.LOCALE):
        raise CannotJudge("letters of either case")
    tree = parser.parse(pattern, flags & ~re.DEBUG)
    return max((_judge(one, searched=searched) for one in _parts(tree)), key=_ORDER.index)


_ORDER: Final = ["linear", "polynomial", "exponential"]


def _parts(tree: Any) -> list[Any]:
    """The pattern and what stands in its assertions, each a matcher of its own."""
    automaton = _Automaton(_alphabet(tree))
    automaton.build(tree, automaton.state())
    return [tree, *(part for inner in automaton.inner for part in _parts(inner))]


def _judge(tree: Any, *, searched: bool) -> str:
    automaton = _Automaton(_alphabet(tree))
    begin = automaton.state()
    if searched:
        begin = automaton.build([(names.MAX_REPEAT, (0, names.MAXREPEAT, [(names.ANY, None)]))], begin)
        begin = automaton._after(begin)
    automaton.build(tree, begin)
    steps, doubled = _steps(automaton)
    component = _components({state: {to for _, to in targets} for state, targets in steps.items()})
    if any(component[a] == component[b] for a, b in doubled):
        return "exponential"
    pairs = _components(_pairs(steps))
    meeting = {number for (p, q), number in pairs.items() if p == q}
    if any(p != q and number in meeting for (p, q), number in pairs.items()):
        return "exponential"
    return "polynomial" if _shares_a_run(steps, component) else "linear"


Steps = dict[int, list[tuple[frozenset[int], int]]]


def _steps(automaton: _Automaton) -> tuple[Steps, set[tuple[int, int]]]:
    """Between states that read: the characters read, and the next such state; and which of these steps there are twice."""
    doubled: set[tuple[int, int]] = set()

    def onward(state: int, seen: tuple[int, ...]) -> list[int]:
        if state in seen:  # round and round without reading: as many ways as one likes
            return [-1]
        found = [state] if automaton.reads[state] is not None else []
        for following in automaton.empty[state]:
            found += onward(following, (*seen, state))
        return found

    steps: Steps = {}
    for state, reading in enumerate(automaton.reads):
        if reading is None:
            continue
        characters, end = reading
        targets = onward(end, ())
        if -1 in targets:
            doubled.add((state, state))
        doubled |= {(state, to) for to in targets if to >= 0 and targets.count(to) > 1}
        steps[state] = [(characters, to) for to in sorted(set(targets) - {-1})]
    return steps, doubled


def _pairs(steps: Steps) -> dict[tuple[int, int], set[tuple[int, int]]]:
    graph: dict[tuple[int, int], set[tuple[int, int]]] = {}
    todo = [(state, state) for state in steps]
    while todo:
        p, q = pair = todo.pop()
        if pair in graph:
            continue
        graph[pair] = {(a, b) for mine, a in steps[p] for theirs, b in steps[q] if mine & theirs}
        todo += graph[pair]
    return graph


def _shares_a_run(steps: Steps, component: dict[int, int]) -> bool:
    size: dict[int, int] = {}
    for number in component.values():
        size[number] = size.get(number, 0) + 1
    looping = [s for s in steps if size[component[s]] > 1 or any(to == s for _, to in steps[s])]
    return any(_triple(p, q, steps, component) for p in looping for q in looping if p != q)


def _triple(p: int, q: int, steps: Steps, component: dict[int, int]) -> bool:
    seen: set[tuple[int, int, int]] = set()
    todo = [(p, p, q)]
    while todo:
        a, b, c = triple = todo.pop()
        if triple in seen:
            continue
        seen.add(triple)
        for read_a, next_a in steps[a]:
            if component[next_a] != component[p]:
                continue
            for read_c, next_c in steps[c]:
                both = read_a & read_c
                if component[next_c] != component[q] or not both:
                    continue
                for read_b, next_b in steps[b]:
                    if both & read_b:
                        if (next_a, next_b, next_c) == (p, q, q):
                            return True
                        todo.append((next_a, next_b, next_c))
    return False


def _components(graph: dict[Any, Any]) -> dict[Any, int]:
    """The strongly connected component of each node (Tarjan, without recursion)."""
    index: dict[Any, int] = {}
    low: dict[Any, int] = {}
    component: dict[Any, int] = {}
    stack: list[Any] = []
    for root, first in graph.items():
        if root in index:
            continue
        work = [(root, iter(first))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, following = work[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    work.append((other, iter(graph[other])))
                    break
                if other not in component:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    while True:
                        member = stack.pop()
                        component[member] = index[node]
                        if member == node:
                            break
    return component
