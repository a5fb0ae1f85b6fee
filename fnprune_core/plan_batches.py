"""Which plans are made in one pass: as many as what compensates for them fits in memory."""

from collections.abc import Iterator, Sequence

from fnprune_core.models.architectures import weight_of
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.compensation import compensation_named

#: What compensates for the plans that are made in one pass is in memory together, at most so much.
MOST_BYTES = 1 << 30


def refit_bytes(language_model: LanguageModel, settings: PlanSettings) -> int:
    """Return the size of what compensates for a plan: float32 columns of the units that stay.

    And the rows that feed them, where these are trained too.
    """
    compensation = compensation_named(settings.compensation)
    if not compensation.needs_gram:
        return 0
    architecture = language_model.architecture
    n_rows = architecture.n_fused * len(architecture.feeding) if compensation.is_trained else 0
    hidden = int(weight_of(language_model.model.get_input_embeddings()).shape[1])
    kept = language_model.layout.n_units * (1 - settings.ratio)
    return int(4 * hidden * (1 + n_rows) * kept)


def batches(
    language_model: LanguageModel, wanted: Sequence[PlanSettings]
) -> Iterator[list[PlanSettings]]:
    """Yield neighbours of `wanted` whose compensation fits in memory together."""
    batch: list[PlanSettings] = []
    held = 0
    for settings in wanted:
        size = refit_bytes(language_model, settings)
        if batch and held + size > MOST_BYTES:
            yield batch
            batch, held = [], 0
        batch.append(settings)
        held += size
    yield batch
