"""The models that lie in the Hugging Face cache of this machine: size, kind, whole or not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants, errors

from fnprune_core.errors import ModelNotFoundError
from fnprune_core.inputs.files import read_bytes
from fnprune_core.inputs.json_values import parse_json
from fnprune_core.models.architectures import ARCHITECTURES
from fnprune_core.models.checkpoint_checks import CONFIG, INDEX, MOST_CONFIG_BYTES
from fnprune_core.models.sources.kinds import reason_against

KNOWN_TYPES = {kind for row in ARCHITECTURES.values() for kind in row.model_types}


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedModel:
    """A model in the cache.

    Parameters
    ----------
    source : str
        What loads it: its id, with ``@revision`` where it is not the newest.
    size_bytes : int
    model_type : str
        As its config says; empty where it says none.
    is_known : bool
        Whether its family is a row of the table; of others the units are found by structure.
    standing : str
        Empty where it can be loaded; else why not.
    """

    source: str
    size_bytes: int
    model_type: str
    is_known: bool
    standing: str


def cached_models() -> list[CachedModel]:
    """Return the models in the cache, by name; data sets and what has no config are left out."""
    if not Path(constants.HF_HUB_CACHE).is_dir():
        return []
    try:
        repositories = huggingface_hub.scan_cache_dir(constants.HF_HUB_CACHE).repos
    except (errors.CacheNotFound, OSError):
        return []
    found = []
    for repository in repositories:
        if repository.repo_type != "model":
            continue
        for revision in repository.revisions:
            folder = revision.snapshot_path
            if not (folder / CONFIG).is_file():
                continue
            config = _config(folder)
            names = sorted(revision.refs)
            name = "" if "main" in names else f"@{names[0] if names else revision.commit_hash}"
            found.append(
                CachedModel(
                    source=f"{repository.repo_id}{name}",
                    size_bytes=revision.size_on_disk,
                    model_type=str(config.get("model_type", "")),
                    is_known=config.get("model_type") in KNOWN_TYPES,
                    standing=_standing(folder, config),
                )
            )
    return sorted(found, key=lambda model: model.source.lower())


def _config(folder: Path) -> dict[str, Any]:
    try:
        content = read_bytes(folder / CONFIG, most=MOST_CONFIG_BYTES, error=ModelNotFoundError)
        config = parse_json(content)
    except (ValueError, ModelNotFoundError):
        return {}
    return config if isinstance(config, dict) else {}


def _standing(folder: Path, config: dict[str, Any]) -> str:
    """Return why a model cannot be loaded, as far as its files tell without reading a weight."""
    kind = config.get("model_type")
    if not isinstance(kind, str):
        return "its config names no type"
    reason = reason_against(kind, config.get)
    if reason:
        return reason
    names: set[Any] = {"model.safetensors"}
    if (folder / INDEX).is_file():
        try:
            names = set(parse_json((folder / INDEX).read_bytes())["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            return "its index of weights is damaged"
    is_whole = all((folder / str(name)).is_file() for name in names)
    return "" if is_whole else "not all of its weights are here; loading fetches them"
