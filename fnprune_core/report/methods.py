"""Section on the methods, in words, with every parameter that the artifacts carry."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from fnprune_core.atlas.chance.beside import explained_sentence
from fnprune_core.atlas.chance.directions import KINDS
from fnprune_core.atlas.membership import RULE, shares_sentence
from fnprune_core.matching.dual_regression import applied_note
from fnprune_core.plans.allocation import ALLOCATIONS
from fnprune_core.pruning.compensation import COMPENSATIONS
from fnprune_core.reliability.assess import PARTS
from fnprune_core.report.material import Material
from fnprune_core.report.parts import Block, Column, Heading, Table, Text
from fnprune_core.report.references import uncited
from fnprune_core.scores.units import SCORES
from fnprune_core.storage.manifests import read_manifest

_DEFAULT_NOTE = "the default"
_CONTRAST = {"cube": "the fourth power (kurtosis)", "logcosh": "log cosh"}
_ALGORITHM = {"fastica": "FastICA {hyvarinen1999}", "picard": "Picard-O {ablin2018}"}


def methods(material: Material) -> Iterator[Block]:
    """Yield the methods, from the model to the statistics."""
    for part in (_model_and_texts, _networks, _trust, _decoding, _pruning, _software):
        yield from part(material)


def _model_and_texts(material: Material) -> Iterator[Block]:
    facts, windows, layout = (
        material.recording,
        material.recording["windows"],
        material.atlas.layout,
    )
    widths = sorted(set(layout.widths))
    width = f"{widths[0]:,}" if len(widths) == 1 else f"{widths[0]:,} to {widths[-1]:,}"
    n_dummy = windows["n_dummy_tokens"]
    yield Heading(text="Model and texts")
    yield Text(
        text=f"The model is {uncited(facts['model_name'])}{_model_citation(facts)} (fingerprint "
        f"of its weights {facts['inputs']['fingerprint']}), read in {facts['inputs']['dtype']}. "
        "A unit is an input of an MLP's output projection, a neuron: "
        f"{width} in each of {layout.n_layers} layers, {layout.n_units:,} in all."
    )
    n_texts = len(windows["document_names"])
    parts_note = "" if n_texts == material.n_documents else f" (in {n_texts} parts)"
    yield Text(
        text=f"It read {windows['n_tokens']:,} tokens of {material.n_documents} "
        f"documents{parts_note}, cut into {windows['n_windows']} windows of {windows['window']} "
        "tokens that do not overlap (table below; hash of the text "
        f"{windows['text_sha256'][:16]}). What enters each output projection was recorded at every "
        f"token. The first {n_dummy} tokens of a window, where attention sinks sit, are left out "
        "of all statistics, as the first scans of a run are in fMRI. A window is a session."
        + (
            " Each document stood in the model's chat template, as what a user says."
            if facts["inputs"].get("chat")
            else ""
        )
    )
    if facts["inputs"].get("keep", "all") != "all":
        yield Text(
            text="Signals were reduced while they were read and not kept: to the moments of each "
            "session, group components for up to "
            f"{facts['inputs']['most_networks']} networks, and second moments of each layer. Where "
            "tokens are weighted, what the components do not hold of a signal counts as in the "
            "mean over tokens."
        )
    if "perplexity" in facts:
        yield Text(text=f"The model's perplexity on these texts is {facts['perplexity']:.2f}.")
    yield Table(
        name="texts",
        title="Texts that were recorded; parts of one text are one document.",
        frame=material.domains,
        columns={
            "domain": Column(title="Domain"),
            "sessions": Column(title="Sessions"),
            "tokens": Column(title="Tokens"),
            "documents": Column(title="Documents"),
        },
    )


def _model_citation(facts: Mapping[str, Any]) -> str:
    return " {allal2025}" if facts.get("model_source") == "embedded" else ""


def _networks(material: Material) -> Iterator[Block]:
    decomposition, settings = material.atlas.decomposition, material.atlas.decomposition.settings
    is_per_session = settings.get("normalize") == "session"
    scaled = "within each session" if is_per_session else "over the whole recording"
    yield Heading(text="Functional networks")
    if note := applied_note(decomposition):
        yield Text(
            text=f"{note} There was no ICA on these texts: maps and time courses come from dual "
            "regression {nickerson2017}. Stage 1 regresses each token's scaled activations on the "
            "template's maps, which gives time courses; stage 2 regresses each unit on these. "
            f"Units were scaled {scaled}."
        )
    else:
        yield Text(text=_ica_sentence(material, scaled))
    yield Text(
        text=f"A map is z over the {int(decomposition.alive.sum()):,} units that vary, with the "
        "heavier tail positive; a time course is the least-squares strength of all maps at "
        f"each token. {_units_sentence(material)} z is over the units of one map: it is a "
        "threshold, not a test over subjects. "
        f"{explained_sentence(material.atlas, material.directions)}"
    )
    if material.cortex is not None:
        yield Text(
            text="Neurons have no neighbours, so maps are drawn on a cortex that was made for "
            "them: each layer is a sheet on which units of one network and one sign lie together, "
            "at the same place in neighbouring layers. Distances in it are no measurements."
        )


def _units_sentence(material: Material) -> str:
    if material.z is not None or material.atlas.known_members is None:
        return (
            f"The units of a network are its strongest ({material.atlas.rule(material.z)}); they "
            "were not checked on halves of the documents."
        )
    measured = material.assessment
    shares = (
        f": {shares_sentence(measured.members, measured.shifted_members)}"
        if measured.members is not None
        else "."
    )
    return f"A unit belongs to a network if it has {RULE}{shares}"


def _ica_sentence(material: Material, scaled: str) -> str:
    decomposition, settings = material.atlas.decomposition, material.atlas.decomposition.settings
    k = settings["n_components"]
    # A summary was reduced when it was recorded, for as many networks as it may hold.
    most_networks = material.recording["inputs"].get("most_networks", k)
    n_kept = settings.get("n_session_components") or 2 * most_networks
    scope_text = (
        "in each layer by itself"
        if settings.get("scope") == "layer"
        else "in the whole model at once"
    )
    n_runs, n_converged = len(decomposition.converged), int(decomposition.converged.sum())
    return (
        "That a language model has functional networks, which ICA finds in the activations of its "
        "MLP units, is from {liu2025}. "
        f"Group ICA {{calhoun2001}} looked for {k} networks {scope_text}. Activations were scaled "
        f"{scaled}; each session was reduced to its {n_kept} leading principal components, these "
        f"to {k} by incremental group PCA {{smith2014}}, and these were rotated by spatial ICA: "
        f"{_ALGORITHM.get(settings['algorithm'], settings['algorithm'])} with "
        f"{_CONTRAST.get(settings['fun'], settings['fun'])} as contrast, tolerance "
        f"{settings['tol']:g}, at most {settings['max_iter']} iterations, seed {settings['seed']}. "
        f"Of {n_runs} runs from random starts {n_converged} converged, and the one of highest "
        "contrast is shown; how far the others agree is measured by pairs of maps."
    )


_TRUST = {
    "halves": (
        "Split-half reproducibility: documents were divided at random in two halves, {n_splits} "
        "times; each half was decomposed by itself, a network's partners in both were found by "
        "the Hungarian method, and |r| between them is averaged. The unit is the document."
    ),
    "members": (
        "Members of networks: by the same kind of halves, {n_splits} divisions, which units belong "
        "to a network."
    ),
    "shifted_members": (
        "Members by chance: the same rule in networks, as many, that were found after every unit "
        "was shifted in time by itself ({n_splits} divisions)."
    ),
    "rotated": (
        "Beside split-half reproducibility, in the same halves: the whitened components of each "
        "half, and the atlas's maps, after random rotations (seed {seed}), so that the axes are "
        "chance."
    ),
    "seeds": (
        "Stability over seeds, after ICASSO {{himberg2004}}: {n_seeds} runs from random starts, "
        "clustered; Iq times the share of runs in which the cluster was found."
    ),
    "bootstrap": (
        "Stability over texts, likewise: {n_bootstraps} runs on sessions drawn with replacement. "
        "The unit is the session."
    ),
    "sizes": (
        "Number of networks: split-half reproducibility of a quarter to twice as many networks, "
        "{n_splits} divisions each."
    ),
    "gaussian": (
        "Gaussian null: every unit's loadings drawn from the normal distribution with the "
        "observed covariance of components ({n_null_seeds} runs, {n_null_splits} divisions)."
    ),
    "shift": (
        "Shift null: every unit shifted in time by itself, circularly within each session, which "
        "keeps its values, rhythm and session means ({n_null_seeds} runs, {n_null_splits} "
        "divisions)."
    ),
}


def _trust(material: Material) -> Iterator[Block]:
    ids = material.assessment_ids
    if not ids:
        return
    yield Heading(text="Trust in the networks")
    for part, id in ids.items():
        facts = read_manifest(material.workspace.existing("assessments", id))["inputs"]["settings"]
        yield Text(text=_TRUST[part].format(**facts))
    if {"gaussian", "shift"} & set(ids):
        yield Text(
            text="A null's limit is the 95th percentile of its networks' figures: of networks that "
            "are nothing but chance, one in twenty lies above it. It is not corrected for the "
            f"{material.atlas.n_networks} networks; the number above it should be read against "
            "that."
        )


def _decoding(material: Material) -> Iterator[Block]:
    yield Heading(text="Decoding")
    test = material.domain_test
    if test is None:
        yield Text(
            text="Domains were not tested against each other: the recording has too few documents "
            "or only one domain."
        )
        return
    yield Text(
        text="What a network goes with is described by the domains in which its time course has "
        "its energy (per token, so that a larger domain does not count for more), by the passages "
        "and tokens at which it is strongest, and by trivial things that it may follow: position, "
        "attention sinks, punctuation, overall activation."
    )
    yield Text(
        text="Whether domains differ in a network's strength was tested by permutation: the log "
        f"energy of each of {test.n_documents} documents is one observation, η² of domains the "
        f"statistic, and the documents' domains were shuffled {test.n_permutations:,} times. p "
        f"is corrected for {material.atlas.n_networks} networks by the false discovery rate "
        "{benjamini1995}. Documents are the unit, for tokens of one text resemble each other."
    )
    if material.directions is not None:
        yield Text(
            text="The same was asked of as many random directions (seed "
            f"{material.directions.seed}), whose time courses are least squares as those of "
            f"networks. {' '.join(f'{kind.capitalize()}: {text}' for kind, text in KINDS.items())}"
        )


def _pruning(material: Material) -> Iterator[Block]:
    if not material.plans:
        return
    yield Heading(text="Pruning")
    yield Text(
        text="To keep what preserved networks need and to remove the rest is the method of "
        "{liu2025}. A plan removes the lowest-scored MLP units of each layer, within a budget: the "
        f"ratio is the share of all {material.atlas.layout.n_units:,} units. Calibration text is "
        f"the recording above.{_sink_sentence(material)}"
    )
    scores = dict.fromkeys(
        (plan.settings.score, plan.settings.score_version) for plan in material.plans
    )
    sentence = "; ".join(f"{name}: {_score_text(name, version)}" for name, version in scores)
    yield Text(text=f"Scores. {sentence}.")
    allocations = dict.fromkeys(plan.settings.allocation for plan in material.plans)
    sentence = "; ".join(f"{name}: {_allocation_text(material, name)}" for name in allocations)
    yield Text(text=f"Allocation over layers. {sentence}.")
    compensations = dict.fromkeys(plan.settings.compensation for plan in material.plans)
    sentence = "; ".join(f"{name}: {_compensation_text(name)}" for name in compensations)
    yield Text(text=f"Compensation. {sentence}.")
    if not material.texts():
        return
    yield Text(
        text="Perplexity is the exponential of the mean −log probability over all predictions of "
        "disjoint windows, on text that shares no run of 50 tokens with the calibration text. Its "
        "standard error, and that of differences, is over whole documents, never windows or "
        "tokens, by leaving out one at a time; documents that weigh less than 5 of equal length "
        "give none. Differences to the dense model are paired, window by window, in nats per "
        "token. Errors are ± one standard error; a 95 % interval is that times the t of as many "
        "degrees of freedom as documents of these lengths leave (Satterthwaite). They are of each "
        "figure by itself, and no test is made of them."
    )


def _sink_sentence(material: Material) -> str:
    """Return which units stay whatever their score, in the plans that keep such."""
    numbers = sorted({plan.settings.sink_units or 0 for plan in material.plans} - {0})
    if not numbers:
        return ""
    return (
        f" Of units that serve attention sinks, {' or '.join(map(str, numbers))} of each layer, "
        "with the largest output on the first tokens, stay whatever their score, where a plan's "
        "table says so."
    )


def _score_text(name: str, version: int) -> str:
    row = SCORES.get(name)
    if row is None:  # a plan of a row that is no more
        return name
    says = row.says_at(version)
    return f"{says} {{{row.cite}}}" if row.cite else says


def _allocation_text(material: Material, name: str) -> str:
    row = ALLOCATIONS.get(name)
    return name if row is None else row.says(material.atlas.layout.n_layers)


def _compensation_text(name: str) -> str:
    row = COMPENSATIONS.get(name)
    return name if row is None else row.says


def _software(material: Material) -> Iterator[Block]:
    yield Heading(text="Parameters and software")
    yield Table(
        name="parameters",
        title="Every parameter, as the artifacts carry it.",
        frame=parameters(material),
        columns={
            "of": Column(title="Of"),
            "parameter": Column(title="Parameter"),
            "value": Column(title="Value"),
        },
    )
    yield Table(
        name="versions",
        title="Versions of the packages that determine results, as each artifact was made.",
        frame=versions(material),
        columns={
            "package": Column(title="Package"),
            "version": Column(title="Version"),
            "artifacts": Column(title="Of"),
        },
    )


def parameters(material: Material) -> pd.DataFrame:
    """Return every parameter of the recording, the decomposition and trust: of, parameter, value.

    Values are text, as JSON would write them.
    """
    windows = material.recording["windows"]
    groups: dict[str, dict[str, Any]] = {
        "recording": {
            "id": material.atlas.decomposition.recording_id,
            "model": material.recording["model_name"],
            "source": material.recording.get("model_source", ""),
            **material.recording["inputs"],
            **{
                name: windows[name]
                for name in (
                    "window",
                    "n_windows",
                    "n_tokens",
                    "n_dropped_tokens",
                    "adds_bos",
                )
            },
        },
        "decomposition": {"id": material.atlas.id, **material.manifest["settings"]},
    }
    for part, id in material.assessment_ids.items():
        facts = read_manifest(material.workspace.existing("assessments", id))["inputs"]["settings"]
        groups[f"trust, {PARTS[part].title.lower()}"] = facts
    return pd.DataFrame(
        [
            {"of": artifact, "parameter": name, "value": _value_text(value)}
            for artifact, values in groups.items()
            for name, value in values.items()
        ]
    )


def _value_text(value: object) -> str:
    return _DEFAULT_NOTE if value is None else str(value)


def versions(material: Material) -> pd.DataFrame:
    """Return the versions of packages: package, version, and which artifacts were made with it."""
    artifacts_by_version: dict[tuple[str, str], list[str]] = {}
    all_versions = material.versions()
    for artifact, packages in all_versions.items():
        for package, version in packages.items():
            artifacts_by_version.setdefault((package, version), []).append(artifact)
    return pd.DataFrame(
        [
            {
                "package": package,
                "version": version,
                "artifacts": "all" if len(artifacts) == len(all_versions) else ", ".join(artifacts),
            }
            for (package, version), artifacts in sorted(artifacts_by_version.items())
        ]
    )
