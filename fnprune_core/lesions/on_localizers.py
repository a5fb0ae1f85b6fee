"""Localizers as what lesions are measured on: loss change by condition, over templates."""

from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedTokenizerBase

from fnprune_core.errors import SettingsError, TooFewTokensError
from fnprune_core.lesions.sites import LEAST_UNITS, Stimuli
from fnprune_core.lesions.statistics import Texts
from fnprune_core.localizers.blocks import Presentation, present
from fnprune_core.localizers.ready_made import load
from fnprune_core.localizers.stimuli import Localizer
from fnprune_core.texts.windows import Windows


def ready_stimuli(
    names: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, window: int = 512
) -> Stimuli:
    """Return ready localizers by name as columns, see `localizer_stimuli`."""
    if not names:
        raise SettingsError("No localizer was chosen.", hint="Choose at least one.")
    return localizer_stimuli([load(name) for name in names], tokenizer, window=window)


def localizer_stimuli(
    localizers: Sequence[Localizer], tokenizer: PreTrainedTokenizerBase, *, window: int = 512
) -> Stimuli:
    """Return the blocks of localizers as windows, in columns by condition.

    What is resampled are templates; conditions are compared within their localizer.

    Raises
    ------
    TooFewTokensError
        If a condition has too few templates for a standard error.
    TextError
        If an item has one token, or a block too many; see `present`.
    """
    shown = [present(each, tokenizer, window=window, n_dummy_tokens=0) for each in localizers]
    columns: list[str] = []
    column: list[int] = []
    unit: list[int] = []
    pairs: list[tuple[int, int]] = []
    for localizer, presentation in zip(localizers, shown, strict=True):
        first = len(columns)
        columns += [_titled(localizer, condition) for condition in localizer.conditions]
        names = list(dict.fromkeys(block.template for block in presentation.blocks))
        for block in presentation.blocks:
            column.append(first + localizer.conditions.index(block.condition))
            unit.append(names.index(block.template))
        n = len(localizer.conditions)
        pairs += [(first + a, first + b) for a in range(n) for b in range(a + 1, n)]
    texts = Texts(
        tokens=np.concatenate([np.diff(each.windows.starts) for each in shown]) - 1,
        column=np.array(column),
        unit=np.array(unit),
        n_columns=len(columns),
    )
    for name, n in zip(columns, texts.n_units(), strict=True):
        if n < LEAST_UNITS:
            raise TooFewTokensError(
                f"The condition {name} has {n} templates; a standard error takes {LEAST_UNITS}.",
                hint="Write items in more frames, or name their templates in a third column.",
            )
    units = dict.fromkeys(localizer.unit for localizer in localizers)
    return Stimuli(
        windows=_joined(shown, columns, window),
        texts=texts,
        columns=tuple(columns),
        unit=" or ".join(units),
        pairs=tuple(pairs),
    )


def _titled(localizer: Localizer, condition: str) -> str:
    return f"{localizer.title}: {condition}"


def _joined(shown: Sequence[Presentation], columns: Sequence[str], window: int) -> Windows:
    """Return the windows of all localizers one after another, each condition a domain."""
    parts = [each.windows for each in shown]
    documents = np.cumsum([0, *(len(part.document_names) for part in parts)])
    domains = np.cumsum([0, *(len(part.domain_names) for part in parts)])
    tokens = np.cumsum([0, *(part.n_tokens for part in parts)])
    return Windows(
        token_ids=np.concatenate([part.token_ids for part in parts]),
        starts=np.concatenate(
            [[0], *(part.starts[1:] + n for part, n in zip(parts, tokens, strict=False))]
        ),
        document_index=np.concatenate(
            [part.document_index + n for part, n in zip(parts, documents, strict=False)]
        ),
        domain_index=np.concatenate(
            [part.domain_index + n for part, n in zip(parts, domains, strict=False)]
        ),
        document_names=tuple(
            f"{number}, {name}" for number, part in enumerate(parts) for name in part.document_names
        ),
        domain_names=tuple(columns),
        window=window,
        n_dummy_tokens=0,
        adds_bos=parts[0].adds_bos,
    )
