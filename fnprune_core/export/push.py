"""Push an export to the Hugging Face hub, whole and with its model card."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants, errors, get_token

from fnprune_core.errors import CorruptArtifactError, SettingsError, StorageError
from fnprune_core.inputs.files import path_of
from fnprune_core.storage.checksums import damages
from fnprune_core.storage.json_files import read_checked_json
from fnprune_core.storage.workspace import EXPORT_RECORD

#: What the hub's client raises where it cannot be reached, of whichever HTTP library it has.
_HTTPError: type[Exception] = errors.HfHubHTTPError.__bases__[0]
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def push(
    folder: Path | str,
    repository: str,
    *,
    private: bool = True,
    message: str = "Pruned with fnprune",
) -> str:
    """Upload an exported folder as one commit; return the address of its page.

    The repository is made if it is not there. The same folder pushed again makes no second commit.

    Parameters
    ----------
    folder : path
        What `fnprune export` wrote; its files are checked against their checksums first.
    repository : str
        ``owner/name`` on the hub.
    private : bool
        Whether a repository that is made is private. One that is there stays as it is.
    message : str
        Of the commit.

    Raises
    ------
    SettingsError
        If the folder is no complete export, or the name is none of a repository.
    StorageError
        If nobody is logged in, the account may not write there, or the hub cannot be reached.
    """
    source = check_export(folder)
    if not _REPOSITORY.fullmatch(repository):
        raise SettingsError(
            f"{repository!r} is no repository of the Hugging Face hub.",
            hint="Give owner/name, such as lab/smaller-model.",
        )
    if not get_token():
        raise StorageError(
            "Nobody is logged in to the Hugging Face hub.",
            hint="Run `hf auth login`, or set HF_TOKEN to a token that may write.",
        )
    api = HfApi(endpoint=constants.ENDPOINT)
    with _told(repository):
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(folder_path=source, repo_id=repository, commit_message=message)
    return f"{constants.ENDPOINT}/{repository}"


def check_export(folder: Path | str) -> Path:
    """Return the full path of an exported folder whose files are all there and unchanged.

    Raises
    ------
    SettingsError
        If it is no export, or a file is missing or was changed.
    """
    path = path_of(folder).resolve()
    try:
        record = read_checked_json(path / EXPORT_RECORD)
        damaged = damages(path, record)
    except (CorruptArtifactError, LookupError, OSError, TypeError) as error:
        raise SettingsError(
            f"{path} is no folder that `fnprune export` wrote.",
            hint="Export the plan first, then push the folder that the command prints.",
        ) from error
    if damaged:
        raise SettingsError(
            f"{path} is not as it was exported: {damaged[0]}",
            hint="Export it again into a new folder. To push a folder that you changed yourself, "
            "use `hf upload`.",
        )
    return path


@contextmanager
def _told(repository: str) -> Iterator[None]:
    """Turn the errors of the hub into ones that say what to do."""
    try:
        yield
    except (_HTTPError, OSError) as error:
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if status in (401, 403):
            raise StorageError(
                f"The account that is logged in may not write to {repository!r}.",
                hint="Use your own name or an organisation of yours as owner, and a token with "
                "the role *write*.",
            ) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(" .:")
        raise StorageError(
            f"{repository!r} could not be pushed: {reason}.",
            hint="Nothing of the folder is lost. Try again later.",
        ) from error
