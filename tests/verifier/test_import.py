"""The verifier stands alone and starts fast."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conformance import ROOT

ALL = "verifier.errors verifier.encoding verifier.note verifier.policy verifier.log verifier.passkey verifier.cose"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


def test_importing_the_verifier_loads_nothing_else_of_ours_and_takes_under_150_ms() -> None:
    best = min(cumulative_ms(run("-X", "importtime", "-c", "import verifier").stderr) for _ in range(5))
    print(f"import verifier: {best:.1f} ms")
    assert best < 150


def cumulative_ms(report: str) -> float:
    """Of `import verifier` with all it loads."""
    found = re.search(r"\|\s*(\d+) \| verifier$", report, re.MULTILINE)
    assert found, report
    return int(found[1]) / 1000


def test_all_modules_load_no_code_of_ours_and_no_library_and_take_under_150_ms() -> None:
    """With the libraries left aside: those are loaded when a signature is checked."""
    program = (
        "import sys, time; before = time.perf_counter(); "
        f"import {ALL.replace(' ', ', ')}; took = time.perf_counter() - before; "
        "print(took * 1000, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    reports = [run("-c", program).stdout.split() for _ in range(5)]
    best, loaded = min(float(report[0]) for report in reports), set(reports[0][1:])
    print(f"all modules: {best:.1f} ms")
    assert best < 150
    assert loaded.isdisjoint({"ledger", "api", "migrations", "tests"})
    assert {name for name in loaded if name not in sys.stdlib_module_names} <= {
        "verifier",
        "__main__",
    } | site_hooks()


def site_hooks() -> set[str]:
    """Modules that this interpreter loads before any program (editable installs and the like)."""
    program = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    return set(run("-c", program).stdout.split())
