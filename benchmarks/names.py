"""What the suggested names of an atlas's networks rest on: how many by each part of the rule."""

import argparse
import json
from collections import Counter

from fnprune_core.atlas.naming.suggestions import names_of
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.storage.workspace import Workspace


def main() -> None:
    """Print JSON: how many names are of each part of the rule, and the names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atlas", default="latest")
    workspace = Workspace.default()
    names = names_of(workspace, open_atlas(workspace, parser.parse_args().atlas))
    counts = Counter(name.kind for name in names)
    print(json.dumps({"kinds": counts, "names": [name.text for name in names]}, indent=1))


if __name__ == "__main__":
    main()
