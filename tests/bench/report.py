"""docs/benchmarks.md: every figure with the machine it was taken on, what was asked for, and how it was measured."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from tests.bench.figures import Figure

SECTIONS = {
    "http": "Over HTTP",
    "library": "Without HTTP",
    "ceiling": "Ceilings",
    "peer": "Peers, in the same run",
    "size": "Cost against the log's size",
    "memory": "Memory",
    "storage": "Storage",
    "start": "Start",
    "audit": "Afterwards",
}
EXPLAINED = {
    "http": """Signed statements in, durable receipts out: signature check, decision, evidence encryption, idempotency,
metrics, inclusion proof and signed checkpoint; fsync on, answered after the commit. Closed loop: each client sends its next
request when it has its answer. Open loop: latency counts from when a request was due. CPU is per request, of all server
processes and of the generator, which shares the cores with the server. Script: `tests/bench/over_http.py`.""",
    "library": """128 submissions under way in one process. «Prepared»: signatures were checked before, what is measured is
the sequencer. Script: `tests/bench/in_process.py`.""",
    "ceiling": """The same rows into the same tables, with the engine's driver, and nothing else: no signature, decision, chain,
tree, encryption or receipt. Script: `tests/bench/peers.py`.""",
    "peer": """The same events. Those from the package index run without HTTP and check no signatures, which favours them.
Scripts: `tests/bench/peers.py`, `tests/bench/peer_program.py`.""",
    "size": """Interleaved rounds; large logs are filled in bulk. Scripts: `tests/bench/growth.py`,
`tests/bench/synthetic.py`.""",
    "memory": "Resident memory of a process that records. Script: `tests/bench/growth.py`.",
    "storage": "Bytes that one single access adds, all included. Script: `tests/bench/growth.py`.",
    "start": "`consent-ledger serve`, from the command to the first receipt. Script: `tests/bench/growth.py`.",
    "audit": """The logs of the library and HTTP runs were exported and verified whole by `consent-verify` (those of
the size, memory, storage and start runs are partly synthetic and were not), and every answer was held against them: each
acknowledged entry is there, once, with a proof that holds. Script: `tests/bench/audit.py`.""",
}
INTRODUCTION = """Written by `scripts/bench`; do not edit. The generator and the server share the machine, so absolute figures
say as much about it as about the ledger: compare what was measured in the same run. Beside each figure stand references
that were measured in the same minute; goals are multiples of them wherever the machine's hour would decide otherwise."""
REFERENCES = """Measured again whenever a figure is due and the last ones are a minute old. What differs between the least
and the most is the machine, not the ledger. Script: `tests/bench/references.py`."""
MEASURED_BY_RATE = {"http", "library", "peer"}


def markdown(figures: Sequence[Figure], machine: Mapping[str, str], *, remarks: Iterable[str], picture: bool) -> str:
    """The whole document."""
    lines = [
        "# Benchmarks",
        "",
        INTRODUCTION,
        "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        *(f"- {remark}" for remark in remarks),
        "",
        *_references(figures),
        *_goals(figures),
        *_ratios(figures),
    ]
    if picture:
        lines += ["![Throughput and latency against clients](benchmarks.svg)", ""]
    for section, title in SECTIONS.items():
        chosen = [figure for figure in figures if figure.section == section]
        if chosen:
            lines += [f"## {title}", "", EXPLAINED[section], "", *_table(chosen, section), ""]
    return "\n".join(textwrap.fill(line, 120) if "\n" in line else line for line in lines)


def _references(figures: Sequence[Figure]) -> list[str]:
    """How much the machine itself changed while it was measured."""
    known = list(dict.fromkeys(figure.reference for figure in figures if figure.reference is not None))
    if not known:
        return []
    lines = [
        "## References",
        "",
        REFERENCES,
        "",
        "| what | least µs | median µs | most µs |",
        "| --- | ---: | ---: | ---: |",
    ]
    for what, values in (
        ("one Ed25519 check, processor time", sorted(one.check for one in known)),
        ("one row committed and durable, time", sorted(one.commit for one in known)),
        ("one empty HTTP answer, processor time of the server", sorted(one.answer for one in known)),
    ):
        least, most = values[0], values[-1]
        lines.append(f"| {what} | {_number(least)} | {_number(statistics.median(values))} | {_number(most)} |")
    return [*lines, ""]


def _goals(figures: Sequence[Figure]) -> list[str]:
    asked = [figure for figure in figures if figure.goal or any(ratio.goal for ratio in figure.ratios)]
    if not asked:
        return []
    lines = ["## Goals", "", "| what | engine | reached | asked for | |", "| --- | --- | ---: | ---: | --- |"]
    for figure in asked:
        what = figure.name + (f", {figure.clients} clients" if figure.clients else "")
        if figure.goal:
            reached = f"{_number(figure.value)} {figure.unit}"
            lines.append(_goal(what, figure.engine, reached, figure.goal, at_most=figure.at_most, met=figure.met))
        for ratio in figure.ratios:
            if ratio.goal:
                name, reached = f"{what}: {ratio.what}", f"{ratio.value:.2f} ×"
                lines.append(_goal(name, figure.engine, reached, ratio.goal, at_most=ratio.at_most, met=ratio.met))
    return [*lines, ""]


def _goal(what: str, engine: str, reached: str, goal: float, *, at_most: bool, met: bool) -> str:
    bound = ("at most " if at_most else "at least ") + _number(goal)
    return f"| {what} | {engine} | {reached} | {bound} | {'met' if met else '**missed**'} |"


def ratios(figures: Sequence[Figure]) -> list[tuple[str, str, float]]:
    """(what, engine, ratio) of what can be compared within this run."""

    def best(engine: str, *names: str) -> float:
        return max((f.value for f in figures if f.engine == engine and f.name in names), default=0.0)

    found = []
    for engine in dict.fromkeys(figure.engine for figure in figures):
        http, library = best(engine, "single access"), best(engine, "128 submitters", "128 submitters, prepared")
        crowds = [
            f.value for f in figures if f.engine == engine and f.name == "single access" and f.clients in (64, 256)
        ]
        batch = best(engine, "batch of 100")
        for what, ours, theirs in (
            (
                "single access at 256 clients ÷ at 64",
                crowds[-1] if len(crowds) == 2 else 0.0,
                crowds[0] if crowds else 0.0,
            ),
            ("single access over HTTP ÷ ledgerchain", http, best(engine, "ledgerchain 0.1.0")),
            ("library ÷ ledgerchain", library, best(engine, "ledgerchain 0.1.0")),
            ("single access over HTTP ÷ INSERT with a commit each", http, best(engine, "INSERT, commit each")),
            ("library ÷ INSERT with a commit per 128", library, best(engine, "INSERT, commit per 128")),
            ("batch of 100 over HTTP ÷ COPY", batch, best(engine, "COPY, one commit")),
        ):
            if ours and theirs:
                found.append((what, engine, ours / theirs))
    return found


def _ratios(figures: Sequence[Figure]) -> list[str]:
    found = ratios(figures)
    if not found:
        return []
    rows = [f"| {what} | {engine} | {ratio:.2f} |" for what, engine, ratio in found]
    return ["## Ratios", "", "| ours ÷ theirs | engine | ratio |", "| --- | --- | ---: |", *rows, ""]


def _table(figures: Sequence[Figure], section: str) -> list[str]:
    if section in MEASURED_BY_RATE:
        head = [
            "what",
            "engine",
            "clients",
            "rate",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "server CPU µs",
            "generator CPU µs",
            "CPU ÷ check",
            "CPU ÷ empty answer",
            "",
        ]
        rows = [_rate_row(figure) for figure in figures]
        marks = ["---", "---", *["---:"] * 9, "---"]
    else:
        head, marks = ["what", "engine", "", "CPU µs", ""], ["---", "---", "---:", "---:", "---"]
        rows = [
            [
                figure.name,
                figure.engine,
                f"{_number(figure.value)} {figure.unit}",
                _micros(figure.server_cpu_us),
                figure.note,
            ]
            for figure in figures
        ]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]


def _rate_row(figure: Figure) -> list[str]:
    times = ["", "", ""]
    if figure.latency is not None:
        latency = figure.latency
        times = [_number(latency.p50), _number(latency.p99), _number(latency.p999) if latency.p999 else ""]
    return [
        figure.name,
        figure.engine,
        str(figure.clients or ""),
        f"{_number(figure.value)} {figure.unit}",
        *times,
        _micros(figure.server_cpu_us),
        _micros(figure.generator_cpu_us),
        _multiple(figure, "Ed25519 check"),
        _multiple(figure, "empty answer"),
        figure.note,
    ]


def _multiple(figure: Figure, reference: str) -> str:
    return next((f"{ratio.value:.2f}" for ratio in figure.ratios if ratio.what.endswith(f"CPU ÷ {reference}")), "")


def _micros(value: float) -> str:
    return f"{value:,.0f}" if value else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
