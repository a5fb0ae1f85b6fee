"""Nilearn opens the exported images as they are, and shows what is in them."""

import base64
import gzip
import io
import json
import re
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from nilearn import image as nilearn_image
from nilearn import maskers, plotting
from PIL import Image

from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.images.voxels import grid_of
from fnprune_core.models.layout import UnitLayout

LAYOUT = UnitLayout((180,) * 8)
Z = 2.0
GRID = grid_of(LAYOUT, None)
VOXELS = GRID.voxel_of_unit
#: Units in the middles of four regions; network k is warm around k, and cold around none.
CENTRES = (1 * 180 + 40, 3 * 180 + 130, 5 * 180 + 60, 6 * 180 + 110)


def around(unit: int) -> np.ndarray:
    apart = (VOXELS - VOXELS[unit]) * np.diag(GRID.affine)[:3]
    return np.exp(-np.square(apart / 9).sum(axis=1) / 2)


@pytest.fixture(scope="module")
def images():
    """The files of an atlas of four regions, opened as nilearn does: by their bytes alone."""
    noise = np.random.default_rng(0).normal(0, 0.15, (len(CENTRES), LAYOUT.n_units))
    maps = (noise + [9 * around(unit) for unit in CENTRES]).astype(np.float32)
    strongest = np.abs(maps).argmax(axis=0)
    atlas = SimpleNamespace(
        id="a1",
        maps=maps,
        layout=LAYOUT,
        parcellation=lambda *, z: np.where(np.abs(maps).max(axis=0) > z, strongest, -1),
        rule="|z| above {:g}".format,
        decomposition=SimpleNamespace(
            alive=np.ones(LAYOUT.n_units, dtype=bool), fingerprint="m", recording_id="r"
        ),
    )
    files = volumes.volume_files(atlas, GRID, ["a", "b", "c", "d"], z=Z)
    opened = {
        name.removeprefix("atlas-a1_"): nib.Nifti1Image.from_bytes(gzip.decompress(content))
        for name, content in files.items()
        if name.endswith(".nii.gz")
    }
    yield SimpleNamespace(
        maps=opened["stat-z_statmap.nii.gz"],
        labels=opened["dseg.nii.gz"],
        mask=opened["desc-brain_mask.nii.gz"],
        anatomy=opened["desc-anatomy_T1w.nii.gz"],
        values=maps,
    )
    plt.close("all")


def place(unit: int) -> np.ndarray:
    return nib.affines.apply_affine(GRID.affine, VOXELS[unit])


def pixels(display) -> np.ndarray:
    """Return the picture that a display draws."""
    stream = io.BytesIO()
    display.frame_axes.figure.savefig(stream, format="png")
    return np.asarray(Image.open(stream).convert("RGB")).astype(int)


def n_coloured(shown: np.ndarray) -> int:
    return int((np.ptp(shown, axis=-1) > 60).sum())


@pytest.mark.parametrize("network", [0, 2])
def test_plot_stat_map_cuts_through_the_region(images, network) -> None:
    shown = nilearn_image.index_img(images.maps, network)
    plain = plotting.plot_stat_map(shown)
    assert np.linalg.norm(np.array(plain.cut_coords) - place(CENTRES[network])) < 12
    on_grey = plotting.plot_stat_map(shown, bg_img=images.anatomy, threshold=Z, colorbar=False)
    grey = pixels(plotting.plot_anat(images.anatomy, cut_coords=on_grey.cut_coords))
    assert n_coloured(pixels(on_grey)) > n_coloured(grey) + 300
    is_tissue = (np.ptp(grey, axis=-1) < 12) & (grey.max(axis=-1) > 60) & (grey.max(axis=-1) < 230)
    assert is_tissue.mean() > 0.1


def test_plot_glass_brain_has_the_region(images) -> None:
    shown = nilearn_image.index_img(images.maps, 1)
    seen = plotting.plot_glass_brain(shown, threshold=Z, colorbar=False)
    none = plotting.plot_glass_brain(None)
    assert n_coloured(pixels(seen)) > n_coloured(pixels(none)) + 200


def test_plot_prob_atlas_has_a_colour_for_each_network(images) -> None:
    display = plotting.plot_prob_atlas(images.maps, bg_img=images.anatomy, draw_cross=False)
    hues = hues_of(pixels(display))
    assert len(hues) >= 2
    assert n_coloured(pixels(display)) > 200


def hues_of(shown: np.ndarray) -> set[int]:
    """Return the twelfths of the colour circle that more than a few pixels have."""
    strong = shown[np.ptp(shown, axis=-1) > 80] / 255
    hue = np.asarray(
        Image.fromarray((strong[None] * 255).astype(np.uint8)).convert("HSV")
    )[0, :, 0]  # fmt: skip
    twelfths, counts = np.unique(hue.astype(int) * 12 // 256, return_counts=True)
    return {int(each) for each, count in zip(twelfths, counts, strict=True) if count > 30}


def test_plot_roi_shows_the_parcellation(images) -> None:
    display = plotting.plot_roi(images.labels, bg_img=images.anatomy, cut_coords=place(CENTRES[1]))
    assert n_coloured(pixels(display)) > 200


def test_view_img_holds_the_map_and_opens_at_its_region(images) -> None:
    shown = nilearn_image.index_img(images.maps, 3)
    page = plotting.view_img(shown, bg_img=images.anatomy, threshold=Z).html
    told = json.loads(re.search(r"brainsprite\((\{.*?\})\);", page, re.S)[1].replace("'", '"'))
    assert told["flagValue"] is not None
    sprite = max(re.findall(r"data:image/png;base64,([\w+/=]+)", page), key=len)
    picture = Image.open(io.BytesIO(base64.b64decode(sprite))).convert("RGB")
    assert min(picture.size) > 100
    assert np.asarray(picture).std() > 5


def test_cut_coordinates_of_parcels_lie_in_their_parcels(images) -> None:
    coordinates, found = plotting.find_parcellation_cut_coords(
        images.labels, return_label_names=True
    )
    assert [int(label) for label in found] == [1, 2, 3, 4]
    for label, at in zip(found, coordinates, strict=True):
        assert np.linalg.norm(at - place(CENTRES[int(label) - 1])) < 12
        voxel = np.rint(nib.affines.apply_affine(np.linalg.inv(GRID.affine), at)).astype(int)
        assert images.labels.get_fdata()[tuple(voxel)] == label


def test_maskers_read_time_courses_out_of_images(images) -> None:
    """Units that follow their networks, as an image of four dimensions."""
    courses = np.random.default_rng(1).normal(size=(20, len(CENTRES)))
    signals = courses @ images.values
    series = volumes.image(GRID, signals.astype(np.float32))
    by_map = maskers.NiftiMapsMasker(images.maps, mask_img=images.mask, standardize=None)
    assert np.allclose(by_map.fit_transform(series), courses, atol=1e-3)
    by_label = maskers.NiftiLabelsMasker(images.labels, standardize=None).fit_transform(series)
    labels, data = images.labels.get_fdata(), series.get_fdata()
    means = [data[labels == label].mean(axis=0) for label in (1, 2, 3, 4)]
    assert np.allclose(by_label, np.stack(means, axis=1), atol=1e-4)
    together = np.corrcoef(by_label.T, courses.T)[:4, 4:]
    assert np.diag(together).min() > 0.85


def test_the_anatomy_lies_below_every_voxel_of_the_maps(images) -> None:
    grey = images.anatomy.get_fdata()
    at = np.argwhere(images.mask.get_fdata() > 0)
    millimetres = nib.affines.apply_affine(GRID.affine, at)
    below = nib.affines.apply_affine(np.linalg.inv(images.anatomy.affine), millimetres)
    assert np.allclose(below, np.rint(below), atol=1e-4)
    assert (grey[tuple(np.rint(below).astype(int).T)] > 0).all()
    edges = [grey[0], grey[-1], grey[:, 0], grey[:, -1], grey[..., 0], grey[..., -1]]
    assert not any(edge.any() for edge in edges)  # it ends in the dark
