from lesioned import order

from fnprune_core.lesions.patients import patients
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.stored import open_lesions


def test_patients_are_found_by_their_rules(workspace, llama, atlas, stimuli) -> None:
    before = {each.key: each for each in patients(atlas)}
    found = open_lesions(workspace, lesion_study(workspace, llama, stimuli, order=order(atlas)))
    people = {each.key: each for each in patients(atlas, found)}
    assert set(before) < set(people)
    share = atlas.domain_share()
    for key, patient in people.items():
        if key.startswith("without-"):
            assert patient.lesion.networks == atlas.networks_of_domain(patient.domain)
    assert share[people["most-selective"].lesion.networks[0]].max() == share.max()
    hub = found.lesions.index(people["needed-everywhere"].lesion)
    assert found.change[hub, 0].mean() == found.change[:, 0].mean(axis=1).max()
    assert all(patient.prompt.text for patient in people.values())
    if "doubled" in people:
        assert people["doubled"].lesion.factor == 2
