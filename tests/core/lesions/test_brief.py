import warnings

import numpy as np
import pytest
import tiny

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import FingerprintMismatchError, NotConvergedWarning, SettingsError
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.lesions import brief
from fnprune_core.lesions.brief import HEALTHY, LESION, RANDOM, RULES, LesionDemonstration
from fnprune_core.models.silencing import silenced


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
    )


def test_a_lesion_is_the_loss_with_its_units_silenced(patient) -> None:
    model, atlas = patient.language_model, patient.atlas
    found = brief.lesion(patient, 1, z=1.5)
    assert set(found) == {HEALTHY, LESION, RANDOM}
    windows = brief.short_windows(model, patient.documents)
    keep = np.ones(atlas.layout.n_units, dtype=bool)
    keep[atlas.members(1, z=1.5)] = False
    removed = atlas.layout.removed_of(keep)
    for name, context in ((HEALTHY, None), (LESION, lambda: silenced(model, removed))):
        options = {} if context is None else {"context": context}
        direct = perplexity(model.model, windows, **options).by_domain()
        assert found[name] == {domain: part.mean_nll for domain, part in direct.items()}
    changes = brief.changes(found)
    assert changes[LESION]["prose"] == found[LESION]["prose"] - found[HEALTHY]["prose"]
    assert any(abs(value) > 1e-4 for value in changes[LESION].values())
    assert brief.lesion(patient, 1, z=1.5) == found  # the same again, the model unharmed
    with pytest.raises(SettingsError, match="no unit"):
        brief.lesion(patient, 1, z=50)


def test_random_lesions_match_each_layer_and_spare_sink_units(patient) -> None:
    atlas, spared = patient.atlas, patient.spared
    keep = np.ones(atlas.layout.n_units, dtype=bool)
    keep[atlas.members(0, z=1.5)] = False
    drawn = brief.random_like(keep, atlas, spared, np.random.default_rng(0))
    sizes = [[int((~part).sum()) for part in atlas.layout.split(mask)] for mask in (keep, drawn)]
    assert sizes[0] == sizes[1]
    assert spared.sum() == 4 * atlas.layout.n_layers
    assert drawn[spared].all()
    assert not np.array_equal(keep, drawn)


def test_rules_remove_one_in_five_of_each_layer(patient, monkeypatch) -> None:
    seen = []

    def read(patient, conditions, progress, cancel):
        seen.append(conditions)
        return {name: {"prose": 1.0} for name in conditions}

    with monkeypatch.context() as patch:
        patch.setattr(brief, "_losses_by_condition", read)
        brief.prune_by_rules(patient)
    (conditions,) = seen
    assert set(conditions) == {HEALTHY, *RULES}
    for name in RULES:
        parts = patient.atlas.layout.split(conditions[name])
        assert sum(int((~part).sum()) for part in parts) == round(0.2 * len(conditions[name]))
        assert all(abs((~part).sum() - 0.2 * len(part)) < 1 for part in parts)
        assert conditions[name][patient.spared].all()
    assert not np.array_equal(conditions["random"], conditions["activity"])
    assert all(np.isfinite(v) for v in brief.prune_by_rules(patient)["weights"].values())


def test_an_atlas_of_another_model_is_refused(patient) -> None:
    other = tiny.tiny_language_model("Llama", seed=5)
    with pytest.raises(FingerprintMismatchError):
        LesionDemonstration(
            language_model=other,
            atlas=patient.atlas,
            recording=patient.recording,
            documents=patient.documents,
        )
