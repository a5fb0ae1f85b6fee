"""Fixtures for what a machine may lack: Chromium, the embedded model, llama.cpp.

A test that needs one is skipped with a reason where it is absent; with the environment variable
``FNPRUNE_REQUIRE_ALL`` set, as in CI, the same absence is a failure.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from fnprune_core.errors import FnpruneError
from fnprune_core.export.gguf import llama_cpp
from fnprune_core.models.embedded import embedded_model_folder


def _absent(reason: str) -> NoReturn:
    if os.environ.get("FNPRUNE_REQUIRE_ALL"):
        pytest.fail(f"Absent, and FNPRUNE_REQUIRE_ALL is set: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def need_chromium() -> tuple[Path, Path]:
    """Return the programs of Chromium and of its driver."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        _absent("chromium and chromedriver are not both installed.")
    return Path(browser), Path(driver)


@pytest.fixture(scope="session")
def need_llama_cpp() -> None:
    """Need llama.cpp, as the package xllamacpp."""
    if not llama_cpp.is_installed():
        _absent(f"{llama_cpp.PACKAGE} is not installed.")


@pytest.fixture(scope="session")
def need_embedded_model() -> Path:
    """Return the folder of the embedded model, fetched if it is not in the cache."""
    try:
        return embedded_model_folder()
    except FnpruneError as error:
        reason = str(error)
    _absent(reason)
