"""Fixtures of the atlas's pages: the example with its cortex, or with its model in memory."""

import pytest

from app.shell import resources
from fnprune_core.atlas import cortex


@pytest.fixture
def placed(example):
    """The example with its cortex laid out."""
    cortex.lay_out(resources.workspace(), example.atlas)
    return example


@pytest.fixture
def loaded(example):
    """The example, with its model in memory."""
    resources.shelf().get(example.model, progress=lambda event: None)
    return example
