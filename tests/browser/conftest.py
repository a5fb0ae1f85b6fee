"""A person at a browser."""

from collections.abc import Iterator

import pytest
from browsing import Browser, opened, served


@pytest.fixture
def browser(need_chromium, example, fresh, tmp_path) -> Iterator[Browser]:
    """A browser on the app over the tiny example's workspace."""
    # Tiny models are faster on one thread.
    with (
        served(fresh, log=tmp_path / "server.log", OMP_NUM_THREADS="1") as url,
        opened(need_chromium, url) as person,
    ):
        yield person
