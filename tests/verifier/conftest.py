"""What several tests of the verifier audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verifier.cases import honest
from tests.verifier.forge import write


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an honest `bundle`, its `policy`, and `quorum`, a policy that asks for a witness."""
    files, world = honest()
    write(files, tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    (tmp_path / "quorum").write_text(world.policy(quorum=True))
    return tmp_path
