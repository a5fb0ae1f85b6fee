"""fnprune: functional networks of language models, found, drawn, preserved and pruned."""

from importlib import metadata

try:
    __version__ = metadata.version("fnprune")
except metadata.PackageNotFoundError:  # run from a source tree that was not installed
    __version__ = "0.0.0"
