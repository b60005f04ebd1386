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
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
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
        exec(self.code, module.__dict__)


def survives(module: str, origin: str, tree: ast.Module, tests: Sequence[str]) -> bool:
    """Whether every test passes although `module` has this tree. A mutant that does not end is dead."""
    code = compile(tree, origin, "exec")

    def exchange() -> None:
        changed = {(inner.co_qualname, inner.co_firstlineno): inner for inner in _inner(code)}
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType) and thing.__code__.co_filename == origin:
                own = thing.__code__
                thing.__code__ = changed.get((own.co_qualname, own.co_firstlineno), own)

    def anew() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        sys.meta_path.insert(0, Instead(module, code, origin))

    return _passes(exchange, tests) and _passes(anew, tests)


def _inner(code: CodeType) -> Iterator[CodeType]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield const
            yield from _inner(const)


def _passes(prepare: Callable[[], None], tests: Sequence[str]) -> bool:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        prepare()
        os._exit(_run(tests))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def loaded(tests: Sequence[str]) -> bool:
    """Run the tests here, on the original: loads every library once, for all forks, and tells whether they pass."""
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    return _run(tests) == 0


def _run(tests: Sequence[str]) -> int:
    """Pytest's exit status, without a word."""
    chosen = "--import-mode=importlib -m 'not bench and not fuzz and not slow'"
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain", "-o", f"addopts={chosen}"]
    kept, quiet = (os.dup(1), os.dup(2)), os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in (1, 2):
            os.dup2(quiet, stream)
        return int(pytest.main([*options, "-k", " and ".join(f"not {name}" for name in LONG), *tests]))
    except BaseException:  # noqa: BLE001 - whatever a mutant does, it is a failed test
        return 1
    finally:
        for stream, before in enumerate(kept, 1):
            os.dup2(before, stream)
            os.close(before)
        os.close(quiet)
