"""Networks as images and back: the files, and every image that must be refused."""

import gzip
import io
import json
import zipfile

import nibabel as nib
import numpy as np
import pytest
from toy_volumes import FILES, GRID, LABELS, MAPS, MASK, NAMES, RAGGED, SIDECAR, TABLE, atlas

from fnprune_core.atlas.images import volumes
from fnprune_core.errors import (
    CorruptArtifactError,
    FingerprintMismatchError,
    NonFiniteError,
    SettingsError,
)
from fnprune_core.models.layout import UnitLayout


def nifti(content: bytes):
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


def edited(data, *, affine=None, kind=nib.Nifti1Image) -> bytes:
    """What another tool saves: plain header, no description of ours."""
    return volumes.compressed(kind(data, GRID.affine if affine is None else affine))


def test_maps_come_back_bit_for_bit() -> None:
    found = volumes.read_image(MAPS, SIDECAR)
    assert (found.kind, found.values.dtype, found.n_outside) == ("maps", np.float32, 0)
    assert np.array_equal(found.values, atlas().maps)
    plain = volumes.read_image(gzip.decompress(MAPS), SIDECAR)
    assert np.array_equal(plain.values, atlas().maps)


def test_parcellation_comes_back_as_sets_of_units() -> None:
    found = volumes.read_image(LABELS, SIDECAR)
    parcels = atlas().parcellation(z=1.0)
    assert np.array_equal(found.values[0] - 1, parcels)
    assert [label for _, label in found.choices] == [k + 1 for k in np.unique(parcels) if k >= 0]
    assert np.array_equal(found.chosen((0, 2)), parcels == 1)
    assert np.array_equal(nifti(MASK).get_fdata() != 0, GRID.volume(atlas().decomposition.alive))


def test_table_of_labels_has_a_line_for_each_network() -> None:
    rows = [line.split("\t") for line in TABLE.decode().splitlines()]
    assert rows[0] == ["index", "name", "network"]
    assert [row[1] for row in rows[1:]] == ["French <b>", "a b", "network 2", "=1"]


def test_same_atlas_same_bytes_also_in_the_archive() -> None:
    again = volumes.volume_files(atlas(), GRID, NAMES, z=1.0)
    assert again == FILES
    with zipfile.ZipFile(io.BytesIO(volumes.zipped(FILES))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_region_drawn_by_another_tool_is_a_set_of_units(kind, dtype) -> None:
    drawn = np.zeros(GRID.shape, dtype=dtype)
    units = np.array([0, 8, 20])
    drawn[tuple(GRID.voxel_of_unit[units].T)] = 7
    drawn[tuple(np.argwhere(GRID.unit_of_voxel < 0)[0])] = 7
    found = volumes.read_image(edited(drawn, kind=kind), SIDECAR)
    assert (found.kind, found.choices, found.n_outside) == ("labels", [(0, 7)], 1)
    assert np.array_equal(np.flatnonzero(found.chosen((0, 7))), units)


def test_image_with_flipped_axes_is_the_same_image() -> None:
    values = atlas().maps[0]
    data = GRID.volume(values)[::-1, :, ::-1]
    flip = np.diag([-1.0, 1.0, -1.0, 1.0])
    flip[:3, 3] = [GRID.shape[0] - 1, 0, GRID.shape[2] - 1]
    found = volumes.read_image(edited(data, affine=GRID.affine @ flip), SIDECAR)
    assert np.array_equal(found.values[0], values)


def scaled(**changes) -> bytes:
    return json.dumps({**json.loads(SIDECAR), **changes}).encode()


OTHER_ATLAS = volumes.volume_files(atlas(id="a2"), GRID, NAMES, z=1.0)
NAN = np.where(GRID.unit_of_voxel == 9, np.nan, 1.0).astype(np.float32)


def header_of(n_volumes: int) -> bytes:
    """The header of an image of many volumes in float64."""
    header = nib.Nifti1Header()
    header.set_data_shape((4, 3, 3, n_volumes, 1, 1, 1))
    header.set_data_dtype(np.float64)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    return header.binaryblock


@pytest.mark.parametrize(
    ("image", "sidecar", "error", "message"),
    [
        (MAPS, None, CorruptArtifactError, "no sidecar"),
        (MAPS, SIDECAR[:-20], CorruptArtifactError, "not whole JSON"),
        (MAPS, b"[]", CorruptArtifactError, "of the kind"),
        (MAPS, scaled(schema_version=9), CorruptArtifactError, "schema version 9"),
        (MAPS, scaled(widths=[7, 12, 6]), CorruptArtifactError, "Not every unit is in a voxel"),
        (MAPS, scaled(widths=[7, 12, 4]), CorruptArtifactError, "layers do not have"),
        (MAPS, scaled(widths=[10**12] * 3), CorruptArtifactError, "widths.0: .* got 1000000000000"),
        (MAPS, scaled(widths=[40_000_000] * 3), CorruptArtifactError, "no sense"),
        (MAPS, scaled(shape=[4, 3.0, 3]), CorruptArtifactError, "shape.1: .* got 3.0"),
        (
            MAPS,
            scaled(index_of_voxel=[[0.5] * 12] * 3),
            CorruptArtifactError,
            "voxel.0.0: .* 0.5",
        ),
        (MAPS, scaled(fingerprint=7), CorruptArtifactError, "fingerprint: .* got 7"),
        (MAPS, scaled(shape=[4, 3, 2]), CorruptArtifactError, "does not hold 3 layers"),
        (MAPS, scaled(shape=[3, 3, 3]), CorruptArtifactError, "index_of_voxel is not of"),
        (MAPS, scaled(affine=[[1, 2]]), CorruptArtifactError, "affine.0: list"),
        (MAPS, scaled(index_of_voxel=[[0], [1]]), CorruptArtifactError, "index_of_voxel is not of"),
        (MAPS, scaled(index_of_voxel="x"), CorruptArtifactError, "cannot be used"),
        (MAPS, OTHER_ATLAS["atlas-a2_volumes.json"], SettingsError, "atlas a1, the sidecar of"),
        (MAPS[:-100], SIDECAR, CorruptArtifactError, "cannot be unpacked"),
        (MAPS[:-4], SIDECAR, CorruptArtifactError, "cannot be unpacked"),
        (MAPS[:-8] + bytes(8), SIDECAR, CorruptArtifactError, "cannot be unpacked"),
        (gzip.decompress(MAPS)[:-100], SIDECAR, CorruptArtifactError, "cut short"),
        (gzip.decompress(MAPS)[:200], SIDECAR, CorruptArtifactError, "header"),
        (b"", SIDECAR, CorruptArtifactError, "header"),
        (b"\x89PNG" + bytes(600), SIDECAR, CorruptArtifactError, "header"),
        (gzip.compress(bytes(600)), SIDECAR, CorruptArtifactError, "header"),
        (
            gzip.compress(header_of(4000) + bytes(600)),
            SIDECAR,
            CorruptArtifactError,
            "cut short",
        ),
        (
            gzip.compress(header_of(30_000) + bytes(600)),
            SIDECAR,
            CorruptArtifactError,
            "30,000 volumes",
        ),
        (edited(np.ones((4, 3, 4))), SIDECAR, SettingsError, "4 × 3 × 4, its sidecar 4 × 3 × 3"),
        (edited(np.ones((4, 3))), SIDECAR, SettingsError, "has the shape 4 × 3"),
        (
            edited(np.ones(GRID.shape), affine=np.diag([1.0, 1, 1, 1])),
            SIDECAR,
            SettingsError,
            "lies elsewhere",
        ),
        (
            edited(np.ones(GRID.shape, dtype=np.complex64)),
            SIDECAR,
            SettingsError,
            "type complex64",
        ),
        (edited(np.zeros(GRID.shape)), SIDECAR, SettingsError, "marks no unit"),
        (edited(NAN), SIDECAR, NonFiniteError, "first at unit 2 of layer 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_image_that_cannot_be_used_is_told(image, sidecar, error, message) -> None:
    with pytest.raises(error, match=message):
        volumes.read_image(image, sidecar)


FLOAT64 = gzip.decompress(edited(np.random.default_rng(0).random(GRID.shape)))
WIDER = gzip.decompress(edited(np.ones(GRID.shape), kind=nib.Nifti2Image))


def damaged(content: bytes, **fields: object) -> bytes:
    """An image whose header says something else."""
    kind = nib.Nifti1Header if content[0] == 92 else nib.Nifti2Header
    header = kind(content[: kind.sizeof_hdr])
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + content[kind.sizeof_hdr :]


@pytest.mark.parametrize(
    "image",
    [
        damaged(FLOAT64, srow_x=0),
        damaged(FLOAT64, srow_x=np.inf),
        damaged(FLOAT64, vox_offset=np.nan),
        damaged(FLOAT64, vox_offset=np.inf),
        damaged(WIDER, srow_y=np.nan),
        damaged(gzip.decompress(LABELS), vox_offset=0),
    ],
    ids=["flat", "infinite", "no offset", "endless offset", "nan", "ends in its header"],
)
def test_damaged_headers_are_told_as_such(image) -> None:
    with pytest.raises(CorruptArtifactError, match="no NIfTI image that can be read"):
        volumes.read_image(image, SIDECAR)


def test_values_beyond_float32_are_no_numbers() -> None:
    data = np.random.default_rng(0).random(GRID.shape)
    data[GRID.unit_of_voxel == 9] = 1e39
    with pytest.raises(NonFiniteError, match="first at unit 2 of layer 1"):
        volumes.read_image(edited(data), SIDECAR)


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_large_labels_stay_apart(dtype) -> None:
    """Neighbours beyond 2 ** 24 are one number in float32."""
    drawn = np.zeros(GRID.shape, dtype=dtype)
    drawn[GRID.unit_of_voxel == 3] = 16777216
    drawn[GRID.unit_of_voxel == 4] = 16777217
    image = volumes.compressed(nib.Nifti1Image(drawn, GRID.affine, dtype=dtype))
    found = volumes.read_image(image, SIDECAR)
    assert found.choices == [(0, 16777216), (0, 16777217)]
    for choice, unit in zip(found.choices, (3, 4), strict=True):
        assert np.flatnonzero(found.chosen(choice)).tolist() == [unit]


def test_image_of_another_model_is_refused() -> None:
    beside = volumes.read_image(MAPS, SIDECAR).sidecar
    beside.check_model("model-1", RAGGED)
    with pytest.raises(FingerprintMismatchError, match="another model"):
        beside.check_model("model-2", RAGGED)
    with pytest.raises(FingerprintMismatchError, match="7, 12, 5 units, this model of 2 × 12"):
        beside.check_model("model-1", UnitLayout((12, 12)))


def test_overlap_is_counted_against_sets_and_maps() -> None:
    here = atlas()
    members = np.abs(here.maps[1]) > 1.0
    table = volumes.overlap_table(here, members.astype(np.float32), z=1.0)
    best = table.iloc[0]
    assert (best["network"], best["dice"], best["share"]) == (1, 1.0, 1.0)
    assert best["shared"] == members.sum()
    assert best["expected"] == pytest.approx(members.sum() / (RAGGED.n_units - 1))
    own = volumes.overlap_table(here, here.maps[2], z=1.0).set_index("network")
    assert own.loc[2, "r"] == pytest.approx(1.0)
    alive = here.decomposition.alive
    expected = np.corrcoef(here.maps[2, alive], here.maps[0, alive])[0, 1]
    assert own.loc[0, "r"] == pytest.approx(expected)


def test_another_model_is_told_before_anything_is_unpacked() -> None:
    def check(sidecar) -> None:
        sidecar.check_model("model-2", RAGGED)

    with pytest.raises(FingerprintMismatchError, match="another model"):
        volumes.read_image(b"no image at all", SIDECAR, check=check)


def test_volumes_are_read_one_by_one_and_maps_win_over_labels() -> None:
    """A later volume decides: the labels of the earlier ones become values of maps."""
    sets = np.zeros((*GRID.shape, 3))
    sets[..., 0][GRID.unit_of_voxel == 3] = 2**25 + 1
    sets[..., 1][GRID.unit_of_voxel == 4] = 5
    found = volumes.read_image(edited(sets[..., :2]), SIDECAR)
    assert (found.kind, found.labels) == ("labels", ((2**25 + 1,), (5,)))
    sets[..., 2][GRID.unit_of_voxel == 5] = 0.5
    found = volumes.read_image(edited(sets), SIDECAR)
    assert (found.kind, found.values.dtype, found.labels) == ("maps", np.float32, ())
    assert found.values[[0, 1, 2], [3, 4, 5]].tolist() == [2.0**25, 5.0, 0.5]
