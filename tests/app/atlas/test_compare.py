"""The comparison page: pairs, names carried over, an atlas applied, and what cannot be compared."""

import shutil
import warnings

import numpy as np
import pytest
import tiny
from driving import alternatives, captions, finish, press, said, view

from app.atlas.compare.data import _recording_label
from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.annotations import annotate, read_annotations
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.matching.atlases import match
from fnprune_core.matching.identities import read_identities
from fnprune_core.models.loading import load_model
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.storage.checksums import seal
from fnprune_core.storage.workspace import Workspace


@pytest.fixture
def workspace(example, fresh) -> Workspace:
    return Workspace(fresh)


@pytest.fixture
def second(workspace, example) -> str:
    """Four networks of the same recording, by another seed."""
    settings = GroupICA(n_components=4, n_runs=1, max_iter=60, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        return group_ica.decompose(workspace, example.recording, settings=settings)


@pytest.fixture
def stranger(workspace, example, tmp_path) -> str:
    """Five networks of another model that read the same texts."""
    folder = tmp_path / "another"
    tiny.tiny_model("GPT-2").save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    documents = tiny.toy_documents(n_per_domain=4, n_words=130)
    recording = record.record_texts(
        workspace,
        load_model(str(folder)),
        [*documents[:3], *documents[4:7]],
        settings=RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        return group_ica.decompose(
            workspace, recording, settings=GroupICA(n_components=5, n_runs=1, max_iter=20)
        )


def test_one_atlas_alone_says_how_to_get_a_second(open_page, example) -> None:
    at = open_page("compare", **example.view())
    assert not at.exception
    assert not at.error
    assert "Only one atlas yet" in [s.value for s in at.subheader]
    assert "another seed" in "".join(m.value for m in at.markdown)
    assert "Decompose again" in [b.label for b in at.button]


def test_pairs_side_by_side_follow_the_selected_network(open_page, example, second) -> None:
    at = open_page("compare", **example.view(), other=second, network="2")
    assert not at.exception
    assert not at.error
    found = match(
        *(network_atlas.open_atlas(Workspace.default(), i) for i in (example.atlas, second))
    )
    table = at.dataframe[0].value
    assert list(zip(table["network"], table["other"], strict=True)) == [
        tuple(pair) for pair in found.pairs.tolist()
    ]
    assert all(str(picture).startswith("data:image/png") for picture in table["its map"])
    maps = next(text for text in alternatives(at) if text.startswith("Network 2 of this atlas"))
    partner = found.partner(2)
    if partner:
        assert f"network {partner[0]} of the other" in maps
        assert f"r {partner[1]:.2f}" in maps
    for network in found.unmatched(0):
        button = at.button(key=f"compare-alone-{network}")
        button.click().run()
        assert view(at).network == network
        assert f"Network {network} has no partner" in said(at)


def test_matrix_and_chance_are_pages_of_the_url(open_page, example, second) -> None:
    at = open_page("compare", **example.view(), other=second, show="matrix")
    assert any(text.startswith("Correlation |r| by maps") for text in alternatives(at))
    assert any("pairs have |r| of at least 0.7" in text for text in alternatives(at))
    at.segmented_control(key="compare-shown").set_value("likeness").run()
    assert not at.exception
    assert view(at).show == "likeness"
    assert any("above chance" in text for text in alternatives(at))
    assert "2601.22692" in captions(at)


def test_names_are_carried_over_and_the_origin_is_shown(open_page, example, second) -> None:
    workspace = Workspace.default()
    new, old = (network_atlas.open_atlas(workspace, i) for i in (second, example.atlas))
    found = match(new, old)
    network = int(found.pairs[np.abs(found.r).argmax(), 0])
    partner, r = found.partner(network)
    annotate(workspace, old, partner, Annotation(name="<script>me</script>"))
    at = open_page(
        "compare",
        model=example.model,
        recording=example.recording,
        atlas=second,
        other=example.atlas,
        network=str(network),
    )
    at.number_input(key="compare-threshold").set_value(max(0.05, int(abs(r) * 20) / 20)).run()
    assert at.button(key="compare-carry").label == "Copy 1 name from the other atlas"
    at.button(key="compare-carry").click().run()
    assert not at.exception
    assert not at.error
    assert read_annotations(workspace, second).of(network).name == "<script>me</script>"
    assert read_identities(workspace, second)[network].network == partner
    assert f"Network {network} was network {partner} of atlas {example.atlas}" in captions(at)
    assert not any("<script>" in html.value for html in at.html)


def test_label_of_a_recording_names_its_domains_or_says_that_there_are_more() -> None:
    windows = {"n_tokens": 16384, "domain_names": list("abcde")}
    manifest = {"windows": windows, "model_name": "m"}
    assert _recording_label(manifest) == "16,384 tokens of a, b, c, d, e · m"
    windows["domain_names"] = list("abcdefgh")
    assert "a, b, c, d, e and 3 more domains" in _recording_label(manifest)


def test_atlas_is_applied_to_other_texts_and_then_compared(open_page, example, workspace) -> None:
    documents = tiny.toy_documents(n_per_domain=4, n_words=130)
    other = record.record_texts(
        workspace,
        load_model(example.model),
        [documents[3], documents[7]],
        settings=RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None),
    )
    at = open_page("compare", **example.view())
    assert at.selectbox(key="compare-apply-recording").value == other
    press(at, "Apply")
    assert finish(at).state == "done"
    at.run()
    assert not at.exception
    applied = network_atlas.open_atlas(workspace, view(at).other)
    assert applied.decomposition.recording_id == other
    assert f"Applied from atlas {example.atlas}" in captions(at)
    template = network_atlas.open_atlas(workspace, example.atlas)
    pairs = match(template, applied).pairs
    assert at.dataframe[0].value["other"].tolist() == pairs[:, 1].tolist()
    assert at.selectbox(key=f"compare-other-{applied.id}").value == applied.id


def test_atlas_of_another_model_is_matched_by_time_courses(open_page, example, stranger) -> None:
    at = open_page("compare", **example.view(), other=stranger)
    assert not at.exception
    assert not at.error
    assert "by time courses over" in captions(at)
    assert not [b for b in at.button if b.key == "compare-carry"]
    assert any("by time courses" in text for text in alternatives(at))


def test_other_texts_and_another_model_have_nothing_in_common(
    open_page, example, stranger, workspace
) -> None:
    other = workspace.existing("decompositions", stranger)
    facts = workspace.existing(
        "recordings", network_atlas.open_atlas(workspace, stranger).decomposition.recording_id
    )
    tokens = open_recording(workspace, facts.name).tokens
    document = tokens["document"].cat.rename_categories(lambda name: f"not {name}")
    tokens.assign(document=document, text=tokens["text"] + "'").to_parquet(
        facts / "tokens.parquet", index=False
    )
    seal(facts)
    at = open_page("compare", **example.view(), other=other.name)
    assert not at.exception
    assert "no text in common" in said(at)
    assert "Record the same texts" in said(at)


def test_an_atlas_that_does_not_exist_is_told_and_put_away(open_page, example, second) -> None:
    at = open_page("compare", **example.view(), other="7" * 16)
    assert not at.exception
    assert "There is no decomposition" in said(at)
    press(at, "Look at this atlas alone")
    assert not at.error
    assert view(at).other == ""
    assert view(at).atlas == example.atlas


def test_a_damaged_atlas_is_told_on_its_pages(open_page, example, fresh) -> None:
    arrays = fresh / "decompositions" / example.atlas / "decomposition.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:5000])
    at = open_page("atlas", **example.view())
    assert not at.exception
    assert "5,000 bytes, expected" in said(at)
    assert "decompose again" in said(at)
    assert view(at).atlas == example.atlas


def test_a_damaged_other_is_told_beside_the_choice(open_page, example, second, fresh) -> None:
    arrays = fresh / "decompositions" / second / "decomposition.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-40])
    at = open_page("compare", **example.view(), other=second)
    assert not at.exception
    assert "it is damaged" in said(at)
    assert "decompose again" in said(at)
    assert at.selectbox(key=f"compare-other-{second}").value == second


def test_a_deleted_recording_of_the_other_is_told(open_page, example, stranger, workspace) -> None:
    shutil.rmtree(
        workspace.folder(
            "recordings", network_atlas.open_atlas(workspace, stranger).decomposition.recording_id
        )
    )
    at = open_page("compare", **example.view(), other=stranger)
    assert not at.exception
    assert "There is no recording" in said(at)


def test_identity_alone_is_offered_where_the_other_atlas_has_no_names(open_page, example, second):
    at = open_page("compare", **example.view(), other=second)
    at.number_input(key="compare-threshold").set_value(0.05).run()
    button = at.button(key="compare-carry")
    assert button.label.startswith("Record the match of ")
    assert not button.disabled
    assert "has no names of your own" in captions(at)
