"""Names and notes of networks: kept, merged, and lost in no accident."""

import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from named_networks import AWKWARD, SPOKEN

from fnprune_core.atlas import annotations
from fnprune_core.atlas.annotation_files import Annotation, Annotations
from fnprune_core.decomposition.fingerprint import fingerprint_of
from fnprune_core.errors import CorruptArtifactError, SettingsError

MAPS = np.random.default_rng(3).laplace(size=(24, 4000))


def atlas(id="a1", *, n_networks=6, fingerprint="model-1"):
    """Stand in for an atlas: all that annotations ask of it."""

    def check_network(network):
        if not 0 <= network < n_networks:
            raise SettingsError(f"There is no network {network}.")
        return network

    return SimpleNamespace(
        id=id,
        n_networks=n_networks,
        decomposition=SimpleNamespace(fingerprint=fingerprint),
        check_network=check_network,
        maps_fingerprint=fingerprint_of(MAPS[:n_networks]),
    )


def said(workspace, **kwargs) -> dict[int, Annotation]:
    return dict(annotations.read_annotations(workspace, atlas(**kwargs).id).networks)


def test_what_is_said_is_kept_as_given_and_can_be_taken_back(workspace) -> None:
    for network, annotation in AWKWARD.items():
        annotations.annotate(workspace, atlas(), network, annotation)
    assert said(workspace) == AWKWARD
    annotations.annotate(workspace, atlas(), 2, Annotation())
    assert set(said(workspace)) == {0, 5}
    assert said(workspace, id="a2") == {}


def test_many_writers_at_once_lose_no_name(workspace) -> None:
    crowd = atlas(n_networks=24)
    start = threading.Barrier(24)

    def write(network) -> None:
        start.wait()
        annotations.annotate(workspace, crowd, network, Annotation(name=f"name {network}"))

    threads = [threading.Thread(target=write, args=(k,)) for k in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {k: a.name for k, a in said(workspace).items()} == {k: f"name {k}" for k in range(24)}


@pytest.mark.parametrize(
    ("file", "fit", "words"),
    [
        ({"maps_fingerprint": fingerprint_of(MAPS[:6])}, "same", "of this atlas"),
        ({"maps_fingerprint": fingerprint_of(MAPS[:6]), "atlas_id": "a2"}, "same", "same networks"),
        ({"maps_fingerprint": fingerprint_of(MAPS[[1, 0, 2, 3, 4, 5]])}, "moved", "0 is 1 here"),
        ({"maps_fingerprint": fingerprint_of(MAPS[[0, 1, 2, 3, 4, 9]])}, "moved", "not here (5)"),
        ({}, "unknown", "whether another machine numbered the networks otherwise"),
        ({"atlas_id": "a2"}, "numbers", "another atlas of 6 networks"),
        ({"atlas_id": "a2", "n_networks": 5}, "numbers", "of 5 networks; this one has 6"),
        ({"atlas_id": "", "n_networks": 0, "fingerprint": ""}, "unknown", "does not say"),
        ({"fingerprint": "model-2"}, "none", "another model"),
    ],
)
def test_whether_a_file_fits_is_told_before_it_is_merged(file, fit, words) -> None:
    facts = {"atlas_id": "a1", "fingerprint": "model-1", "n_networks": 6, **file}
    check = annotations.check_import(Annotations(networks=AWKWARD, **facts), atlas())
    assert (check.fit, check.n_fitting, check.n_beyond) == (fit, 3, 0)
    assert words in check.message


def test_import_deletes_nothing_and_leaves_out_what_does_not_exist(workspace) -> None:
    here = atlas()
    annotations.annotate(workspace, here, 1, Annotation(name="mine", note="my note", tags=("a",)))
    annotations.annotate(workspace, here, 3, Annotation(name="untouched"))
    found = Annotations(
        networks={
            1: Annotation(name="theirs"),
            3: Annotation(note="theirs"),
            9: Annotation(name="far"),
        }
    )
    assert annotations.check_import(found, here).n_beyond == 1
    annotations.merge(workspace, here, found)
    assert said(workspace) == {
        1: Annotation(name="theirs", note="my note", tags=("a",)),
        3: Annotation(name="untouched", note="theirs"),
    }
    with pytest.raises(SettingsError, match="no network of this atlas"):
        annotations.merge(workspace, here, Annotations(networks={9: Annotation(name="far")}))
    with pytest.raises(SettingsError, match="another model"):
        annotations.merge(workspace, here, Annotations(networks=AWKWARD, fingerprint="other"))


def test_names_follow_a_match_of_two_atlases(workspace) -> None:
    annotations.merge(workspace, atlas("a2"), SPOKEN, numbers={0: 4, 2: 0})
    assert said(workspace, id="a2") == {4: AWKWARD[0], 0: AWKWARD[2]}


def test_a_damaged_file_is_told_not_overwritten_and_can_be_set_aside(workspace) -> None:
    annotations.annotate(workspace, atlas(), 0, Annotation(name="kept"))
    path = annotations.path_of(workspace, "a1")
    path.write_text(path.read_text()[:-30])
    damaged = path.read_text()
    with pytest.raises(CorruptArtifactError, match="cannot be read"):
        annotations.annotate(workspace, atlas(), 1, Annotation(name="new"))
    assert path.read_text() == damaged
    aside = annotations.set_aside(workspace, "a1")
    assert aside.read_text() == damaged
    annotations.annotate(workspace, atlas(), 1, Annotation(name="new"))
    assert said(workspace) == {1: Annotation(name="new")}
    assert json.loads(path.read_text())["n_networks"] == 6
