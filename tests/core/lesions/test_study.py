import json

import numpy as np
from lesioned import SETTINGS, each_network, order

from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.study import LesionStudy
from fnprune_core.storage.checksums import seal


def test_a_study_is_read_as_it_was_saved(workspace, llama, atlas, stimuli) -> None:
    id = lesion_study(workspace, llama, stimuli, order=order(atlas))
    found = LesionStudy.load(workspace.folder("lesions", id))
    assert found.facts.settings == SETTINGS
    assert found.columns == ("prose", "code")
    assert found.lesions == each_network(4)


def test_blocks_of_windows_in_a_stored_study_give_no_error(workspace, llama, atlas, stimuli):
    """Version 0.2 resampled them where a domain had few documents; perplexity refuses them."""
    id = lesion_study(workspace, llama, stimuli, order=order(atlas))
    folder = workspace.folder("lesions", id)
    assert LesionStudy.load(folder).is_tested
    facts = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({**facts, "unit": "blocks of windows"}))
    seal(folder)
    found = LesionStudy.load(folder)
    assert np.isfinite(found.change).all()
    assert np.isnan(found.change_error).all()
    assert not found.is_tested
    assert "Nothing is tested in prose" in found.why_untested()
