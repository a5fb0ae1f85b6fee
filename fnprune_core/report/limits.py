"""Limits: what the report does not show, in general and of these data."""

import math
from collections.abc import Iterator

from fnprune_core.atlas.membership import HIGH
from fnprune_core.evaluation.history import history
from fnprune_core.evaluation.intervals import MIN_DOCUMENTS
from fnprune_core.reliability.resampling import LEAST_DOCUMENTS
from fnprune_core.report.material import Material
from fnprune_core.report.parts import Block, Listing

#: Fewer members than this say little of where a network is.
FEW = 10

_FEW_DOCUMENTS = 20
_TOKENS_A_NETWORK = 100
_LOW = 0.5


def limits(material: Material) -> Iterator[Block]:
    """Yield the limits, those of these data first."""
    yield Listing(items=(*_of_these_data(material), *_in_general()))


def _of_these_data(material: Material) -> Iterator[str]:
    yield from _of_texts(material)
    yield from _of_networks(material)
    yield from _of_artifacts(material)
    yield from _of_units(material)
    yield from _of_errors(material)


def _of_texts(material: Material) -> Iterator[str]:
    n_tokens = int((~material.atlas.is_dummy).sum())
    if material.n_documents < _FEW_DOCUMENTS:
        yield (
            f"The recording holds {material.n_documents} documents. What is resampled over "
            "documents has wide errors, and another choice of texts could move the networks."
        )
    if material.n_documents < LEAST_DOCUMENTS:
        yield "So few documents cannot be split, so that reproducibility is not known."
    if n_tokens < _TOKENS_A_NETWORK * material.atlas.n_networks:
        yield (
            f"{n_tokens:,} tokens for {material.atlas.n_networks} networks are few: "
            f"{n_tokens / material.atlas.n_networks:.0f} a network."
        )
    if len(material.atlas.domain_names) == 1:
        yield "There is one domain: nothing is known of what distinguishes domains."


def _of_networks(material: Material) -> Iterator[str]:
    decomposition = material.atlas.decomposition
    n_failed = int((~decomposition.converged).sum())
    if n_failed:
        yield f"{n_failed} of {len(decomposition.converged)} ICA runs did not converge."
    if decomposition.variance_explained < _LOW:
        yield (
            f"The networks explain {100 * decomposition.variance_explained:.0f} % of the variance "
            "of the scaled activations; the rest is outside this atlas."
        )
    assessment = material.assessment
    if assessment.halves is None:
        yield "Split-half reproducibility was not measured: no network is known to be found again."
    elif n_low := int((assessment.halves.mean < HIGH).sum()):
        yield (
            f"{n_low} of {material.atlas.n_networks} networks reproduce below |r| = {HIGH:g} in "
            "halves of the documents: single ones among them should not be relied on."
        )


def _of_units(material: Material) -> Iterator[str]:
    n = material.atlas.known_members
    if material.z is not None or n is None:
        yield (
            f"The units of a network ({material.atlas.rule(material.z)}) are its strongest, and "
            "were not checked on halves of the documents "
            f"(fnprune trust {material.atlas.id} --parts members,shifted_members)."
        )
    elif n_few := int((n.sum(axis=1) < FEW).sum()):
        yield (
            f"{n_few} of {len(n)} networks have fewer than {FEW} members: there is too little "
            "text to say which units belong to them."
        )


def _of_artifacts(material: Material) -> Iterator[str]:
    if len({tuple(packages.items()) for packages in material.versions().values()}) > 1:
        yield "Not all artifacts were made with the same versions; see the table of versions."
    n_others = len(material.all_plans.plans) - len(material.plans)
    if n_others:
        yield f"{n_others} other plans of this model are from other recordings and are left out."
    unread_plans = set(material.workspace.ids("plans")) - {
        plan.id for plan in history(material.workspace).plans
    }
    # Of what cannot be opened at all it is not known which atlas it belongs to.
    unread = {item.title.lower() for item in material.workspace.damaged()}
    unread |= {f"plan {id}" for id in unread_plans}
    if unread:
        yield (
            "What cannot be read is left out, and some of it may belong to this atlas: "
            f"{', '.join(sorted(unread))}."
        )


def _of_errors(material: Material) -> Iterator[str]:
    for text in material.texts():
        measurement = next(
            candidate for plan in material.plans if (candidate := plan.on(text)) is not None
        )
        if not math.isfinite(measurement.standard_error):
            yield (
                f"The perplexities on text {measurement.protocol['text_sha256'][:16]} have no "
                f"errors: its {measurement.n_documents} documents weigh less than the "
                f"{MIN_DOCUMENTS} of equal length that an interval takes."
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
