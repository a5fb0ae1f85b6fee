"""Windows: the tokens of documents as the model reads them, one stretch at a time."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from fnprune_core.errors import SettingsError

_ARRAYS = {
    "token_ids": np.int32,
    "starts": np.int64,
    "document_index": np.int32,
    "domain_index": np.int32,
}
#: What is stored of windows beside the table of their tokens.
STORED = (
    "document_names", "domain_names", "window", "n_dummy_tokens", "text_sha256",
    "n_dropped_tokens", "adds_bos",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Tokens of several documents, cut into windows that a model reads one at a time.

    Parameters
    ----------
    token_ids : ndarray of int32, (n_tokens,)
        All windows one after another.
    starts : ndarray of int64, (n_windows + 1,)
        Where each window begins, and the end.
    document_index, domain_index : ndarray of int32, (n_tokens,)
        The document and domain of each token, into `document_names` and `domain_names`.
    document_names, domain_names : tuple of str
        Without repetition; each has tokens here.
    window : int
        Tokens in a window; only with `allow_short` are some windows shorter.
    n_dummy_tokens : int
        So many tokens at the start of each window are left out of statistics.
    text_sha256 : str
        Of token ids, windows, documents and domains; computed if not given.
    n_dropped_tokens : int
        Tokens of the documents read that fill no window.
    adds_bos : bool
        Whether each document begins with a token that the tokenizer put there.
    chat : bool
        Whether each document stands in the model's chat template.
    """

    token_ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    document_index: NDArray[np.int32]
    domain_index: NDArray[np.int32]
    document_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    window: int
    n_dummy_tokens: int
    text_sha256: str = ""
    n_dropped_tokens: int = 0
    adds_bos: bool = False
    chat: bool = False

    def __post_init__(self) -> None:
        for name, dtype in _ARRAYS.items():
            array = np.array(getattr(self, name), dtype=dtype)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        for name in ("document_names", "domain_names"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        n_tokens = len(self.token_ids)
        if not len(self.document_index) == len(self.domain_index) == n_tokens:
            raise ValueError("Each token needs a document and a domain.")
        if len(self.starts) < 2 or self.starts[0] != 0 or self.starts[-1] != n_tokens:
            raise ValueError(f"`starts` must go from 0 to {n_tokens}.")
        if not self.text_sha256:
            object.__setattr__(self, "text_sha256", self._hash())

    @property
    def n_tokens(self) -> int:
        """Number of tokens in all windows."""
        return len(self.token_ids)

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return len(self.starts) - 1

    @property
    def session(self) -> NDArray[np.int32]:
        """Window of each token, (n_tokens,)."""
        return np.repeat(np.arange(self.n_windows, dtype=np.int32), np.diff(self.starts))

    @property
    def position(self) -> NDArray[np.int32]:
        """Place of each token in its window, from 0, (n_tokens,)."""
        positions = np.arange(self.n_tokens) - self.starts[self.session]
        return positions.astype(np.int32)

    @property
    def is_dummy(self) -> NDArray[np.bool_]:
        """Whether each token is one of the first `n_dummy_tokens` of its window, (n_tokens,)."""
        return self.position < self.n_dummy_tokens

    def window_ids(self, i: int) -> NDArray[np.int32]:
        """Return the token ids of window `i`, read-only."""
        if not 0 <= i < self.n_windows:
            raise IndexError(f"There are {self.n_windows} windows; {i} is none of them.")
        return self.token_ids[self.starts[i] : self.starts[i + 1]]

    def select(self, indices: ArrayLike) -> Self:
        """Return the windows `indices` in that order; names without tokens are left out."""
        window_indices = np.asarray(indices, dtype=np.int64).reshape(-1)
        if not len(window_indices):
            raise SettingsError("No window was selected.", hint="Select at least one.")
        if window_indices.min() < 0 or window_indices.max() >= self.n_windows:
            raise IndexError(
                f"There are {self.n_windows} windows; asked for {window_indices.tolist()}."
            )
        tokens = np.concatenate(
            [np.arange(self.starts[i], self.starts[i + 1]) for i in window_indices]
        )
        documents, document_index = np.unique(self.document_index[tokens], return_inverse=True)
        domains, domain_index = np.unique(self.domain_index[tokens], return_inverse=True)
        return type(self)(
            token_ids=self.token_ids[tokens],
            starts=np.concatenate([[0], np.cumsum(np.diff(self.starts)[window_indices])]),
            document_index=document_index.astype(np.int32),
            domain_index=domain_index.astype(np.int32),
            document_names=tuple(self.document_names[i] for i in documents),
            domain_names=tuple(self.domain_names[i] for i in domains),
            window=self.window,
            n_dummy_tokens=self.n_dummy_tokens,
            n_dropped_tokens=self.n_dropped_tokens,
            adds_bos=self.adds_bos,
            chat=self.chat,
        )

    def _hash(self) -> str:
        digest = hashlib.sha256()
        for name in _ARRAYS:
            array = getattr(self, name)
            digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
        digest.update("\0".join([*self.document_names, "", *self.domain_names]).encode())
        return digest.hexdigest()


def batches_of(windows: Windows, batch_size: int, *, first: int = 0) -> Iterator[range]:
    """Yield consecutive windows of equal length, at most `batch_size` at a time."""
    lengths = np.diff(windows.starts)
    start = first
    while start < windows.n_windows:
        stop = start + 1
        while (
            stop < windows.n_windows
            and stop - start < batch_size
            and lengths[stop] == lengths[start]
        ):
            stop += 1
        yield range(start, stop)
        start = stop


def stacked_ids(windows: Windows, batch: range) -> Tensor:
    """Return the token ids of a batch of equally long windows: (len(batch), tokens)."""
    return torch.from_numpy(np.stack([windows.window_ids(i) for i in batch]).astype(np.int64))
