"""Sessions reduced once, so that many resamplings of them need no new pass over the signals.

Each piece of a recording (one document's part of one session) keeps its leading components with
their singular values. The group PCA of any resampling is then an eigendecomposition of a part of
one Gram matrix of all components: a piece that was drawn w times enters with the factor √w.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor

from fnprune_core.errors import TooFewTokensError
from fnprune_core.progress import NEVER, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.recording.group_pca import leading_rows
from fnprune_core.recording.sessions import Sessions, document_codes, normalised

#: Most bytes that a pool of components may take: its rows, and its Gram matrices.
ROWS_BYTES = 3_000_000_000
GRAM_BYTES = 1_500_000_000
#: Eigendecompositions grow with the cube of the rows.
MOST_ROWS = 6144
LEAST_DOCUMENTS = 4
LEAST_SESSIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Tokens that are drawn and split together.

    Parameters
    ----------
    parts : tuple of (session, positions)
        Usable tokens of a session, as positions in it.
    draw : int
        Pieces of one draw are drawn together: those of one session.
    source : int
        Pieces of one source never part: those of one document.
    domain : int
    n_documents : int
        Documents of its source: 1 unless whole ones were joined.
    """

    parts: tuple[tuple[int, NDArray[np.int64]], ...]
    draw: int
    source: int
    domain: int
    n_documents: int = 1

    @property
    def n_tokens(self) -> int:
        """Number of usable tokens."""
        return sum(len(positions) for _, positions in self.parts)


def most_pieces(n_units: int, n_blocks: int, n_components: int) -> int:
    """Return how many pieces of so many components fit in `ROWS_BYTES` and `GRAM_BYTES`."""
    rows = min(MOST_ROWS, ROWS_BYTES // (4 * n_units), int((GRAM_BYTES / 8 / n_blocks) ** 0.5))
    return max(rows // n_components, LEAST_DOCUMENTS)


def pieces_of(sessions: Sessions, tokens: pd.DataFrame, *, most: int) -> list[Piece]:
    """Cut a recording into pieces: the part of each session that belongs to one document.

    Of more pieces than `most`, neighbours are joined: reduced, drawn and split together.
    """
    domain = tokens["domain"].cat.codes.to_numpy()
    document = document_codes(tokens)
    usable = ~sessions.is_dummy
    pieces = []
    for session in range(sessions.n_sessions):
        span = sessions.session_slice(session)
        for code in np.unique(document[span][usable[span]]):
            positions = np.flatnonzero((document[span] == code) & usable[span])
            pieces.append(
                Piece(
                    parts=((session, positions),),
                    draw=session,
                    source=int(code),
                    domain=int(domain[span][positions[0]]),
                )
            )
    return pieces if len(pieces) <= most else _join_pieces(pieces, most)


def _join_pieces(pieces: Sequence[Piece], most: int) -> list[Piece]:
    """Join neighbours until at most `most` pieces (or one a domain) are left.

    No document is tied to another as long as each can be a piece of its own; of more documents,
    whole ones of one domain are joined.
    """
    documents: dict[int, list[Piece]] = {}
    for piece in sorted(pieces, key=lambda piece: (piece.domain, piece.source, piece.draw)):
        documents.setdefault(piece.source, []).append(piece)
    chunks: list[list[Piece]] = []
    if len(documents) <= most:
        n_extra = _proportional_counts(
            [len(members) for members in documents.values()], most - len(documents)
        )
        for members, share in zip(documents.values(), n_extra, strict=True):
            n = min(1 + int(share), len(members))
            chunks += [members[span] for span in _even_slices(len(members), n)]
    else:
        domains: dict[int, list[list[Piece]]] = {}
        for members in documents.values():
            domains.setdefault(members[0].domain, []).append(members)
        shares = _proportional_counts(
            [len(domain_documents) for domain_documents in domains.values()], most
        )
        for domain_documents, share in zip(domains.values(), shares, strict=True):
            for span in _even_slices(len(domain_documents), max(1, int(share))):
                chunks.append([piece for members in domain_documents[span] for piece in members])
    return [
        Piece(
            parts=tuple(part for piece in chunk for part in piece.parts),
            draw=i,
            source=chunk[0].source,
            domain=chunk[0].domain,
            n_documents=len({piece.source for piece in chunk}),
        )
        for i, chunk in enumerate(chunks)
    ]


def _proportional_counts(sizes: Sequence[int], n: int) -> NDArray[np.int64]:
    """Return whole numbers in proportion to `sizes` that sum to `n`."""
    bounds = n * np.cumsum([0, *sizes]) // sum(sizes)
    return np.asarray(np.diff(bounds), dtype=np.int64)


def _even_slices(length: int, n: int) -> list[slice]:
    """Return `n` parts of a list of `length`, as even as can be."""
    return [slice(a, b) for a, b in pairwise(np.linspace(0, length, n + 1).astype(int))]


def count_documents(pieces: Iterable[Piece]) -> int:
    """Return how many documents pieces hold."""
    return sum({piece.source: piece.n_documents for piece in pieces}.values())


def check_sessions(pieces: Iterable[Piece]) -> None:
    """Raise `TooFewTokensError` if there are too few sessions to draw them with replacement."""
    n = len({piece.draw for piece in pieces})
    if n < LEAST_SESSIONS:
        raise TooFewTokensError(
            f"Only {n} session{'s' * (n != 1)}: too few to draw from; it takes {LEAST_SESSIONS}.",
            hint="Record more texts.",
        )


def check_documents(pieces: Iterable[Piece]) -> None:
    """Raise `TooFewTokensError` if there are too few documents to split them in halves."""
    n = len({piece.source for piece in pieces})
    if n < LEAST_DOCUMENTS:
        raise TooFewTokensError(
            f"Halves are made of whole documents, and this recording has only {n} of them; it "
            f"takes {LEAST_DOCUMENTS}.",
            hint="Record more documents.",
        )


def split_documents(pieces: Sequence[Piece], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which pieces fall in the first half, at random: (n_pieces,).

    Documents stay whole, and each domain's tokens are divided as evenly as they can be.
    """
    check_documents(pieces)
    size: dict[tuple[int, int], int] = {}
    domain_of: dict[int, int] = {}
    for piece in pieces:
        domain_of.setdefault(piece.source, piece.domain)
        key = (domain_of[piece.source], piece.source)
        size[key] = size.get(key, 0) + piece.n_tokens
    keys = [list(size)[i] for i in rng.permutation(len(size))]
    # Large documents first, for the small ones can still even out what they leave.
    keys.sort(key=lambda key: (key[0], -size[key]))
    side: dict[int, int] = {}
    total = np.zeros(2)
    domain, domain_total = -1, np.zeros(2)
    for key in keys:
        if key[0] != domain:
            domain, domain_total = key[0], np.zeros(2)
        order = sorted((0, 1), key=lambda i: (domain_total[i], total[i], rng.random()))
        side[key[1]] = order[0]
        domain_total[order[0]] += size[key]
        total[order[0]] += size[key]
    return np.array([side[piece.source] == 0 for piece in pieces])


def draw_sessions(pieces: Sequence[Piece], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each piece occurs when sessions are drawn with replacement: (n_pieces,)."""
    draws = np.array([piece.draw for piece in pieces])
    sessions, index = np.unique(draws, return_inverse=True)
    times = np.bincount(rng.integers(len(sessions), size=len(sessions)), minlength=len(sessions))
    return times[index].astype(np.float64)


class Space:
    """Rows over the units of one block; maps in it are mixtures of the rows.

    Parameters
    ----------
    rows : Tensor (n_rows, units)
        Centred over units.
    centred_gram : ndarray (n_rows, n_rows)
        Their Gram matrix.
    """

    def __init__(self, rows: Tensor, centred_gram: NDArray[np.floating]) -> None:
        self.rows = rows
        self.centred_gram = centred_gram

    @property
    def n_units(self) -> int:
        """Number of units of the block."""
        return int(self.rows.shape[1])

    def signals(self, mixture: NDArray[np.floating]) -> Tensor:
        """Return mixtures of the rows: (n, units)."""
        return torch.from_numpy(mixture).to(self.rows) @ self.rows

    def correlation(self, a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return abs(r) between maps of norm 1 that are given as mixtures: (n, m)."""
        return np.asarray(np.abs(a @ self.centred_gram @ b.T), dtype=np.float64)

    def projections(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the products of any maps, at norm 1, with the rows: (n, n_rows).

        Times the transpose of a mixture of norm 1, this is their r.
        """
        unit = maps - maps.mean(axis=1, keepdims=True)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        return np.asarray((torch.from_numpy(unit).to(self.rows) @ self.rows.T).cpu().double())


class Pool(Space):
    """Components of all pieces, over the units of one block.

    Parameters
    ----------
    rows : Tensor (n_rows, units)
        Components with their singular values; centred over units in place.
    owner : ndarray (n_rows,)
        The piece of each row.
    """

    def __init__(
        self, rows: Tensor, owner: NDArray[np.int64], *, cancel: CancelToken = NEVER
    ) -> None:
        self.gram = _gram(rows, cancel)
        mean = rows.mean(dim=1, keepdim=True)
        rows -= mean
        shift = mean.cpu().numpy() * np.sqrt(rows.shape[1], dtype=np.float32)
        super().__init__(rows, self.gram - shift @ shift.T)
        self.owner = owner

    def n_rows(self, weights: NDArray[np.floating]) -> int:
        """Return how many components a resampling has."""
        return int((weights[self.owner] > 0).sum())

    def group_pca(self, weights: NDArray[np.floating], k: int) -> NDArray[np.float64]:
        """Return the K group components of a resampling, strongest first: (K, n_rows) mixtures.

        Parameters
        ----------
        weights : ndarray (n_pieces,)
            How often each piece occurs.
        """
        factor = np.sqrt(weights[self.owner])
        used = np.flatnonzero(factor)
        if len(used) < k:
            raise TooFewTokensError(
                f"A part of the recording holds only {len(used)} components, too few for {k} "
                "networks.",
                hint="Record more tokens or choose a lower K.",
            )
        gram = self.gram[np.ix_(used, used)].astype(np.float64)
        gram *= factor[used, None] * factor[used]
        _, vectors = eigh(gram, subset_by_index=[len(used) - k, len(used) - 1], overwrite_a=True)
        mixture = np.zeros((k, len(factor)))
        mixture[:, used] = vectors[:, ::-1].T * factor[used]
        return mixture


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """Settings of the reduction: components kept, scale of units (as in `GroupICA`), device."""

    n_components: int
    normalize: str
    device: torch.device


def build_pools(
    sessions: Sessions,
    blocks: Sequence[NDArray[np.int64]],
    pieces: Sequence[Piece],
    *,
    reduction: Reduction,
    stage: str = "reducing sessions",
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> list[Pool]:
    """Reduce each piece to its leading components, in one pass over the sessions; one pool a block.

    Memory: `ROWS_BYTES` + `GRAM_BYTES` at most, given pieces that `most_pieces` allows.
    """
    device, n_components = reduction.device, reduction.n_components
    sizes = [min(n_components, piece.n_tokens) for piece in pieces]
    starts = np.cumsum([0, *sizes])
    owner = np.repeat(np.arange(len(pieces)), sizes)
    index = [torch.from_numpy(block).to(device) for block in blocks]
    rows = [
        torch.empty(int(starts[-1]), len(block), dtype=torch.float32, device=device)
        for block in blocks
    ]
    loaded_session, signals = -1, torch.empty(0, dtype=torch.float32)
    for number, piece in enumerate(pieces):
        progress(ProgressEvent(stage=stage, done=number, total=len(pieces), unit="pieces"))
        reduced: list[Tensor | None] = [None] * len(blocks)
        for session, positions in piece.parts:
            cancel.raise_if_cancelled()
            if session != loaded_session:
                loaded_session = session
                signals = normalised(
                    sessions, session, normalize=reduction.normalize, device=device
                )
            piece_signals = signals[torch.from_numpy(positions).to(device)]
            for block, units in enumerate(index):
                previous, new = reduced[block], piece_signals[:, units]
                stacked = new if previous is None else torch.cat([previous, new])
                reduced[block] = leading_rows(stacked, min(n_components, len(stacked)))
        for block_rows, block_components in zip(rows, reduced, strict=True):
            if block_components is not None:
                block_rows[starts[number] : starts[number + 1]] = block_components
    progress(ProgressEvent(stage=stage, done=len(pieces), total=len(pieces), unit="pieces"))
    return [Pool(block_rows, owner, cancel=cancel) for block_rows in rows]


def _gram(rows: Tensor, cancel: CancelToken, step: int = 512) -> NDArray[np.float32]:
    """Return rows · rowsᵀ, from its upper triangle: O(n² · units / 2)."""
    n = len(rows)
    gram = np.empty((n, n), dtype=np.float32)
    for start in range(0, n, step):
        cancel.raise_if_cancelled()
        band = slice(start, min(start + step, n))
        products = (rows[band] @ rows[start:].T).cpu().numpy()
        gram[band, start:] = products
        gram[start:, band] = products.T
    return gram
