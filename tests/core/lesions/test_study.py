from lesioned import SETTINGS, each_network, order

from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.study import LesionStudy


def test_a_study_is_read_as_it_was_saved(workspace, llama, atlas, stimuli) -> None:
    id = lesion_study(workspace, llama, stimuli, order=order(atlas))
    found = LesionStudy.load(workspace.folder("lesions", id))
    assert found.facts.settings == SETTINGS
    assert found.columns == ("prose", "code")
    assert found.lesions == each_network(4)
