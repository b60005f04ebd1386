"""A process that writes: statements come in on stdin, one a line; what was acknowledged goes out on stdout.

    ack <jti> <index> <allow|deny|->      recorded now        again <jti> <index>      it was in the log already

It is killed without warning by the tests, so it prints an acknowledgement in one write and never before the commit.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ledger.assembly import NodeConfig, open_ledger
from ledger.entries.evidence import AccessOutcome
from ledger.errors import LedgerError
from ledger.planning.commands import SubmitStatement
from ledger.sequencer.answers import Answer, Repeated


def say(*words: object) -> None:
    os.write(sys.stdout.fileno(), (" ".join(map(str, words)) + "\n").encode())


def answered(command: SubmitStatement, answer: Answer | LedgerError) -> None:
    jti = command.statement.payload.jti
    if isinstance(answer, LedgerError):
        say("failed", jti, type(answer).__name__)
    elif isinstance(answer, Repeated):
        say("again", jti, *answer.indexes)
    else:
        for recorded in answer:
            outcome = recorded.outcome
            say("ack", jti, recorded.index, outcome.decision if isinstance(outcome, AccessOutcome) else "-")


def main() -> None:
    given = json.loads(sys.argv[1])
    paths = ("log_key_file", "kek_file", "highwater_file")
    ledger = open_ledger(NodeConfig(**{name: Path(value) if name in paths else value for name, value in given.items()}))
    ledger.start()
    say("ready")
    for line in sys.stdin:
        command = ledger.prepare(line.rstrip("\n"))
        ledger.submit(command, lambda answer, command=command: answered(command, answer))
    ledger.stop()
    say("done")


if __name__ == "__main__":
    main()
