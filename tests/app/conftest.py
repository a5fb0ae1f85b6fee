"""Pages of the app in a session without a browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import pages

MAIN = Path(__file__).parents[2] / "app" / "main.py"


@pytest.fixture
def open_page(fresh) -> Callable[..., AppTest]:
    """Open a page in a new session: ``open_page("atlas", atlas=id)``."""

    def opened(page: str = "start", **parameters: str) -> AppTest:
        at = AppTest.from_file(MAIN, default_timeout=60)
        for name, value in parameters.items():
            at.query_params[name] = value
        at.run()
        if page != "start":
            at.switch_page(pages.path(page)).run()
        return at

    return opened
