"""Batches of windows that memory holds: sized before on a GPU, halved where it did not."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from fnprune_core.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_Read = TypeVar("_Read")
#: How errors say it that are of no kind of their own: of torch's CPU, CUDA, cuBLAS and MPS.
_SIGNS = ("defaultcpuallocator", "out of memory", "cublas_status_alloc_failed")
#: Of what a model leaves of a GPU's memory; the rest is for what differs between families.
_SHARE = 0.5
#: Vectors of each size that are alive at once in a pass, with room to spare.
_OF_VOCABULARY, _OF_LAYER, _OF_HIDDEN = 2, 4, 12


class FittingBatches:
    """Reads batches whole, or in parts once memory did not hold one.

    Parameters
    ----------
    most : int
        Windows that are read together.

    Attributes
    ----------
    most : int
        As many as were found to fit.
    """

    def __init__(self, most: int) -> None:
        self.most = most

    def parts(self, batch: range, read: Callable[[range], _Read]) -> Iterator[tuple[range, _Read]]:
        """Yield the parts of a batch, in order, with what `read` gives for each.

        Where memory runs out, half as many windows are tried, from then on.

        Raises
        ------
        SettingsError
            If memory does not hold a single window.
        """
        start = batch.start
        while start < batch.stop:
            part = range(start, min(start + self.most, batch.stop))
            try:
                found = read(part)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if len(part) == 1:
                    raise SettingsError(
                        "Memory does not hold a pass over a single window.",
                        hint="Take shorter windows, a smaller dtype (bfloat16), or `sharded` over "
                        "several devices.",
                    ) from error
                self.most = len(part) // 2
            else:
                yield part, found
                start = part.stop
                continue
            # Only here, where the error and all that it holds on to are gone.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).casefold()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _SIGNS)


def windows_that_fit(model: "PreTrainedModel", window: int, *, most: int) -> int:
    """Return how many windows of so many tokens a pass may take, `most` at most.

    On GPUs as many as half of the memory should hold that the model leaves on the fullest of them;
    elsewhere `most`. The same for a model at all times, so that results do not hang on what else
    a GPU holds.
    """
    held: dict[torch.device, int] = {}
    for parameter in model.parameters():
        held[parameter.device] = held.get(parameter.device, 0) + parameter.nbytes
    left = [
        torch.cuda.get_device_properties(device).total_memory - n_bytes
        for device, n_bytes in held.items()
        if device.type == "cuda"
    ]
    if not left:
        return most
    return fitting(min(left), window * bytes_per_token(model.config, model.dtype), most=most)


def fitting(free_bytes: int, bytes_each: int, *, most: int) -> int:
    """Return how many things of a size go into a share of what is free: from 1 to `most`."""
    return max(1, min(most, int(_SHARE * free_bytes / max(bytes_each, 1))))


def bytes_per_token(config: Any, dtype: torch.dtype) -> int:
    """Return about how many bytes a token takes in a pass, by what a model's config says."""
    hidden = int(getattr(config, "hidden_size", 0) or 0)
    width = int(getattr(config, "intermediate_size", 0) or 4 * hidden)
    vocabulary = int(getattr(config, "vocab_size", 0) or 0)
    n_values = _OF_VOCABULARY * vocabulary + _OF_LAYER * width + _OF_HIDDEN * hidden
    return n_values * dtype.itemsize
