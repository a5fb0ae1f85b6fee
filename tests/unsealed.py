"""Artifacts as versions before checksums wrote them."""

from pathlib import Path

from fnprune_core.storage.checksums import MANIFEST
from fnprune_core.storage.json_files import read_json, write_json


def unseal(folder: Path) -> Path:
    """Take away an artifact's checksums; return its folder."""
    manifest = read_json(folder / MANIFEST)
    kept = {
        name: value for name, value in manifest.items() if name not in ("files", "checksum", "id")
    }
    write_json(folder / MANIFEST, kept)
    return folder
