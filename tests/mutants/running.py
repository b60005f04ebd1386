"""One mutant against the tests of its module, in a forked process that has everything else loaded already.

A mutant is asked twice. First the code of the living functions is exchanged, and nothing is loaded again: fast, and a test
that fails has noticed. What survives that may have been hidden by something kept from the run on the original, so it is asked
again with every module of ours loaded anew. Both times only those tests are run that run the lines of the mutant.
"""

from __future__ import annotations

import ast
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import mmap
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.mutants.making import Mutant
from tests.mutants.watching import caches, watched

OURS = ("verifier", "tests")
SECONDS, PATIENCE = 30, 1_800
"""Of the processor, and by the clock for a mutant that waits: whoever shares the machine may stop us for minutes."""
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
    """Collects the tests once, runs them on the original, and then asks those that run a mutant's lines about it: first
    whoever noticed one before, latest first, then the quickest."""

    def __init__(self, module: str, origin: str, made: Sequence[Mutant]) -> None:
        self.module, self.origin, self.made = module, origin, made
        self.unchanged = Mutant("", "", ast.parse(Path(origin).read_text()), None)
        self.noticed: list[bool] = []
        self.passes = False
        self._caches: list[Any] = []
        self._ran: dict[pytest.Item, set[int]] = {}
        self._order: list[pytest.Item] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        took = {}
        self._caches = caches()
        for item in session.items:
            self._forget()
            with watched(self.origin) as self._ran[item]:
                before = time.perf_counter()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                took[item] = time.perf_counter() - before
        self._order = sorted(session.items, key=took.__getitem__)
        functions = living(self.origin)
        gc.freeze()  # a fork that collected would copy every page
        self.passes = bool(session.items) and not session.testsfailed
        self.passes = self.passes and self._ask(session, self.unchanged, functions) is None
        for mutant in self.made if self.passes else ():
            killer = self._ask(session, mutant, functions)
            self.noticed.append(killer is not None)
            if killer is not None:
                self._order.remove(killer)
                self._order.insert(0, killer)
        return True

    def _forget(self) -> None:
        for cache in self._caches:
            cache.cache_clear()

    def of(self, mutant: Mutant) -> list[pytest.Item]:
        """The tests that could notice it, in the order of asking."""
        if mutant.lines is None:
            return self._order
        return [item for item in self._order if not self._ran[item].isdisjoint(mutant.lines)]

    def _ask(self, session: pytest.Session, mutant: Mutant, functions: list[FunctionType]) -> pytest.Item | None:
        """Who notices: the first of its tests that fails."""
        items, code = self.of(mutant), compile(mutant.tree, self.origin, "exec")
        asked = mmap.mmap(-1, 4)  # shared with the fork: the number of the test that it runs

        def passes() -> bool:
            gc.disable()
            if not exchange(code, functions):
                return True
            replace_constants(self.module, code)
            for number, item in enumerate(items):
                asked[:] = number.to_bytes(4)
                self._forget()
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                if session.testsfailed:
                    return False
            return True

        return None if _forked(passes) or not items else items[int.from_bytes(asked[:])]


def living(origin: str) -> list[FunctionType]:
    """Every function of this file that something can still call."""
    return [
        thing for thing in gc.get_objects() if isinstance(thing, FunctionType) and thing.__code__.co_filename == origin
    ]


def exchange(code: CodeType, functions: list[FunctionType]) -> bool:
    """Give these functions the code they have in `code`; False if one of them takes other variables from around it."""
    changed = {(inner.co_qualname, inner.co_firstlineno): inner for inner in _inner(code)}
    pairs = [
        (function, changed.get((own.co_qualname, own.co_firstlineno), own))
        for function in functions
        for own in [function.__code__]
    ]
    if any(len(function.__code__.co_freevars) != len(other.co_freevars) for function, other in pairs):
        return False
    for function, other in pairs:
        function.__code__ = other
    return True


def replace_constants(module: str, code: CodeType) -> None:
    """Give the module's constants the values they have in `code`, here and wherever they were imported. What is more than
    numbers, texts and collections of them stays: it would be of other classes than those in use."""
    known = sys.modules[module].__dict__
    fresh = {"__name__": module, "__package__": known["__package__"], "__file__": known["__file__"]}
    exec(code, fresh)  # noqa: S102 - a mutant is code
    for name, value in fresh.items():
        before = known.get(name)
        if not _plain(value) or not _plain(before) or value == before:
            continue
        for other in [other for key, other in sys.modules.items() if key.partition(".")[0] in OURS]:
            if other.__dict__.get(name) is before:
                setattr(other, name, value)


def _plain(value: object) -> bool:
    if isinstance(value, (tuple, list, set, frozenset)):
        return type(value) in (tuple, list, set, frozenset) and all(map(_plain, value))
    if isinstance(value, dict):
        return all(map(_plain, value.items()))
    return value is None or isinstance(value, (int, str, bytes, float, re.Pattern))


def noticed(asking: Asking, tests: Sequence[str]) -> list[bool] | None:
    """Of each mutant, whether a test fails on it with its code exchanged; None if the tests fail on the original."""
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    _run(tests, asking)
    return asking.noticed if asking.passes else None


class Chosen:
    """Runs these tests alone, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = {item.nodeid: item for item in items}
        items[:] = [known[name] for name in self.names]


def survives(asking: Asking, mutant: Mutant) -> bool:
    """Whether every test passes although the module is this mutant, loaded anew. A mutant that does not end is dead."""
    code = compile(mutant.tree, asking.origin, "exec")
    names = [item.nodeid for item in asking.of(mutant)]
    files = sorted({name.partition("::")[0] for name in names})

    def anew() -> bool:
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        sys.meta_path.insert(0, Instead(asking.module, code, asking.origin))
        return _run(files, Chosen(names)) == 0

    return not names or _forked(anew)


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
        signal.alarm(PATIENCE)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
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
        "-o",
        "timeout=0",  # ours are in `_forked`
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
