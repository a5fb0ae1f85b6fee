"""An atlas with all that a report tells of."""

from types import SimpleNamespace

import pytest
from written_report import reported


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> SimpleNamespace:
    """A tiny model's atlas with plans, a perplexity, lesions, and a name that is markup."""
    return reported(tmp_path_factory.mktemp("report"))
