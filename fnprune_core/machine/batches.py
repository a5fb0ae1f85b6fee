"""Batches of windows that memory holds, and the passes in which a model reads them.

On a GPU a batch is one pass. On a CPU it is several, side by side, each of few windows and on one
thread: then nothing that a pass gives depends on the number of threads or on the batch, and no core
waits for the others at each product of matrices.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from fnprune_core.errors import SettingsError
from fnprune_core.machine.threads import of_each

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_Read = TypeVar("_Read")
#: Of one pass on a CPU, if windows are shorter: of more tokens it is no quicker.
PASS_TOKENS = 512
#: Most that the windows of a batch may take on a CPU.
_CPU_BYTES = 4 << 30
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


def in_passes(model: "PreTrainedModel", ids: Tensor, read: Callable[[slice], _Read]) -> list[_Read]:
    """Return what `read` gives for each pass over windows (n_windows, tokens), in their order.

    On a CPU as many passes at a time as there are threads, in threads of their own, so `read` may
    change nothing that it shares with others but the rows that it is asked for.

    Parameters
    ----------
    read : callable
        Runs the model over some rows of `ids`; called in inference mode.
    """
    n_windows, n_tokens = ids.shape
    n_each = _of_a_pass(n_tokens) if is_on_cpu(model) else n_windows
    rows = [slice(i, min(i + n_each, n_windows)) for i in range(0, n_windows, n_each)]

    def pass_over(part: slice) -> _Read:
        with torch.inference_mode():  # each thread has its own
            return read(part)

    return of_each(pass_over, rows, device=ids.device, share=not is_on_cpu(model))


def is_on_cpu(model: "PreTrainedModel") -> bool:
    """Whether all of a model is in the CPU's memory."""
    return all(parameter.device.type == "cpu" for parameter in model.parameters())


def _of_a_pass(window: int) -> int:
    """Return how many windows of so many tokens a CPU reads in one pass."""
    return max(1, PASS_TOKENS // window)


def windows_that_fit(
    model: "PreTrainedModel", window: int, *, most: int, kept_bytes: int = 0
) -> int:
    """Return how many windows of so many tokens a batch may take.

    On GPUs `most`, or as many as half of the memory should hold that the model leaves on the
    fullest of them. The same for a model at all times, so that results do not hang on what else
    a GPU holds. On a CPU at least `most` and a pass for each thread, in whole passes, but what 4 GB
    hold: results do not hang on it.

    Parameters
    ----------
    kept_bytes : int
        What is kept of each token in the CPU's memory.
    """
    if is_on_cpu(model):
        n_each = _of_a_pass(window)
        n_bytes = n_each * window * (bytes_per_token(model.config, model.dtype) + kept_bytes)
        n_passes = max(torch.get_num_threads(), -(-most // n_each))
        return n_each * max(1, min(n_passes, _CPU_BYTES // n_bytes))
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
    config = config.get_text_config(decoder=True)
    hidden = int(getattr(config, "hidden_size", 0) or 0)
    width = getattr(config, "intermediate_size", 0) or 4 * hidden
    width = int(max(width) if isinstance(width, list) else width)  # Gemma 3n says it by layer
    vocabulary = int(getattr(config, "vocab_size", 0) or 0)
    n_values = _OF_VOCABULARY * vocabulary + _OF_LAYER * width + _OF_HIDDEN * hidden
    return n_values * dtype.itemsize
