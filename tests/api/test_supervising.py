"""Processes that are kept running: killed ones come again, and a signal to end is obeyed at once, whatever they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe

import psutil
import pytest

from api.server.supervising import FAILED, KeptProcess, Supervisor, when_orphaned
from tests.conformance import ROOT

PATIENCE = 30.0


def tell_and_wait(line: Connection, obedient: bool) -> None:
    """Say who this is, then wait to be ended; a stubborn one does not hear SIGTERM."""
    if not obedient:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line.send(os.getpid())
    threading.Event().wait()


def tell_and_live_with_its_parent(line: Connection) -> None:
    """Say who this is, and end when the process it was forked from has ended."""
    ended = threading.Event()
    when_orphaned(ended.set)
    line.send(os.getpid())
    ended.wait()


def tell_and_fail(line: Connection) -> None:
    """A process that something stands against."""
    line.send(os.getpid())
    raise SystemExit(FAILED)


def never_told(line: Connection) -> None:
    """A process that hangs before it has said a word."""
    threading.Event().wait()


def told(line: Connection) -> int:
    assert line.poll(PATIENCE), "no process said that it runs"
    pid: int = line.recv()
    return pid


@contextmanager
def supervised(*kept: KeptProcess, patience: float = PATIENCE) -> Iterator[Supervisor]:
    supervisor = Supervisor(patience=patience)
    try:
        for one in kept:
            supervisor.add([one])
        yield supervisor
    finally:
        supervisor.stop()
    assert not any(one.process.is_alive() for one in kept)


def test_a_killed_process_is_started_again_and_the_signal_to_end_is_heard() -> None:
    line, theirs = Pipe()
    with supervised(KeptProcess("one", tell_and_wait, (theirs, True))) as supervisor:
        seen: list[int] = []

        def kill_twice_then_end() -> None:
            for _ in range(2):
                seen.append(told(line))
                os.kill(seen[-1], signal.SIGKILL)
            seen.append(told(line))
            os.kill(os.getpid(), signal.SIGTERM)

        other = threading.Thread(target=kill_twice_then_end)
        other.start()
        supervisor.run()
        other.join()
    assert len(set(seen)) == 3


def test_a_process_that_cannot_start_is_waited_for_twice_as_long_each_time() -> None:
    line, theirs = Pipe()
    hopeless = KeptProcess("hopeless", tell_and_fail, (theirs,))
    hopeless.pause = 0.01
    with supervised(hopeless) as supervisor:

        def count_four_starts_then_end() -> None:
            for _ in range(4):
                told(line)
            os.kill(os.getpid(), signal.SIGTERM)

        other = threading.Thread(target=count_four_starts_then_end)
        other.start()
        supervisor.run()
        other.join()
        assert hopeless.pause >= 0.08  # three ends are behind it, the fourth perhaps


def test_killing_the_fork_server_restarts_every_process() -> None:
    lines = [Pipe() for _ in range(2)]
    kept = [KeptProcess(f"one of {len(lines)}", tell_and_live_with_its_parent, (theirs,)) for _, theirs in lines]
    with supervised(*kept) as supervisor:
        seen: list[list[psutil.Process]] = []

        def kill_the_source_then_end() -> None:
            for _ in range(2):
                seen.append([psutil.Process(told(line)) for line, _ in lines])
                if len(seen) == 1:
                    psutil.Process(seen[0][0].ppid()).kill()
            os.kill(os.getpid(), signal.SIGTERM)

        other = threading.Thread(target=kill_the_source_then_end)
        other.start()
        supervisor.run()
        other.join()
    assert {process.pid for process in seen[0]}.isdisjoint({process.pid for process in seen[1]})
    assert psutil.wait_procs(seen[0] + seen[1], timeout=PATIENCE)[1] == []


def test_processes_that_hang_while_they_start_hold_up_no_signal() -> None:
    _line, theirs = Pipe()
    with supervised(KeptProcess("one", never_told, (theirs,))) as supervisor:
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
        supervisor.run()


def test_the_fork_server_starts_no_thread_and_opens_nothing() -> None:
    look = (
        "import os, threading; before = set(os.listdir('/dev/fd')); import api.server.preloaded; "
        "print(threading.active_count(), sorted(set(os.listdir('/dev/fd')) - before))"
    )
    said = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert said.stdout.strip() == "1 []"


@pytest.mark.timeout(60)
def test_a_process_that_does_not_obey_is_killed_when_its_time_is_over() -> None:
    line, theirs = Pipe()
    stubborn = KeptProcess("stubborn", tell_and_wait, (theirs, False))
    with supervised(stubborn, patience=0.2):
        told(line)
    assert stubborn.process.exitcode == -signal.SIGKILL
