"""Localizers as stimuli for lesions: loss change by condition, over templates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fnprune_core.errors import SettingsError
from fnprune_core.lesions.sites import Stimuli
from fnprune_core.lesions.statistics import Texts
from fnprune_core.localizers.blocks import Presentation, present
from fnprune_core.localizers.ready_made import load
from fnprune_core.localizers.stimuli import Localizer
from fnprune_core.texts.windows import Windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def ready_stimuli(
    names: Sequence[str], tokenizer: "PreTrainedTokenizerBase", *, window: int = 512
) -> Stimuli:
    """Return ready localizers by name as columns, see `localizer_stimuli`."""
    if not names:
        raise SettingsError("No localizer was chosen.", hint="Choose at least one.")
    return localizer_stimuli([load(name) for name in names], tokenizer, window=window)


def localizer_stimuli(
    localizers: Sequence[Localizer], tokenizer: "PreTrainedTokenizerBase", *, window: int = 512
) -> Stimuli:
    """Return the blocks of localizers as windows, in columns by condition.

    Templates are resampled; conditions are compared within their localizer. A condition with too
    few of them has no error, and nothing is tested in it.

    Raises
    ------
    TextError
        If an item has one token, or a block too many; see `present`.
    """
    presentations = [
        present(localizer, tokenizer, window=window, n_dummy_tokens=0) for localizer in localizers
    ]
    columns: list[str] = []
    column_of_window: list[int] = []
    unit_of_window: list[int] = []
    pairs: list[tuple[int, int]] = []
    for localizer, presentation in zip(localizers, presentations, strict=True):
        first_column = len(columns)
        columns += [_column_title(localizer, condition) for condition in localizer.conditions]
        names = list(dict.fromkeys(block.template for block in presentation.blocks))
        for block in presentation.blocks:
            column_of_window.append(first_column + localizer.conditions.index(block.condition))
            unit_of_window.append(names.index(block.template))
        n_conditions = len(localizer.conditions)
        pairs += [
            (first_column + a, first_column + b)
            for a in range(n_conditions)
            for b in range(a + 1, n_conditions)
        ]
    texts = Texts(
        tokens=np.concatenate(
            [np.diff(presentation.windows.starts) for presentation in presentations]
        )
        - 1,
        column=np.array(column_of_window),
        unit=np.array(unit_of_window),
        n_columns=len(columns),
    )
    units = dict.fromkeys(localizer.unit for localizer in localizers)
    return Stimuli(
        windows=_joined_windows(presentations, columns, window),
        texts=texts,
        columns=tuple(columns),
        unit=" or ".join(units),
        pairs=tuple(pairs),
    )


def _column_title(localizer: Localizer, condition: str) -> str:
    return f"{localizer.title}: {condition}"


def _joined_windows(
    presentations: Sequence[Presentation], columns: Sequence[str], window: int
) -> Windows:
    """Return the windows of all localizers one after another, each condition a domain."""
    localizer_windows = [presentation.windows for presentation in presentations]
    documents = np.cumsum([0, *(len(windows.document_names) for windows in localizer_windows)])
    domains = np.cumsum([0, *(len(windows.domain_names) for windows in localizer_windows)])
    tokens = np.cumsum([0, *(windows.n_tokens for windows in localizer_windows)])
    return Windows(
        token_ids=np.concatenate([windows.token_ids for windows in localizer_windows]),
        starts=np.concatenate(
            [
                [0],
                *(
                    windows.starts[1:] + offset
                    for windows, offset in zip(localizer_windows, tokens, strict=False)
                ),
            ]
        ),
        document_index=np.concatenate(
            [
                windows.document_index + offset
                for windows, offset in zip(localizer_windows, documents, strict=False)
            ]
        ),
        domain_index=np.concatenate(
            [
                windows.domain_index + offset
                for windows, offset in zip(localizer_windows, domains, strict=False)
            ]
        ),
        document_names=tuple(
            f"{number}, {name}"
            for number, windows in enumerate(localizer_windows)
            for name in windows.document_names
        ),
        domain_names=tuple(columns),
        window=window,
        n_dummy_tokens=0,
        adds_bos=localizer_windows[0].adds_bos,
    )
