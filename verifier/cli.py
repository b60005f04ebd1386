"""consent-verify: the command line. Exit statuses: 0 verified, 1 refuted, 2 could not check, 3 below the quorum."""

# ruff: noqa: PLC0415 - each command loads what it needs, so that a short one starts fast
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from verifier import commands
from verifier.bytes.harmless import neutral
from verifier.errors import CannotCheck, ExitStatus
from verifier.telling import jsonlines, terminal
from verifier.telling.board import VERSION
from verifier.telling.messages import LANGUAGES, default_language
from verifier.telling.result import Result


class _Parser(argparse.ArgumentParser):
    # typing.override is 3.12
    def error(self, message: str) -> NoReturn:  # type: ignore[explicit-override]
        self.print_usage(sys.stderr)
        self.exit(int(ExitStatus.COULD_NOT_CHECK), f"{self.prog}: {neutral(message)}\n")


def build_parser() -> argparse.ArgumentParser:
    """The argument parser."""
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object per line")
    common.add_argument("--lang", choices=LANGUAGES, default=argparse.SUPPRESS, help="default: from the locale")
    common.add_argument(
        "--report", metavar="OUT.html", default=argparse.SUPPRESS, help="also write a self-contained HTML report"
    )
    common.add_argument("--pdf", metavar="OUT.pdf", default=argparse.SUPPRESS, help="also write a PDF (needs typst)")
    policy = _Parser(add_help=False, parents=[common])
    policy.add_argument(
        "--policy",
        "--trust",
        metavar="FILE",
        dest="policy",
        help="C2SP tlog-policy or trust file with the keys you trust",
    )
    policy.add_argument(
        "--max-age",
        type=_age,
        metavar="AGE",
        help="refuse to judge an older checkpoint, e.g. 90s, 15m, 24h, 7d (by its witnesses' time)",
    )
    whole = _Parser(add_help=False, parents=[policy])
    whole.add_argument("--jobs", type=_jobs, default=0, metavar="N", help="worker processes; default: one per core")
    whole.add_argument("--no-signatures", action="store_true", help="leave out statement signatures, and say so")
    whole.add_argument("--no-evidence", action="store_true", help="check leaves and tree only, and say so")
    audit = _Parser(add_help=False, parents=[whole])
    audit.add_argument("--since", metavar="STATE", help="continue from the state that an earlier run kept")
    audit.add_argument("--keep", metavar="STATE", help="keep the state of this run, if it finds no defect")

    parser = _Parser(prog="consent-verify", description=__doc__, parents=[common])
    parser.add_argument("--version", action="version", version=f"consent-verify {VERSION}")
    add = parser.add_subparsers(dest="command", required=True, parser_class=_Parser).add_parser
    one = add("receipt", parents=[policy], help="check a receipt")
    one.add_argument("path", metavar="FILE", help="- for standard input")
    one.add_argument("--bundle", metavar="PATH", help="a bundle of the log, to learn the participants' keys from")
    one.add_argument(
        "--set-proof", metavar="FILE", help="that the head log, which the policy names, committed to the entry"
    )
    one.add_argument("--history", metavar="FILE", help="of a sheet: the receipt of the history that it belongs to")
    one = add("proof", parents=[policy], help="check a C2SP .tlog-proof")
    one.add_argument("path", metavar="FILE")
    one.add_argument("--entry", required=True, metavar="FILE", help="the entry's bytes")
    one.add_argument("--static-ct", action="store_true", help="the entry is a TileLeaf of a static CT log")
    one = add("bundle", parents=[audit], help="audit a bundle: everything")
    one.add_argument("path", metavar="PATH", help="directory or zip")
    one = add("set", parents=[whole], help="audit several logs as one: a head log and its shards")
    one.add_argument(
        "path", metavar="FOLDER", help="with the bundle of the head log in heads, those of shards in shards"
    )
    _add_recomputing(add, audit)
    one = add("consent", parents=[audit], help="one consent's story out of a bundle")
    one.add_argument("consent_id", metavar="ID")
    one.add_argument("--bundle", required=True, dest="path", metavar="PATH")
    one = add("pack", parents=[policy], help="check an evidence pack, or a part of one that was handed on")
    one.add_argument("path", metavar="PATH", help="directory or zip")
    one.add_argument("--bundle", metavar="PATH", help="a bundle of the log, to learn the participants' keys from")
    one = add("completeness", parents=[policy], help="check that these are all entries of one consent or customer")
    one.add_argument("path", metavar="FILE", help="the completeness file")
    one.add_argument("shown", nargs="*", metavar="RECEIPT", help="receipts of entries that the file does not enclose")
    one.add_argument("--consent", metavar="ID", help="the consent that it must be about")
    one = add("compare", parents=[policy], help="do these files show one and the same log?")
    one.add_argument(
        "paths", nargs="+", metavar="FILE", help="receipts, checkpoints, proofs, completeness files, bundles"
    )
    one = add("log", parents=[policy], help="follow a log and keep trusted state")
    one.add_argument("place", metavar="URL|DIR")
    one.add_argument(
        "--state", required=True, metavar="DIR", help="where trusted checkpoints and fork evidence are kept"
    )
    one.add_argument("--origin", help="the origin demanded, where it is not the log key's name")
    one.add_argument("--static-ct", action="store_true", help="a Certificate Transparency log with static tiles")
    one = add("evidence", parents=[policy], help="check a saved proof of misbehaviour")
    one.add_argument("path", metavar="FILE")
    one = add("explain", parents=[common], help="explain a verdict code")
    one.add_argument("code", metavar="CODE")
    return parser


def _add_recomputing(add: Callable[..., argparse.ArgumentParser], audit: argparse.ArgumentParser) -> None:
    """The commands that recompute what the log or its participants say of the entries."""
    one = add("alerts", parents=[audit], help="the alerts of a bundle, each recomputed")
    one.add_argument("path", metavar="PATH", help="directory or zip")
    one = add("report", parents=[audit], help="the reports of a bundle, each recomputed; or one period's CSV")
    one.add_argument("path", metavar="PATH", help="directory or zip")
    one.add_argument("--code", metavar="CODE", help="the report's code; with --from: this period, issued or not")
    one.add_argument(
        "--from", dest="begin", metavar="WHEN", help="a second or day of the period: 1767225600, 2026-01-01"
    )
    one.add_argument("--csv", metavar="OUT.csv", help="write the CSV of the period")
    one = add("scores", parents=[audit], help="the scores of a bundle, each recomputed")
    one.add_argument("path", metavar="PATH", help="directory or zip")
    one = add("transfers", parents=[audit], help="the register of transfers abroad: each country, each access")
    one.add_argument("path", metavar="PATH", help="directory or zip")
    one.add_argument("--holder", metavar="ID", help="of this holder alone")
    one.add_argument("--csv", metavar="OUT.csv", help="write a line for each access")
    one = add("usage", parents=[audit], help="the statements of usage of a bundle, each recounted")
    one.add_argument("path", metavar="PATH", help="directory or zip")
    one.add_argument("--statement", type=_index, metavar="INDEX", help="this one alone: it decides the exit status")
    one.add_argument("--list", metavar="FILE", help="the entries that its holder says it counts, an index a line")
    one = add(
        "history", parents=[audit], help="what holders attest of the time before the log, held against its sheets"
    )
    one.add_argument("path", metavar="PATH", help="directory or zip")
    one.add_argument("--entry", type=_index, metavar="INDEX", help="this history alone: it decides the exit status")
    one.add_argument("--source", metavar="PATH", help="the file or folder that it was made of")
    one = add("datamap", parents=[audit], help="a holder's data map, and the entry that commits to it")
    one.add_argument("map", metavar="FILE", help="the map as its holder handed it over")
    one.add_argument("--bundle", required=True, dest="path", metavar="PATH", help="directory or zip")


def _age(text: str) -> int:
    """An age in milliseconds."""
    number, unit = text[:-1], {"s": 1, "m": 60, "h": 3_600, "d": 86_400}.get(text[-1:])
    if unit is None or not (number.isascii() and number.isdigit() and len(number) < 9 and int(number) > 0):
        raise argparse.ArgumentTypeError("a whole number and s, m, h or d, e.g. 24h")
    return int(number) * unit * 1_000


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise argparse.ArgumentTypeError("the index of an entry")
    return int(text)


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) > 0):
        raise argparse.ArgumentTypeError("a number from 1 to 999")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. No exception leaves it."""
    arguments = build_parser().parse_args(argv)
    for name, value in (("json", False), ("lang", default_language()), ("report", None), ("pdf", None)):
        if not hasattr(arguments, name):
            setattr(arguments, name, value)
    result = commands.fresh(arguments.command)
    try:
        _prepare_reports(arguments)
        result = getattr(commands, {"set": "judge_set"}.get(arguments.command, arguments.command))(arguments, result)
        _write_reports(arguments, result)
    except CannotCheck as error:
        _give_up(result, error.sentence)
    except KeyboardInterrupt:
        _give_up(result, "interrupted")
    except MemoryError:
        _give_up(result, "out of memory")
    except Exception as error:  # noqa: BLE001 - a verifier that crashes has verified nothing
        _give_up(result, f"internal error, please report: {type(error).__name__}: {error}{_where(error)}")
    return _tell(arguments, result)


def _give_up(result: Result, reason: str) -> None:
    """A question left open is never a success; defects found before are reported all the same."""
    result.reason = reason
    result.code = None
    if result.findings.count:
        result.code = result.findings.verdict(witnessed=False)


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"


def _prepare_reports(arguments: argparse.Namespace) -> None:
    """Find out before the work whether its reports can be written. Raises CannotCheck."""
    for path in filter(None, (arguments.report, arguments.pdf)):
        place = Path(path)
        existed = place.exists()
        try:
            with place.open("ab"):
                pass
            if not existed:
                place.unlink()
        except OSError as error:
            raise CannotCheck(
                f"the report cannot be written to {path}: {error.strerror}; nothing was checked"
            ) from None
    if arguments.pdf is not None:
        from verifier.telling.pdf import prepared

        prepared(arguments.lang)


def _write_reports(arguments: argparse.Namespace, result: Result) -> None:
    if arguments.report is not None:
        from verifier.telling.report import render

        _write(arguments.report, render(result, arguments.lang).encode("utf-8"))
    if arguments.pdf is not None:
        from verifier.telling.pdf import render_pdf

        _write(arguments.pdf, render_pdf(result, arguments.lang))


def _write(path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise CannotCheck(f"the report cannot be written to {path}: {error.strerror}") from None


def _tell(arguments: argparse.Namespace, result: Result) -> int:
    try:
        if arguments.json:
            lines = jsonlines.lines(result)
        else:
            colour = terminal.wants_colour(sys.stdout)
            lines = terminal.wrapped(terminal.lines(result, arguments.lang, colour), terminal.width_of(sys.stdout))
        for line in lines:
            terminal.emit(line)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone; Python would complain again while closing the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(result.status)


if __name__ == "__main__":
    sys.exit(main())
