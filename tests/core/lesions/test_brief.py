import warnings
from dataclasses import replace

import numpy as np
import pytest
import tiny

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import FingerprintMismatchError, NotConvergedWarning, SettingsError
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.lesions import brief
from fnprune_core.lesions.brief import (
    HEALTHY,
    LESION,
    RANDOM,
    RULES,
    BriefResult,
    LesionDemonstration,
)
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.reading import StudyUnits
from fnprune_core.lesions.sites import Lesion, LesionSettings, LesionSites
from fnprune_core.models.silencing import silenced

SETTINGS = LesionSettings(z=1.5, sink_units=4, n_random=2)


@pytest.fixture
def patient(llama, recording) -> LesionDemonstration:
    """The tiny Llama, an atlas of its recording, and two short texts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        result = GroupICA(n_components=3, n_runs=1, max_iter=40).fit(recording).result_
    return LesionDemonstration(
        language_model=llama,
        atlas=NetworkAtlas(result, recording.tokens),
        recording=recording,
        documents=tiny.toy_documents(n_per_domain=1, n_words=40),
        settings=SETTINGS,
    )


def test_a_lesion_is_the_loss_with_its_units_silenced(patient) -> None:
    model, atlas = patient.language_model, patient.atlas
    found = brief.lesion(patient, 1)
    assert set(found.losses) == {HEALTHY, LESION, RANDOM}
    windows = brief.short_windows(model, patient.documents)
    units = patient.sites.members((1,))
    assert found.n_units == {LESION: units.sum(), RANDOM: units.sum()}
    removed = atlas.layout.removed_of(~units)
    for name, context in ((HEALTHY, None), (LESION, lambda: silenced(model, removed))):
        options = {} if context is None else {"context": context}
        direct = perplexity(model.model, windows, **options).by_domain()
        assert found.losses[name] == {domain: part.mean_nll for domain, part in direct.items()}
    changes = found.changes()
    assert (
        changes[LESION]["prose"] == found.losses[LESION]["prose"] - found.losses[HEALTHY]["prose"]
    )
    assert any(abs(value) > 1e-4 for value in changes[LESION].values())
    assert brief.lesion(patient, 1) == found  # the same again, the model unharmed
    with pytest.raises(SettingsError, match="no unit"):
        brief.lesion(replace(patient, settings=replace(SETTINGS, z=50)), 1)


def test_lesions_are_those_of_a_study_random_ones_too(patient, monkeypatch) -> None:
    """Sink units were spared by the random lesions alone, which did not match in magnitude."""
    conditions = _conditions_of(brief.lesion, patient, 0, monkeypatch=monkeypatch)
    page = LesionSites(patient.atlas, patient.recording, patient.language_model, settings=SETTINGS)
    order = LesionOrder(decomposition_id="a", lesions=(Lesion(networks=(0,)),), settings=SETTINGS)
    study = StudyUnits(order, page)
    names = (LESION, *(f"{RANDOM} {draw}" for draw in range(SETTINGS.n_random)))
    for column, name in enumerate(names):
        np.testing.assert_array_equal(conditions[name], study.units(0, column))
    assert all(not (units & page.spared).any() for units in conditions.values())
    assert len({int(units.sum()) for units in conditions.values()}) == 1


def _conditions_of(demonstrate, *arguments, monkeypatch):
    """Return the units that a demonstration silences, by condition; nothing is read."""
    seen = {}

    def read(patient, conditions, progress, cancel):
        seen.update(conditions)
        names = (HEALTHY, *conditions)
        return BriefResult(
            losses={name: {"prose": 1.0} for name in names},
            n_units={name: int(units.sum()) for name, units in conditions.items()},
        )

    with monkeypatch.context() as patch:
        patch.setattr(brief, "_by_condition", read)
        demonstrate(*arguments)
    return seen


def test_rules_remove_one_in_five_of_each_layer(patient, monkeypatch) -> None:
    conditions = _conditions_of(brief.prune_by_rules, patient, monkeypatch=monkeypatch)
    assert set(conditions) == set(RULES)
    for name in RULES:
        parts = patient.atlas.layout.split(conditions[name])
        assert sum(int(part.sum()) for part in parts) == round(0.2 * len(conditions[name]))
        assert all(abs(part.sum() - 0.2 * len(part)) < 1 for part in parts)
        assert not conditions[name][patient.sites.spared].any()
    assert not np.array_equal(conditions["random"], conditions["activity"])
    assert all(np.isfinite(v) for v in brief.prune_by_rules(patient).losses["weights"].values())


def test_an_atlas_of_another_model_is_refused(patient) -> None:
    other = tiny.tiny_language_model("Llama", seed=5)
    with pytest.raises(FingerprintMismatchError):
        LesionDemonstration(
            language_model=other,
            atlas=patient.atlas,
            recording=patient.recording,
            documents=patient.documents,
        )
