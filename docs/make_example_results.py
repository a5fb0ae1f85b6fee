"""The results of the worked example that take long, packed for `assets/example_results.zip`.

Run as ``python docs/make_example_results.py WORKSPACE`` with the installed package, after the
other commands of `fnprune_core.example.beforehand.COMMANDS` over the same workspace.
"""

import sys
from pathlib import Path

from fnprune_core.atlas.embedding import EmbeddingSettings, embed, embedding_id
from fnprune_core.example.beforehand import KINDS, pack
from fnprune_core.example.ids import find_example
from fnprune_core.storage.workspace import Workspace


def main() -> None:
    """Embed the example's atlas, and pack it with its assessments and lesions."""
    workspace = Workspace(Path(sys.argv[1]))
    ids = find_example(workspace)
    if ids is None:
        sys.exit("There is no example here: run fnprune example first.")
    embed(workspace, ids.decomposition_id)
    embedded = embedding_id(ids.decomposition_id, EmbeddingSettings())
    artifacts = [
        (kind, entry.id)
        for kind in KINDS
        for entry in workspace.entries(kind)
        if ids.decomposition_id in str(entry.manifest)
        and (kind != "embeddings" or entry.id == embedded)
    ]
    content = pack(workspace, ids.decomposition_id, artifacts)
    print(f"{len(artifacts)} results, {len(content) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
