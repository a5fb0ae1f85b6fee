"""Models of the Hugging Face hub: ids with a revision, and their files, fetched into its cache.

What is fetched is what a causal model is loaded from: config, tokenizer, safetensors. The config
comes first, so that what cannot be used or does not fit is refused before its weights are fetched.
"""

import io
import os
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
from huggingface_hub import constants, errors
from tqdm import tqdm

from fnprune_core.errors import StorageError
from fnprune_core.models.sources.hub_ids import HubId, hub_errors, no_weights
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.storage.folders import check_free_space

_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?")
#: Endings of a repository's other files that a causal model is loaded with.
_SMALL = (".json", ".txt", ".model", ".jinja", ".tiktoken")
_MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFiles:
    """The files of a model on the hub.

    Parameters
    ----------
    id : HubId
    commit : str
    small, weights : dict of str to int
        Name of a file to its bytes: those needed beside weights, and the weights.
    """

    id: HubId
    commit: str
    small: dict[str, int]
    weights: dict[str, int]


def is_reachable() -> bool:
    """Whether the hub answers; without this, an offline machine waits for a minute of retries."""
    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        return True  # behind a proxy a direct connection says nothing
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname, port), timeout=3).close()
    except OSError:
        return False
    return True


def cached_folder(id: HubId) -> Path | None:
    """Return the folder of a model in the cache, whole or not; None where there is none."""
    try:
        folder = huggingface_hub.snapshot_download(
            id.repository, revision=id.revision, local_files_only=True
        )
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        return None
    return Path(folder) if (Path(folder) / "config.json").is_file() else None


def files_of(id: HubId) -> HubFiles:
    """Ask the hub for a model's files.

    Raises
    ------
    ModelNotFoundError
        If there is no such model or revision, it is gated or private, or it holds no safetensors.
    """
    with hub_errors(id):
        info = huggingface_hub.HfApi().model_info(
            id.repository, revision=id.revision, files_metadata=True
        )
    sizes = {each.rfilename: int(each.size or 0) for each in info.siblings or ()}
    weights = {name: size for name, size in sizes.items() if _WEIGHTS.fullmatch(name)}
    if not weights:
        raise no_weights(id, sorted(sizes))
    small = {
        name: size
        for name, size in sizes.items()
        if "/" not in name and name.endswith(_SMALL) and name not in weights
    }
    return HubFiles(id=id, commit=str(info.sha), small=small, weights=weights)


def missing_bytes(files: HubFiles) -> int:
    """Return the bytes of weights that are not in the cache yet."""
    return sum(size for name, size in files.weights.items() if not _is_cached(files, name))


def fetch(
    files: HubFiles,
    names: Sequence[str],
    *,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Path:
    """Fetch files of a model into the cache, those that are there already aside.

    Stopped, or on an error, it deletes what it had begun and what it had fetched.

    Returns
    -------
    Path
        The folder of the model in the cache.

    Raises
    ------
    Cancelled
        If the person asked to stop.
    StorageError
        If the disk has no room.
    ModelNotFoundError
        If the hub refuses, or the connection breaks.
    """
    sizes = files.small | files.weights
    missing = [name for name in names if not _is_cached(files, name)]
    total = sum(sizes[name] for name in missing)
    if missing:
        _check_room(total)
    done, fetched = 0, list[Path]()

    def report(n_bytes: int) -> None:
        cancel.raise_if_cancelled()
        nonlocal done
        done += n_bytes
        progress(
            ProgressEvent(
                stage=f"downloading {files.id.repository}",
                done=min(done, total) // _MB,
                total=max(1, total // _MB),
                unit="MB",
            )
        )

    bars = _bars(report)
    try:
        with hub_errors(files.id):
            for name in missing:
                report(0)
                fetched.append(_fetch_one(files.id, name, bars))
            config = _fetch_one(HubId(repository=files.id.repository, revision=files.commit))
    except BaseException:  # nothing half is left, whatever stopped it
        _delete(fetched)
        raise
    return config.parent


def _fetch_one(id: HubId, name: str = "config.json", bars: Any = None) -> Path:
    return Path(
        huggingface_hub.hf_hub_download(
            id.repository,
            name,
            revision=id.revision,
            tqdm_class=bars,
        )
    )


def _bars(report: Any) -> type[tqdm]:
    """Return a class of bars that draws nothing and reports the bytes that come in."""

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            try:
                report(int(n or 0))
            except BaseException:
                _stop_xet()
                raise
            return bool(super().update(n))

    return Bar


def _stop_xet() -> None:
    """Stop a transfer of the hub's chunk store, whose threads hear of no exception."""
    with suppress(ImportError, AttributeError):
        import_module("huggingface_hub.utils._xet").abort_xet_session()


def _is_cached(files: HubFiles, name: str) -> bool:
    found = huggingface_hub.try_to_load_from_cache(files.id.repository, name, revision=files.commit)
    return isinstance(found, str)


def _check_room(n_bytes: int) -> None:
    cache = Path(constants.HF_HUB_CACHE)
    try:
        check_free_space(cache, n_bytes)
    except StorageError as error:
        raise StorageError(
            error.message, hint="Free some space, or set HF_HOME to a folder on another disk."
        ) from error


def _delete(paths: Sequence[Path]) -> None:
    """Delete files of the cache, the blobs that they link to, and folders that are empty then."""
    for path in paths:
        blob = path.resolve()
        for each in (path, blob):
            each.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent, blob.parent):
            with suppress(OSError):
                folder.rmdir()
