"""The writing process that dies by SIGKILL at one step of a commit: `python -m tests.faults.dying STEP COUNT CONFIG`.

It dies when the step is reached for the COUNT-th time. The steps lie at the edges: database driver, files, answers.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from ledger.engines.postgres import PostgresDriver
from ledger.engines.sqlite import SqliteDriver
from tests.faults import writer

STEPS = (
    "head is locked",
    "rows are being written",
    "rows are written",
    "commit is done",
    "high water is being written",
    "high water is written",
    "one answer has left",
)


class Fuse:
    """Burns down at each pass of one step."""

    def __init__(self, step: str, count: int) -> None:
        self.step, self.left = step, count

    def at(self, step: str) -> None:
        if step == self.step:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def lay(fuse: Fuse) -> None:
    """Along every step."""
    writing = [False]

    def after(driver: type, method: str, step: str) -> None:
        call = getattr(driver, method)

        def called(self: object, *arguments: Any) -> Any:
            answer = call(self, *arguments)
            writing[0] = True
            fuse.at(step)
            return answer

        setattr(driver, method, called)

    for driver in (SqliteDriver, PostgresDriver):
        after(driver, "lock_head", "head is locked")
        after(driver, "insert_entries", "rows are being written")
    commit = DefaultDialect.do_commit

    def do_commit(dialect: DefaultDialect, connection: Any) -> None:
        if writing[0]:
            fuse.at("rows are written")
        commit(dialect, connection)
        if writing[0]:
            fuse.at("commit is done")
        writing[0] = False

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    os.pwrite = around(os.pwrite, fuse)
    say = writer.say

    def said(*words: object) -> None:
        say(*words)
        if words[0] == "ack":
            fuse.at("one answer has left")

    writer.say = said


def around(write: Callable[..., int], fuse: Fuse) -> Callable[..., int]:
    def wrapped(*arguments: Any) -> int:
        fuse.at("high water is being written")
        done = write(*arguments)
        fuse.at("high water is written")
        return done

    return wrapped


def main() -> None:
    step, count = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:3]
    lay(Fuse(step, count))
    writer.main()


if __name__ == "__main__":
    main()
