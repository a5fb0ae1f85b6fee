"""Each picture's "how was this made" is Python that runs."""

import shutil
from pathlib import Path

import pytest

from app.shell import recipes
from fnprune_core.atlas import cortex
from fnprune_core.storage.workspace import Workspace

VALUES = {
    "network": 1,
    "z": 2.0,
    "pole": -1,
    "session": 0,
    "unit": 3,
    "token": 5,
    "networks": (0, 1),
    "text": "aq ar as at",
    "prompt": "aq ar as at",
    "is_chat": False,
    "n_tokens": 8,
    "temperature": 0.0,
    "silenced": (1,),
    "width": 16,
    "n_states": 2,
    "plan": "0" * 16,
    "generation": "0" * 16,
    "whose": "dense",
    "result": "0" * 16,
    "which": "language",
    "first": "0" * 16,
    "second": "1" * 16,
    "settings": {"ratio": 0.2, "preserved": (0, 2)},
}
# Those of lesions need a study that was run: they are tested with their page.
ON_THEIR_PAGES = {"lesions", "lesion-cell", "lesion-curve"}


@pytest.fixture(scope="module")
def laid_out(made, tmp_path_factory) -> Path:
    """A copy of the example's workspace with the cortex laid out."""
    root = shutil.copytree(made.root / "workspace", tmp_path_factory.mktemp("recipes") / "example")
    cortex.lay_out(Workspace(root), made.atlas)
    return root


@pytest.mark.parametrize("name", sorted(set(recipes.RECIPES) - ON_THEIR_PAGES))
def test_recipe_runs(name, made, laid_out, monkeypatch) -> None:
    monkeypatch.setenv("FNPRUNE_WORKSPACE", str(laid_out))
    code = recipes.code(name, atlas=made.atlas, model=made.model, other=made.atlas, **VALUES)
    exec(compile(code, name, "exec"), {})
