"""Two routers that are recorded, and a person's way to them."""

from __future__ import annotations

import pytest
from tests.unit.watch.recording import Recording


@pytest.fixture(scope="module")
def server():
    with Recording() as made:
        yield made
