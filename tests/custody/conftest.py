"""A token for a test, where SoftHSM2 is installed."""

from __future__ import annotations

import pytest

from tests.custody.softhsm import SoftToken, new_token


@pytest.fixture
def token() -> SoftToken:
    """A token of its own."""
    return new_token()
