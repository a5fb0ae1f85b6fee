"""What is imported as soon as the server is up, and what waits until it is used."""

import subprocess
import sys

from app.doors import early


def test_early_imports_hold_what_the_first_page_needs_and_no_model_code() -> None:
    code = (
        "from app.doors import early; early.import_early().join(); import sys\n"
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert loaded >= set(early.MODULES)
    assert "torch" in loaded
    # Each takes seconds, and only a model or an embedding needs it.
    assert not loaded & {"transformers.modeling_utils", "umap"}
