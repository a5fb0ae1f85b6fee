"""Images by address: whole, exact, sent once, and refused with a reason."""

import asyncio
import gzip
import threading
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.doors import here
from app.shell import resources
from app.shell.images import addresses
from app.shell.images import files as images
from app.shell.images import routes as image_routes
from app.shell.images.drawings import BusyError, Drawings
from app.shell.images.stills import thumbnails
from fnprune_core.atlas import cortex
from fnprune_core.atlas.images.anatomy import margins


@pytest.fixture
def client(example):
    """A server of the routes alone, over the example with its cortex laid out."""
    cortex.lay_out(resources.workspace(), example.atlas)
    return TestClient(Starlette(routes=image_routes.routes()))


def opened(answer):
    assert answer.status_code == 200
    return nib.Nifti1Image.from_bytes(gzip.decompress(answer.content))


def map_url(id: str, network: int = 2) -> str:
    return addresses.map_url(id, network)


def test_a_map_comes_back_as_the_units_it_is_of(client, example) -> None:
    image = opened(client.get(map_url(example.atlas)))
    z, grid = resources.atlas(example.atlas).maps[2], images.grid(example.atlas)
    assert np.array_equal(image.affine, grid.affine)
    found = grid.values(image.get_fdata(dtype=np.float32))
    assert np.abs(found - z).max() <= np.ptp(z) / 60_000


def test_the_anatomy_lies_in_the_space_of_the_maps(client, example) -> None:
    id = example.atlas
    body = opened(client.get(addresses.atlas_url(id, "anatomy.nii.gz")))
    grid = images.grid(id)
    around = margins(grid.shape[2])
    inside = np.asanyarray(body.dataobj)[around.inside(grid.shape)]
    assert np.array_equal(inside > 0, grid.unit_of_voxel >= 0)
    assert np.allclose(nib.affines.apply_affine(body.affine, around.low), grid.affine[:3, 3])


def test_another_grey_shows_other_values_in_the_same_body(client, example, monkeypatch) -> None:
    id = example.atlas
    monkeypatch.setattr(images.preview_files, "has_preview", lambda *args: False)
    assert list(images.greys(id)) == ["sinks"]
    norms = {"column_norms": np.random.default_rng(0).random(resources.atlas(id).layout.n_units)}
    monkeypatch.setattr(images.preview_files, "has_preview", lambda *args: True)
    monkeypatch.setattr(images.preview_files, "open_norms", lambda *args: norms)
    shown = [
        np.asanyarray(opened(client.get(addresses.atlas_url(id, "anatomy.nii.gz", **grey)))
                      .dataobj)
        for grey in ({}, *({"grey": name} for name in images.greys(id)))
    ]  # fmt: skip
    assert len(shown) == 3
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.array_equal(shown[one] > 0, shown[other] > 0)
        assert (shown[one] != shown[other]).any()
    refused = client.get(addresses.atlas_url(id, "anatomy.nii.gz", grey="<b>"))
    assert refused.status_code == 404
    assert "activity, weights, sinks" in refused.text.replace("'", "")


def test_units_and_regions_come_back_as_what_they_are_of(client, example) -> None:
    id, grid = example.atlas, images.grid(example.atlas)
    atlas = resources.atlas(id)
    units = opened(client.get(addresses.atlas_url(id, "units.nii.gz")))
    assert np.array_equal(np.asanyarray(units.dataobj) - 1, grid.unit_of_voxel)
    inside = margins(grid.shape[2]).inside(grid.shape)
    parts = {
        part: opened(client.get(addresses.atlas_url(id, f"parcels/0/{part}.nii.gz")))
        for part in ("labels", "strengths")
    }
    labels, strengths = (np.asanyarray(parts[part].dataobj)[inside] for part in parts)
    assert np.array_equal(grid.values(labels) - 1, np.abs(atlas.maps).argmax(axis=0))
    strongest = np.abs(atlas.maps).max(axis=0)
    np.testing.assert_allclose(grid.values(strengths) / 100, strongest, atol=0.0051)
    body = opened(client.get(addresses.atlas_url(id, "anatomy.nii.gz")))
    assert parts["labels"].shape == body.shape
    assert np.array_equal(parts["labels"].affine, body.affine)


def test_a_contrast_is_that_of_its_atlas_alone(client, example, monkeypatch) -> None:
    id = example.atlas
    t = np.linspace(-9, 9, resources.atlas(id).layout.n_units)
    result = SimpleNamespace(decomposition_id=id, units=SimpleNamespace(t=t))
    monkeypatch.setattr(images.run, "open_localizer", lambda *args, **kwargs: result)
    address = addresses.atlas_url(id, "localizers/0123456789abcdef.nii.gz")
    found = images.grid(id).values(opened(client.get(address)).get_fdata())
    assert np.abs(found - t).max() <= np.ptp(t) / 60_000
    still = address.replace(".nii.gz?", ".png?") + "&z=3&limit=9"
    assert client.get(still).content.startswith(b"\x89PNG")
    other = SimpleNamespace(decomposition_id="another", units=result.units)
    monkeypatch.setattr(images.run, "open_localizer", lambda *args, **kwargs: other)
    assert client.get(address.replace("0123456789abcdef", "fedcba9876543210")).status_code == 404


def test_the_real_brain_lies_under_its_map(client) -> None:
    head, motor = (
        opened(client.get(addresses.brain_url(f"{part}.nii.gz"))) for part in ("anatomy", "motor")
    )
    grey = np.asanyarray(head.dataobj)
    assert (grey.min(), grey.max()) == (0, 255)
    values = motor.get_fdata()
    assert nib.aff2axcodes(motor.affine) == nib.aff2axcodes(head.affine) == ("R", "A", "S")
    strong = nib.affines.apply_affine(motor.affine, np.argwhere(np.abs(values) > 6))
    there = np.rint(nib.affines.apply_affine(np.linalg.inv(head.affine), strong)).astype(int)
    assert (grey[tuple(there.T)] > 60).mean() > 0.9
    # A contrast of two hands: opposite signs in the two hemispheres.
    left = values[np.abs(values) > 6][strong[:, 0] < -20]
    right = values[np.abs(values) > 6][strong[:, 0] > 20]
    assert np.sign(left.mean()) != np.sign(right.mean())
    picture = client.get(addresses.brain_url("motor.png", limit=9) + "&z=3")
    assert picture.content.startswith(b"\x89PNG")


def test_pictures_of_several_networks_and_of_regions_follow_the_threshold(client, example) -> None:
    id = example.atlas
    for address in (
        addresses.several_url(id, "networks.png", (2, 0, 4)),
        addresses.atlas_url(id, "parcels.png"),
    ):
        pictures = {client.get(f"{address}&z={z}").content for z in (0.5, 1.5)}
        assert len(pictures) == 2
        assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_what_the_browser_has_is_not_sent_again(client, example) -> None:
    first = client.get(map_url(example.atlas))
    assert "private" in first.headers["cache-control"]
    for known in (first.headers["etag"], f'"other", {first.headers["etag"]}'):
        again = client.get(map_url(example.atlas), headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    other = client.get(map_url(example.atlas, 3), headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


def test_the_address_changes_once_units_are_laid_out(example) -> None:
    before = map_url(example.atlas)
    cortex.lay_out(resources.workspace(), example.atlas)
    after = map_url(example.atlas)
    assert before != after
    assert after == map_url(example.atlas)


def test_a_still_picture_is_drawn_of_a_pole_and_a_threshold(client, example) -> None:
    id = example.atlas
    address = addresses.atlas_url(id, "networks/2.png", limit=4.0, pole=0)
    pictures = {client.get(f"{address}&z={z}").content for z in (1.0, 2.0)}
    negative = addresses.atlas_url(id, "networks/2.png", limit=4.0, pole=-1)
    pictures.add(client.get(f"{negative}&z=1.0").content)
    assert len(pictures) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_every_thumbnail_is_sent_once_and_differs(client, example) -> None:
    sources = thumbnails(example.atlas, 1.5, "light")
    assert sources == thumbnails(example.atlas, 1.5, "dark")  # film in both modes
    answers = [client.get(source) for source in sources]
    assert {answer.status_code for answer in answers} == {200}
    pictures = {answer.content for answer in answers}
    assert len(pictures) == resources.atlas(example.atlas).n_networks
    assert all(picture[8:12] == b"WEBP" and len(picture) < 8_000 for picture in pictures)
    known = {"If-None-Match": answers[0].headers["etag"]}
    assert client.get(sources[0], headers=known).status_code == 304
    assert client.get(thumbnails(example.atlas, 4.0, "dark")[0]).content not in pictures


def test_without_a_cortex_thumbnails_are_layers_by_units(example) -> None:
    for mode in ("dark", "light"):
        sources = thumbnails(example.atlas, 1.5, mode)
        assert all(source.startswith("data:image/png") for source in sources)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("{id}/networks/6.webp?z=3", 404),
        ("{id}/networks/2.webp", 400),
        ("{id}/networks/2.webp?z=-3", 400),
        ("{id}/networks/6.nii.gz", 404),
        ("{id}/networks/6.png?z=3&limit=5", 404),
        ("0000000000000000/networks/0.nii.gz", 404),
        ("0000000000000000/anatomy.nii.gz", 404),
        ("..%2F..%2Fexample/anatomy.nii.gz", 404),
        ("{id}/parcels/3/labels.nii.gz", 404),
        ("{id}/parcels/4/nonsense.nii.gz", 404),
        ("{id}/localizers/0123456789abcdef.nii.gz", 404),
        ("{id}/localizers/..%2Fx.nii.gz", 404),
        ("{id}/networks.png?z=3&networks=1.99", 404),
        ("{id}/networks.png?z=3&networks=a", 400),
        ("{id}/networks.png?z=3&networks=" + ".".join("1" * 13), 400),
        ("{id}/parcels.png", 400),
        ("../brain/nonsense.nii.gz", 404),
        ("{id}/networks/2.png", 400),
        ("{id}/networks/2.png?z=nan&limit=5", 400),
        ("{id}/networks/2.png?z=-1&limit=5", 400),
        ("{id}/networks/2.png?z=3&limit=inf", 400),
        ("{id}/networks/2.png?z=3&limit=5&pole=2", 400),
    ],
)
def test_what_is_not_there_or_makes_no_sense_is_told(client, example, path, status) -> None:
    answer = client.get("/_fnprune/atlases/" + path.format(id=example.atlas))
    assert answer.status_code == status
    assert 0 < len(answer.text) < 300


def test_addresses_lie_below_the_path_that_the_server_has(example, monkeypatch) -> None:
    monkeypatch.setattr(here.config, "get_option", {"server.baseUrlPath": "/brain/"}.get)
    address = map_url(example.atlas)
    assert address.startswith(f"/brain/_fnprune/atlases/{example.atlas}/")
    client = TestClient(Starlette(routes=image_routes.routes()))
    assert client.get(address).status_code == 200


def test_addresses_between_two_steps_of_a_slider_give_one_picture(client, example) -> None:
    """Else each new value costs a drawing and, of the example, a file."""
    id = example.atlas
    for name, values in (
        ("networks/2.webp", [f"&z={z}" for z in (1.51, 1.5, 1.4999)]),
        ("networks.webp", [f"&networks=1&z=1&solid={solid}" for solid in (0.401, 0.4, 0.39)]),
    ):
        address = addresses.atlas_url(id, name)
        tags = {client.get(address + value).headers["etag"] for value in values}
        assert len(tags) == 1


def test_drawings_go_one_by_one_and_too_many_are_refused(example) -> None:
    """Closed requests were drawn all the same, and 40 at once."""
    drawings, begun, go = Drawings(most=2), [], threading.Event()

    def slow(name: str) -> bytes:
        begun.append(name)
        assert go.wait(30)
        return name.encode()

    class Browser:
        def __init__(self, *, is_gone: bool = False) -> None:
            self.is_gone = is_gone

        async def is_disconnected(self) -> bool:
            return self.is_gone

    async def ask() -> None:
        first = asyncio.create_task(drawings.draw(Browser(), lambda: slow("first")))
        await asyncio.sleep(0)
        assert await drawings.draw(Browser(is_gone=True), lambda: slow("gone")) is None
        second = asyncio.create_task(drawings.draw(Browser(), lambda: slow("second")))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await drawings.draw(Browser(), lambda: slow("third"))
        assert begun == ["first"]
        go.set()
        assert [await first, await second] == [b"first", b"second"]

    asyncio.run(ask())
    assert begun == ["first", "second"]
    full = TestClient(Starlette(routes=image_routes.routes(Drawings(most=0))))
    answer = full.get(addresses.atlas_url(example.atlas, "units.nii.gz"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
