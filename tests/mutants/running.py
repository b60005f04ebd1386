"""One mutant against the tests of its module, in a forked process that has everything else loaded already.

A mutant is asked twice. First the code of the living functions is exchanged, and nothing is loaded again: fast, and a test
that fails has noticed. What survives that may have been hidden by something kept from the run on the original, so it is asked
again with every module of ours loaded anew.
"""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from itertools import pairwise
from types import CodeType, FunctionType, ModuleType

import pytest
from hypothesis import Phase, settings

OURS = ("verifier", "tests")
SECONDS = 60
LONG = (
    "accumulated_hashes_of_all_small_trees",
    "every_changed_byte_is_found_where_it_is",
    "no_present_key_can_be_called_absent",
    "single_file_needs_nothing_but_cpython",
    "canonical_json_is_that_of_rfc_8785",
    "pdf_is_written",
    "postgresql",
)
"""Tests of seconds each. Left out: they may make a mutant survive that they would notice, never the reverse."""

# Few examples, the same ones every time, and no search for the smallest: one failure is enough.
settings.register_profile(
    "mutants", deadline=None, database=None, derandomize=True, max_examples=20, phases=(Phase.explicit, Phase.generate)
)


class Instead(importlib.abc.Loader, importlib.abc.MetaPathFinder):
    """Loads one module from a changed tree."""

    def __init__(self, module: str, code: CodeType, origin: str) -> None:
        self.module, self.code, self.origin = module, code, origin

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self.origin, loader=self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)  # noqa: S102 - a mutant is code


class Asking:
    """Collects the tests once, runs them on the original, and then asks the quickest first about each mutant."""

    def __init__(self, origin: str, trees: Iterable[ast.Module]) -> None:
        self.origin, self.trees = origin, trees
        self.noticed: list[bool] = []
        self.passes = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        took = {}
        for item, after in pairwise([*session.items, None]):
            before = time.perf_counter()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            took[item] = time.perf_counter() - before
        self.passes = bool(session.items) and not session.testsfailed
        functions = living(self.origin)
        gc.freeze()  # a fork that collected would copy every page
        items = sorted(session.items, key=took.__getitem__)
        for tree in self.trees if self.passes else ():
            self.noticed.append(not _forked(partial(self._ask, session, items, functions, tree)))
        return True

    def _ask(
        self, session: pytest.Session, items: list[pytest.Item], functions: list[FunctionType], tree: ast.Module
    ) -> bool:
        gc.disable()
        exchange(compile(tree, self.origin, "exec"), functions)
        for item in items:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if session.testsfailed:
                return False
        return True


def living(origin: str) -> list[FunctionType]:
    """Every function of this file that something can still call."""
    return [
        thing for thing in gc.get_objects() if isinstance(thing, FunctionType) and thing.__code__.co_filename == origin
    ]


def exchange(code: CodeType, functions: list[FunctionType]) -> None:
    """Give these functions the code they have in `code`."""
    changed = {(inner.co_qualname, inner.co_firstlineno): inner for inner in _inner(code)}
    for function in functions:
        own = function.__code__
        function.__code__ = changed.get((own.co_qualname, own.co_firstlineno), own)


def noticed(origin: str, trees: Iterable[ast.Module], tests: Sequence[str]) -> list[bool] | None:
    """Of each mutant, whether a test fails on it with its code exchanged; None if the tests fail on the original."""
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    asking = Asking(origin, trees)
    _run(tests, asking)
    return asking.noticed if asking.passes else None


def survives(module: str, origin: str, tree: ast.Module, tests: Sequence[str]) -> bool:
    """Whether every test passes although `module` has this tree, loaded anew. A mutant that does not end is dead."""
    code = compile(tree, origin, "exec")

    def anew() -> bool:
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        sys.meta_path.insert(0, Instead(module, code, origin))
        return _run(tests) == 0

    return _forked(anew)


def _inner(code: CodeType) -> Iterator[CodeType]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield const
            yield from _inner(const)


def _forked(passes: Callable[[], bool]) -> bool:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        code = 1
        try:
            code = 0 if passes() else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def _run(tests: Sequence[str], *plugins: object) -> int:
    """Pytest's exit status, without a word."""
    chosen = "--import-mode=importlib -m 'not bench and not fuzz and not slow'"
    options = [
        "-x",
        "-q",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--assert=plain",
        "-o",
        f"addopts={chosen}",
    ]
    kept, quiet = (os.dup(1), os.dup(2)), os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in (1, 2):
            os.dup2(quiet, stream)
        return int(pytest.main([*options, "-k", " and ".join(f"not {name}" for name in LONG), *tests], list(plugins)))
    except BaseException:  # noqa: BLE001 - whatever a mutant does, it is a failed test
        return 1
    finally:
        for stream, before in enumerate(kept, 1):
            os.dup2(before, stream)
            os.close(before)
        os.close(quiet)
