"""Pages of the app in a session without a browser."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

MAIN = Path(__file__).parents[2] / "app" / "main.py"


@pytest.fixture(scope="session", autouse=True)
def packages_are_searched_once() -> Iterator[None]:
    """Streamlit looks for components in all installed packages, a server once, `AppTest` each time.

    That was a third of the time of all tests of pages.
    """
    name = "scan_component_manifests"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, name, cache(getattr(manifest_scanner, name)))
        yield


@pytest.fixture
def open_page(fresh) -> Callable[..., AppTest]:
    """Open a page in a new session, as its link does: ``open_page("atlas", atlas=id)``."""

    def opened(page: str = "start", **parameters: str) -> AppTest:
        at = AppTest.from_file(MAIN, default_timeout=60)
        for name, value in parameters.items():
            at.query_params[name] = value
        if page != "start":
            # `switch_page` needs a run of Start before, which takes longer than most pages do.
            at._page_hash = calc_hash(page)
        return at.run()

    return opened
