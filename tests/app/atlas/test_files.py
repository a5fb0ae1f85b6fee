"""Files and names in the app: what goes out comes back, and nothing is lost on the way."""

import gzip
import io

import nibabel as nib
import numpy as np
import pytest
from driving import press, said, view

from app.atlas.files import volumes as exchange
from app.shell import resources
from fnprune_core.atlas import annotation_files, annotations, network_atlas
from fnprune_core.atlas.annotation_files import Annotation, Annotations
from fnprune_core.atlas.files import open_grid
from fnprune_core.atlas.images import volumes
from fnprune_core.errors import SettingsError
from fnprune_core.storage.workspace import Workspace

MARKUP = "<img src=x onerror=alert(1)> `a` *b* $c$"


@pytest.fixture
def atlas(example, fresh):
    return network_atlas.open_atlas(Workspace(fresh), example.atlas)


class Upload(io.BytesIO):
    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.name = name


def names(at) -> list[str]:
    return [button.proto.label for button in at.get("download_button")]


def test_each_section_opens_by_its_link(open_page, example) -> None:
    at = open_page("files", **example.view(), z="2.5")
    assert not at.exception
    assert names(at)[0].startswith("Images as ZIP")
    assert f"fnprune volumes {example.atlas} FOLDER --z 2.5" in at.code[0].value
    for section, label in (
        ("names", "Names as JSON"),
        ("tables", "Time courses of all networks"),
        ("page", None),
    ):
        at.segmented_control(key="files-section").set_value(section).run()
        assert not at.exception
        assert not at.error
        assert view(at).show == section
        assert label is None or any(name.startswith(label) for name in names(at))
    assert "Write the page" in [button.label for button in at.button]


def test_a_name_is_typed_saved_and_then_used_everywhere(open_page, example, atlas) -> None:
    at = open_page("files", **example.view(), network="2", show="names")
    at.text_input[0].set_value(MARKUP)
    at.text_area[0].set_value("line one\nline two")
    at.text_input[1].set_value("French, , loud")
    press(at, "Save")
    assert not at.exception
    held = annotations.read_annotations(resources.workspace(), example.atlas).of(2)
    assert held == Annotation(name=MARKUP, note="line one\nline two", tags=("French", "loud"))
    assert at.text_input[0].value == MARKUP
    assert at.selectbox[0].options[2] == f"2 · {MARKUP}"
    assert resources.network_name(example.atlas, 2) == MARKUP
    assert MARKUP not in "\n".join(each.value for each in (*at.markdown, *at.caption))
    at.text_input[0].set_value("")
    press(at, "Save")
    assert resources.network_name(example.atlas, 2) == resources.suggested_name(example.atlas, 2)


def test_a_name_out_of_bounds_is_told_beside_what_was_typed(open_page, example) -> None:
    at = open_page("files", **example.view(), show="names")
    at.text_input[0].set_value("bell \a")
    press(at, "Save")
    assert "control character U+0007 at place 6" in said(at)
    assert at.text_input[0].value == "bell \a"
    assert not annotations.read_annotations(resources.workspace(), example.atlas).networks


def test_what_another_browser_named_is_seen_and_kept(open_page, example, atlas) -> None:
    at = open_page("files", **example.view(), network="1", show="names")
    annotations.annotate(resources.workspace(), atlas, 3, Annotation(name="theirs"))
    at.text_input[0].set_value("mine")
    press(at, "Save")
    said_now = annotations.read_annotations(resources.workspace(), example.atlas)
    assert {k: each.name for k, each in said_now.networks.items()} == {1: "mine", 3: "theirs"}
    assert at.selectbox[0].options[3] == "3 · theirs"


def test_damaged_names_are_told_and_set_aside_at_a_press(open_page, example, atlas) -> None:
    workspace = resources.workspace()
    annotations.annotate(workspace, atlas, 0, Annotation(name="kept"))
    path = annotations.path_of(workspace, example.atlas)
    path.write_text("{")
    at = open_page("files", **example.view(), show="names")
    assert "cannot be read" in said(at)
    assert at.selectbox[0].options[0].startswith("0 · ")  # by its suggested name
    press(at, "Set the damaged file aside")
    assert not at.error
    assert [p.read_text() for p in path.parent.glob("*-set-aside-*.json")] == ["{"]


def test_file_of_names_is_looked_at_then_taken_over(open_page, example, atlas) -> None:
    found = Annotations(
        networks={0: Annotation(name="French"), 9: Annotation(name="far")},
        fingerprint=atlas.decomposition.fingerprint,
        atlas_id="another",
        n_networks=12,
    )
    at = open_page("files", **example.view(), show="names")
    upload = at.get("file_uploader")[0]
    upload.set_value(
        ("names.json", annotation_files.to_json(found).encode(), "application/json")
    ).run()
    assert "another atlas of 12 networks" in said(at)
    assert "1 of its 2 networks do not exist here" in said(at)
    press(at, "Import names of 1 network by number")
    assert resources.network_name(example.atlas, 0) == "French"


def test_image_that_was_taken_away_comes_back_with_its_overlap(open_page, example, atlas) -> None:
    files = volumes.volume_files(
        atlas, open_grid(resources.workspace(), atlas), resources.network_names(atlas.id), z=2.0
    )
    at = open_page("files", **example.view(), z="2.0")
    labels, sidecar = (files[f"atlas-{atlas.id}_{end}"] for end in ("dseg.nii.gz", "volumes.json"))
    upload = at.get("file_uploader")[0]
    uploads = [
        ("a_dseg.nii.gz", labels, "application/gzip"),
        ("a.json", sidecar, "application/json"),
    ]
    upload.set_value(uploads).run()
    assert not at.exception
    assert not at.error
    parcel = int(np.unique(atlas.parcellation(z=2.0))[1])
    told = " ".join(caption.value for caption in at.caption).replace("\\", "")
    n_units = int((atlas.parcellation(z=2.0) == parcel).sum())
    assert f"label {parcel + 1} of the image: {n_units} unit" in told
    table = at.dataframe[0].value
    assert table["network"].iloc[0] == parcel
    assert table["share"].iloc[0] == 1.0
    at.get("file_uploader")[0].set_value(uploads[:1]).run()
    assert "no sidecar" in said(at)


def test_image_that_marks_nothing_is_not_said_to_overlap(open_page, example, atlas) -> None:
    files = volumes.volume_files(
        atlas, open_grid(resources.workspace(), atlas), resources.network_names(atlas.id), z=2.0
    )
    maps = nib.Nifti1Image.from_bytes(
        gzip.decompress(files[f"atlas-{atlas.id}_stat-z_statmap.nii.gz"])
    )
    faint = nib.Nifti1Image(maps.get_fdata(dtype=np.float32) * 1e-3, maps.affine)
    at = open_page("files", **example.view(), z="2.0")
    sidecar = files[f"atlas-{atlas.id}_volumes.json"]
    uploads = [("a.nii", faint.to_bytes(), ""), ("a.json", sidecar, "application/json")]
    at.get("file_uploader")[0].set_value(uploads).run()
    assert not at.exception
    captions = " ".join(caption.value for caption in at.caption)
    assert "shares no unit with any network" in captions
    assert "overlaps most" not in captions
    assert not [button for button in at.button if button.key == "files-select"]


@pytest.mark.parametrize(
    "uploads", [["a.json"], ["a.nii", "b.nii", "a.json"], ["a.nii", "a.json", "b.json"]]
)
def test_too_few_and_too_many_files_are_told(uploads) -> None:
    with pytest.raises(SettingsError, match=r"image.? and"):
        exchange._read_uploads([Upload(name, b"x") for name in uploads], lambda sidecar: None)
