"""Ids of models on the Hugging Face hub, and what is said where one cannot be had."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from huggingface_hub import constants, errors

from fnprune_core.errors import FnpruneError, ModelNotFoundError

#: ``owner/name`` or ``name``, and what follows ``@``: a branch, a tag or a commit.
_ID = re.compile(r"((?:[\w.-]+/)?[\w.-]+)(?:@([\w./-]+))?")
_PICKLED = (".bin", ".pt", ".pth", ".msgpack", ".h5")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubId:
    """A repository of the hub, and the revision that is meant: ``owner/name@revision``.

    Parameters
    ----------
    repository : str
    revision : str or None
        A branch, a tag or a commit; None for the newest.
    """

    repository: str
    revision: str | None

    @classmethod
    def of(cls, source: str) -> "HubId | None":
        """Return the id that a source is, or None if it cannot be one."""
        found = _ID.fullmatch(source)
        return None if found is None else cls(repository=found[1], revision=found[2])

    @property
    def page(self) -> str:
        """Address of the model's page."""
        return f"{constants.ENDPOINT}/{self.repository}"


@contextmanager
def hub_errors(id: HubId) -> Iterator[None]:
    """Turn the errors of the hub into ones that say what to do, in its own words."""
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelNotFoundError(
            f"The model {id.repository!r} is gated: its owner asks you to accept terms first.",
            hint=f"Accept them at {id.page}, run `hf auth login` (or set HF_TOKEN), then try "
            "again.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelNotFoundError(
            f"The model {id.repository!r} has no revision {id.revision!r}.",
            hint=f"{id.page}/commits lists them: a branch, a tag or a commit.",
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise ModelNotFoundError(
            f"There is no model {id.repository!r} on the Hugging Face hub, or it is private.",
            hint="Check the id (owner/name). If it is private, run `hf auth login` (or set "
            "HF_TOKEN) first.",
        ) from error
    except (errors.HfHubHTTPError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(" .:")
        raise ModelNotFoundError(
            f"The model {id.repository!r} could not be fetched: {reason}.",
            hint="Try again later, or give a local folder or GGUF file.",
        ) from error


def no_weights(id: HubId, names: Sequence[str]) -> FnpruneError:
    """Return the error of a repository without safetensors, with what it holds."""
    gguf = [name for name in names if name.endswith(".gguf")]
    if gguf:
        return ModelNotFoundError(
            f"The model {id.repository!r} holds {len(gguf)} GGUF files, and no safetensors.",
            hint=f"Fetch one, `hf download {id.repository} {gguf[0]}`, and give the path that it "
            "prints.",
        )
    pickles = [name for name in names if name.endswith(_PICKLED)]
    if pickles:
        return ModelNotFoundError(
            f"The weights of {id.repository!r} are a pickle, {pickles[0]}: reading one can run "
            "code that lies in it, so none is fetched.",
            hint="Look for a revision with safetensors; Hugging Face keeps many under "
            f"`{id.repository}@refs/pr/1`.",
        )
    return ModelNotFoundError(
        f"The model {id.repository!r} holds no safetensors.",
        hint="Give a model of the transformers library.",
    )
