"""A model of two nodes, a server with a synchronous standby, the confirmed horizon, high water, erasure and the key store; and
a search of all its states, breadth first, so that the trace to a broken promise is a shortest one.

It knows nothing of the ledger's code: it is written from docs/spec/log.md. A batch is a request or an erasure of its chain; a
log is the sequence of its batches, whose place is their index and whose prefix is a checkpoint. A batch is named after
its request and the try that wrote it, since each try signs another leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

Batch = tuple[int, int]
"""(request, number of the try). Requests from ERASE on are erasures of the chain of request − ERASE."""
Log = tuple[Batch, ...]
ERASE: Final = 8
Trace = tuple[Any, ...]
"""A name and the trace before it; empty at the beginning."""


class Node(NamedTuple):
    """A sequencer, with its high-water file."""

    alive: bool = True
    high: Log = ()
    """The checkpoint in its file."""
    known: int = 0
    """How far this process knows the log to be confirmed."""
    busy: int = -1
    """The request it works on; −1: none."""


class State(NamedTuple):
    """All there is."""

    primary: Log = ()
    """What the primary shows."""
    confirmed: int = 0
    """The head row's word, as written by the last commit."""
    waiting: tuple[int, Batch | None, int] | None = None
    """(node, batch or None for a commit that only confirms, what it writes as `confirmed`): it waits for the standby."""
    up: bool = True
    standby: tuple[Log, int] | None = ((), 0)
    streams: bool = True
    nodes: tuple[Node, ...] = (Node(), Node())
    acknowledged: frozenset[tuple[int, int]] = frozenset()
    """(request, index)."""
    shown: frozenset[Log] = frozenset()
    """Checkpoints that left a node."""
    tries: tuple[int, ...] = ()
    keys: frozenset[int] = frozenset()
    """Chains whose data key is in the primary's key store."""
    standby_keys: frozenset[int] = frozenset()
    destroyed: frozenset[int] = frozenset()
    left: tuple[int, int, int, int] = (0, 0, 0, 0)
    """How many crashes of the server, cancelled waits, kills of a node and restores of an old database there may still be."""
    backup: tuple[Log, int] | None = None
    newest: tuple[Log, int] | None = None
    """What was taken away when an older database was brought back."""


@dataclass(frozen=True)
class Rules:
    """What the ledger does; each can be taken away."""

    confirmed_reads: bool = True
    confirms_finds: bool = True
    heeds_warnings: bool = True
    high_water: bool = True
    looks_for_repeats: bool = True
    remakes_no_key: bool = True
    requests: int = 2
    erasures: int = 0
    crashes: int = 2
    cancels: int = 1
    kills: int = 1
    restores: int = 0
    tries: int = 2

    def first(self) -> State:
        """Before anything happened."""
        left = (self.crashes, self.cancels, self.kills, self.restores)
        return State(tries=(0,) * (self.requests + self.erasures), left=left)


Step = tuple[str, State]


def number(rules: Rules, request: int) -> int:
    """Where the tries of a request are counted."""
    return request if request < ERASE else rules.requests + request - ERASE


def asked(rules: Rules) -> Iterator[int]:
    yield from range(rules.requests)
    yield from range(ERASE, ERASE + rules.erasures)


def chain_of(rules: Rules, request: int) -> int:
    """The chain whose data key a request needs, or an erasure destroys. Where there are erasures, all is of one chain."""
    return 0 if rules.erasures or request >= ERASE else request


def place(log: Log, request: int) -> int | None:
    """The index of a request in a log."""
    return next((index for index, batch in enumerate(log) if batch[0] == request), None)


def with_node(state: State, at: int, **changes: object) -> tuple[Node, ...]:
    nodes = list(state.nodes)
    nodes[at] = nodes[at]._replace(**changes)  # type: ignore[arg-type]
    return tuple(nodes)


def steps(rules: Rules, state: State) -> Iterator[Step]:
    """Everything that may happen next, with its name."""
    for at in range(len(state.nodes)):
        yield from _node(rules, state, at)
    yield from _server(rules, state)
    if state.up:
        for at, node in enumerate(state.nodes):
            if node.alive:
                yield from _read(rules, state, at)


def _node(rules: Rules, state: State, at: int) -> Iterator[Step]:
    node = state.nodes[at]
    if not node.alive:
        if state.up:
            yield f"start {at}", state._replace(nodes=with_node(state, at, alive=True, known=0, busy=-1))
        return
    crashes, cancels, kills, restores = state.left
    if kills:
        left, waiting = (crashes, cancels, kills - 1, restores), state.waiting
        if waiting is not None and waiting[0] == at:
            waiting = (-1, *waiting[1:])  # the server goes on waiting, for nobody
        nodes = with_node(state, at, alive=False, known=0, busy=-1)
        yield f"kill {at}", state._replace(nodes=nodes, left=left, waiting=waiting)
    if state.waiting is not None and state.waiting[0] == at:
        return
    if node.busy < 0:
        yield from _idle(rules, state, at)
    elif state.up and state.waiting is None:
        yield from _write(rules, state, at)


def _idle(rules: Rules, state: State, at: int) -> Iterator[Step]:
    """A node with nothing to do looks at the head, or is given something."""
    node = state.nodes[at]
    behind = state.up and state.waiting is None and len(state.primary) > max(node.known, state.confirmed)
    if behind and (not rules.high_water or state.primary[: len(node.high)] == node.high):
        yield f"look {at}", state._replace(waiting=(at, None, max(node.known, state.confirmed)))
    for request in asked(rules):
        if state.tries[number(rules, request)] >= rules.tries or request in {one for one, _ in state.acknowledged}:
            continue
        if request >= ERASE and not state.acknowledged:
            continue
        if all(other.busy != request for other in state.nodes):
            yield f"submit {at} {request}", state._replace(nodes=with_node(state, at, busy=request))


def _write(rules: Rules, state: State, at: int) -> Iterator[Step]:
    """The transaction of a batch, up to its COMMIT."""
    node = state.nodes[at]
    if rules.high_water and state.primary[: len(node.high)] != node.high:
        return  # it refuses, for ever
    if rules.looks_for_repeats and place(state.primary, node.busy) is not None:
        erases = node.busy >= ERASE and state.standby is not None and not state.streams
        if (len(state.primary) <= node.known or not rules.confirms_finds) and not erases:
            yield f"find {at} {node.busy}", _answered(rules, state, at, state.primary, node.known)
        else:
            yield f"confirm {at}", state._replace(waiting=(at, None, max(node.known, state.confirmed)))
        return
    index = number(rules, node.busy)
    if state.tries[index] >= rules.tries:
        return
    tries = list(state.tries)
    tries[index] += 1
    chain = chain_of(rules, node.busy)
    if rules.remakes_no_key and node.busy < ERASE and chain in state.destroyed:
        return
    waiting = (at, (node.busy, tries[index]), max(node.known, state.confirmed))
    keys = state.keys | ({chain} if node.busy < ERASE else frozenset())
    yield f"write {at} {node.busy}", state._replace(waiting=waiting, tries=tuple(tries), keys=keys)


def committed(state: State) -> tuple[Log, int]:
    """The primary's log and head row once what waits is visible."""
    assert state.waiting is not None
    _, batch, confirmed = state.waiting
    return state.primary + ((batch,) if batch is not None else ()), confirmed


def _answered(rules: Rules, state: State, at: int, log: Log, known: int) -> State:
    """A node has its commit back: high water, then the answer; an erasure destroys the key now."""
    node = state.nodes[at]
    index = place(log, node.busy)
    nodes = with_node(state, at, high=log, known=max(known, len(log)), busy=-1)
    if index is None:  # it only looked
        return state._replace(nodes=nodes)
    after = state._replace(
        nodes=nodes, acknowledged=state.acknowledged | {(node.busy, index)}, shown=state.shown | {log[: index + 1]}
    )  # the checkpoint of a receipt is the first one with its entry
    if node.busy < ERASE:
        return after
    gone = frozenset({chain_of(rules, node.busy)})  # by a commit of its own, which waits for the standby as well
    return after._replace(
        keys=state.keys - gone, standby_keys=state.standby_keys - gone, destroyed=state.destroyed | gone
    )


def _server(rules: Rules, state: State) -> Iterator[Step]:
    crashes, cancels, kills, restores = state.left
    if not state.up:
        yield "restart", state._replace(up=True)
        if state.standby is not None:
            yield "promote", _promoted(state)
    else:
        if state.waiting is not None:
            yield from _waits(rules, state)
        elif state.standby is not None and state.streams and state.standby != (state.primary, state.confirmed):
            yield "ship", state._replace(standby=(state.primary, state.confirmed), standby_keys=state.keys)
        if crashes:
            left = (crashes - 1, cancels, kills, restores)
            lost = state._replace(up=False, waiting=None, left=left)
            yield "crash lost", lost
            if state.waiting is not None:
                log, confirmed = committed(state)
                yield "crash kept", lost._replace(primary=log, confirmed=confirmed)
        if restores and state.backup is None and state.waiting is None and state.primary:
            yield "backup", state._replace(backup=(state.primary, state.confirmed))
    if not state.up and all(not node.alive for node in state.nodes):
        yield from _restored(state)
    if state.standby is not None:
        yield ("standby away" if state.streams else "standby back"), state._replace(streams=not state.streams)


def _restored(state: State) -> Iterator[Step]:
    """Everything is switched off: an older database is brought back, or the newest one after that. A node that has signed
    nothing since the backup cannot know; so only backups are brought back that every node has signed beyond."""
    crashes, cancels, kills, restores = state.left
    if state.newest is not None:
        log, confirmed = state.newest
        yield "bring back", state._replace(primary=log, confirmed=confirmed, newest=None)
    elif restores and state.backup is not None:
        log, confirmed = state.backup
        if all(len(node.high) > len(log) for node in state.nodes):
            left, newest = (crashes, cancels, kills, restores - 1), (state.primary, state.confirmed)
            yield "restore", state._replace(primary=log, confirmed=confirmed, left=left, newest=newest, standby=None)


def _promoted(state: State) -> State:
    assert state.standby is not None
    log, confirmed = state.standby
    return state._replace(up=True, primary=log, confirmed=confirmed, standby=None, keys=state.standby_keys)


def _waits(rules: Rules, state: State) -> Iterator[Step]:
    """A COMMIT waits: it comes back, or its wait is cancelled."""
    assert state.waiting is not None
    at, batch, _ = state.waiting
    log, confirmed = committed(state)
    after = state._replace(primary=log, confirmed=confirmed, waiting=None)
    node = state.nodes[at] if at >= 0 else Node(alive=False)
    hears = node.alive and (batch is None or node.busy == batch[0])
    if state.standby is None or state.streams:
        sure = after
        if state.standby is not None:
            sure = after._replace(standby=(log, confirmed), standby_keys=state.keys)
        if hears:
            yield f"commit {at}", _answered(rules, sure, at, log, len(log))
        yield "commit unheard", sure
        return
    crashes, cancels, kills, restores = state.left
    if cancels:
        cancelled = after._replace(left=(crashes, cancels - 1, kills, restores))
        if not rules.heeds_warnings and hears:
            yield f"cancel {at}", _answered(rules, cancelled, at, log, len(log))
        else:
            yield f"cancel {at}", cancelled


def _read(rules: Rules, state: State, at: int) -> Iterator[Step]:
    """Somebody asks a node for the newest checkpoint."""
    known = len(state.primary)
    if rules.confirmed_reads:
        known = min(known, max(state.confirmed, state.nodes[at].known))
    see = state.primary[:known]
    if see and see not in state.shown:
        yield f"read {at}", state._replace(shown=state.shown | {see})


def broken(state: State) -> str | None:
    """The promise that does not hold; None while all do."""
    if not state.up:
        return None
    by_size: dict[int, Log] = {}
    for log in state.shown:
        if by_size.setdefault(len(log), log) != log:
            return f"EQUIVOCATION: two checkpoints of size {len(log)}"
    for request, index in state.acknowledged:
        if place(state.primary, request) is None and state.newest is None:
            return f"LOST: request {request}, acknowledged at {index}"
    if state.keys & state.destroyed:
        return "ERASURE: a destroyed key is there again"
    return _readable(state)


def _readable(state: State) -> str | None:
    """As `broken`, of bodies and repeats."""
    names = [batch[0] for batch in state.primary]
    if len(set(names)) < len(names):
        return "DOUBLED"
    return None


@dataclass
class Found:
    """What a search came to."""

    states: int
    depth: int
    complete: bool
    """All reachable states were seen."""
    why: str | None = None
    trace: tuple[str, ...] = ()
    """The names of the steps to the broken promise: a shortest trace."""


def search(
    rules: Rules,
    first: State | None = None,
    *,
    limit: int | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Found:
    """Breadth first through all states from `first` on, or until `limit` were seen. `watch`: told (states, depth).

    A state is remembered by 64 bits of its hash; two states of one hash would hide one of them (at 10⁷ states: one chance in
    some 10⁵). States that differ by which node is which are one.
    """
    first = rules.first() if first is None else first
    seen = {fingerprint(first)}
    level: list[tuple[State, Trace]] = [(first, ())]
    depth = 0
    while level:
        following: list[tuple[State, Trace]] = []
        depth += 1
        for state, trace in level:
            for name, after in steps(rules, state):
                mark = fingerprint(after)
                if mark in seen:
                    continue
                seen.add(mark)
                if (why := broken(after)) is not None:
                    return Found(len(seen), depth, complete=False, why=why, trace=unrolled((name, trace)))
                following.append((after, (name, trace)))
                if limit is not None and len(seen) >= limit:
                    return Found(len(seen), depth, complete=False)
        level = following
        if watch is not None:
            watch(len(seen), depth)
    return Found(len(seen), depth, complete=True)


def unrolled(trace: Trace) -> tuple[str, ...]:
    """The names of a trace, the first one first."""
    names: list[str] = []
    while trace:
        name, trace = trace
        names.append(name)
    return tuple(reversed(names))


def fingerprint(state: State) -> int:
    """The same for states that differ only in which of the two nodes is called which."""
    one, two = state.nodes
    waiting = state.waiting
    rest = state._replace(nodes=(), waiting=None)
    here = (rest, one, two, waiting)
    if waiting is not None and waiting[0] >= 0:
        waiting = (1 - waiting[0], *waiting[1:])
    return min(hash(here), hash((rest, two, one, waiting)))
