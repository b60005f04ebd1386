"""Where the language-neutral test vectors are, and what happens when they are not.

The vectors live outside this repository, in a folder that other implementations read too. The environment
variable `CONFORMANCE_DIR` names it; by default it is `shared` beside the checkout. Tests find their vectors by
pattern, so another folder of the same layout, holding other cases, is run in full.

    @pytest.mark.conformance
    def test_every_proof_has_the_expected_verdict() -> None:
        for path in files("vectors/tlog-proof/**/*.json", shape=lambda p: "expect" in p.read_text()):
            ...

At module level (`@pytest.mark.parametrize("path", files(...))`) an absent folder skips the module in one line.
With CI=true whatever is absent is a failure: a green run there has read the vectors.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent


def in_ci() -> bool:
    """Whether this run must not skip anything for want of a tool or a vector."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def lacking(what: str) -> NoReturn:
    """End the test (or the module, while collecting): skipped on a laptop, failed in CI."""
    if in_ci():
        pytest.fail(what, pytrace=False)
    pytest.skip(what, allow_module_level=True)


def conformance_dir() -> Path:
    """The folder that holds `vectors/`, `standards/` and `data/`; skips or fails when there is none.

    A relative `CONFORMANCE_DIR` is taken from the root of the repository, not from the working directory.
    """
    folder = (ROOT / os.environ.get("CONFORMANCE_DIR", "../shared")).resolve()
    if not folder.is_dir():
        lacking(f"no conformance vectors at {folder}: set CONFORMANCE_DIR")
    return folder


def files(pattern: str, *, shape: Callable[[Path], bool] | None = None) -> list[Path]:
    """All files below the folder that match `pattern` (a glob) and, if given, have the right `shape`, sorted.

    Never empty: a pattern that finds nothing tests nothing, so that too skips, or fails in CI.
    """
    folder = conformance_dir()
    found = sorted(path for path in folder.glob(pattern) if path.is_file() and (shape is None or shape(path)))
    if not found:
        lacking(f"no conformance vectors match {pattern} in {folder}")
    return found
