"""What the report does not show, in general and of these data."""

from collections.abc import Iterator

from fnprune_core.evaluation.history import history
from fnprune_core.reliability.resampling import LEAST_DOCUMENTS
from fnprune_core.reliability.results import HIGH
from fnprune_core.report.material import Material
from fnprune_core.report.parts import Listing, Section

_FEW_DOCUMENTS = 20
_TOKENS_A_NETWORK = 100
_LOW = 0.5


def limits(m: Material) -> Section:
    """Return the limits, those of these data first."""
    return Section(
        key="limits",
        title="Limits",
        blocks=(Listing(items=tuple([*_of_these_data(m), *_in_general()])),),
    )


def _of_these_data(m: Material) -> Iterator[str]:
    yield from _of_texts(m)
    yield from _of_networks(m)
    yield from _of_artifacts(m)
    yield from _of_errors(m)


def _of_texts(m: Material) -> Iterator[str]:
    n_tokens = int((~m.atlas.is_dummy).sum())
    if m.n_documents < _FEW_DOCUMENTS:
        yield (
            f"The recording holds {m.n_documents} documents. What is resampled over documents "
            "has wide errors, and another choice of texts could move the networks."
        )
    if m.n_documents < LEAST_DOCUMENTS:
        yield "So few documents cannot be split, so that reproducibility is not known."
    if n_tokens < _TOKENS_A_NETWORK * m.atlas.n_networks:
        yield (
            f"{n_tokens:,} tokens for {m.atlas.n_networks} networks are few: "
            f"{n_tokens / m.atlas.n_networks:.0f} a network."
        )
    if len(m.atlas.domain_names) == 1:
        yield "There is one domain: nothing is known of what distinguishes domains."


def _of_networks(m: Material) -> Iterator[str]:
    d = m.atlas.decomposition
    n_failed = int((~d.converged).sum())
    if n_failed:
        yield f"{n_failed} of {len(d.converged)} ICA runs did not converge."
    if d.variance_explained < _LOW:
        yield (
            f"The networks explain {d.variance_explained:.0%} of the variance of the scaled "
            "activations; the rest is outside this atlas."
        )
    found = m.assessment
    if found.halves is None:
        yield "Split-half reproducibility was not measured: no network is known to be found again."
    elif low := int((found.halves.mean < HIGH).sum()):
        yield (
            f"{low} of {m.atlas.n_networks} networks reproduce below |r| = {HIGH:g} in halves "
            "of the documents: single ones among them should not be relied on."
        )


def _of_artifacts(m: Material) -> Iterator[str]:
    if len({tuple(v.items()) for v in m.versions().values()}) > 1:
        yield "Not all artifacts were made with the same versions; see the table of versions."
    others = len(m.all_plans.plans) - len(m.plans)
    if others:
        yield f"{others} other plans of this model are from other recordings and are left out."
    damaged = set(m.workspace.ids("plans")) - {plan.id for plan in history(m.workspace).plans}
    if damaged:
        yield f"Plans that cannot be read are left out: {', '.join(sorted(damaged))}."


def _of_errors(m: Material) -> Iterator[str]:
    for text in m.texts():
        measured = next(found for plan in m.plans if (found := plan.on(text)) is not None)
        if m.result(measured.evaluation_id).resampling_unit != "documents":
            yield (
                f"The perplexities on text {measured.protocol['text_sha256'][:16]} have errors "
                "over blocks of windows, for it has fewer than 20 documents: windows of one "
                "document may lie in different blocks, so these errors may be too small."
            )


def _in_general() -> Iterator[str]:
    yield (
        "One calibration text: no error says how networks, scores or plans would differ on another."
    )
    yield (
        "Neurons have no anatomical neighbours, there are no haemodynamics, networks overlap, and "
        "“subjects” are texts. z is over the units of one map, not a test over subjects."
    )
    yield (
        "That a network is strong where something is read does not say that the model needs it "
        "there; only lesions and pruning speak to that."
    )
    yield (
        "ICA finds heavy-tailed directions from any start: that a network is found again over "
        "seeds is no evidence by itself. Reproducibility over documents is the telling figure."
    )
    yield "Perplexity on a text is one measure of a language model, and not of its usefulness."
