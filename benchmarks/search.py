"""Time of the search over an atlas: its index, the model's part, and queries, in CPU seconds."""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from fnprune_core.atlas import files
from fnprune_core.atlas.naming import promoted
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.atlas.search import effects
from fnprune_core.atlas.search.find import Said, find
from fnprune_core.atlas.search.index import build_index
from fnprune_core.models.loading import load_model
from fnprune_core.recording.recording import open_recording
from fnprune_core.storage.workspace import Workspace

QUERIES = ("license", "french", "numbers", "the", "import numpy", "le", "network 5", "zzz")


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return a function's value and the CPU time that it took."""
    start = time.process_time()
    return function(), round(time.process_time() - start, 4)


def main() -> None:
    """Print JSON: seconds of the index, of the model's part, and of each query."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atlas", default="latest")
    arguments = parser.parse_args()
    workspace = Workspace.default()
    atlas = open_atlas(workspace, arguments.atlas)
    recording = open_recording(workspace, atlas.decomposition.recording_id)
    said = Said(
        names=files.network_names(workspace, atlas),
        promoted=promoted.read_promoted(workspace, atlas.id),
    )
    index, index_s = timed(lambda: build_index(atlas, recording))
    model = load_model()
    of_model, model_s = timed(lambda: effects.build_effects(model, atlas, recording.std))
    seconds: dict[str, dict[str, float]] = {}
    for query in QUERIES:
        seconds[query] = {
            name: timed(
                lambda q=query, m=with_model: find(atlas, recording, index, q, said, model=m)
            )[1]
            for name, with_model in (("without model", None), ("with model", (model, of_model)))
        }
    print(json.dumps({"index_s": index_s, "model_s": model_s, "query_s": seconds}, indent=1))


if __name__ == "__main__":
    main()
