"""An atlas as images, tables and one page to download, and images to upload."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.atlas.atlas_tasks import atlas_page
from app.atlas.files.body import show_values
from app.atlas.files.data import imported
from app.shell import recipes, resources, view_state, wording
from app.shell.images import files as images
from app.widgets import controls, frame, job_progress
from app.widgets.controls import button, download
from fnprune_core.atlas.files import members_table, networks_table, time_courses_csv, units_table
from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.images.volumes import ImportedImage
from fnprune_core.atlas.images.voxels import Sidecar
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.foreign_text import csv_of


def take_images(atlas: NetworkAtlas, z: float | None) -> None:
    """Offer maps and parcellation as images of neuroimaging tools."""
    grid = images.grid(atlas.id)
    columns, rows, layers = grid.shape
    n_bytes = atlas.n_networks * columns * rows * layers * 4
    st.markdown(
        f"{atlas.n_networks} maps of z, the parcellation ({atlas.rule(z)}), the mask of units that "
        "vary, the names, a sidecar that leads from each voxel to its unit, and the grey anatomy "
        f"(nilearn's `bg_img`). {columns} × {rows} × {layers} voxels: z is the layer, first at the "
        "bottom; a unit fills one voxel or a few, and its place is computed. FSLeyes, MRIcroGL and "
        "nilearn open them."
    )
    if grid.placement == "index":
        st.caption("The cortex is not laid out yet: units lie in the order of their numbers.")
    names = resources.network_names(atlas.id)
    download(
        f"Images as ZIP, about {wording.size(n_bytes)}",
        lambda: volumes.zipped(volumes.volume_files(atlas, grid, names, z=z)),
        f"atlas-{atlas.id}-volumes.zip",
        key="files-images",
    )
    option = "" if z is None else f" --z {z:g}"
    st.code(f"fnprune volumes {atlas.id} FOLDER{option}", language="bash")


def bring_image(atlas: NetworkAtlas) -> ImportedImage | None:
    """Read an image with its sidecar; None if there is none, or none that can be used."""
    uploads = st.file_uploader(
        "An image and its sidecar: .nii or .nii.gz, and .json",
        type=["nii", "gz", "json"],
        accept_multiple_files=True,
        key="files-image",
        help="As downloaded here, or edited in another tool in the same space.",
    )
    if not uploads:
        st.caption(
            "What the image marks is drawn in the body, and compared with each network. Keep "
            "the space of the original: an image that was resampled cannot be read back."
        )
        return None

    def check(sidecar: Sidecar) -> None:
        sidecar.check_model(atlas.decomposition.fingerprint, atlas.layout)

    image = None
    with frame.explaining():
        image = _read_uploads(uploads, check)
    return image


def _read_uploads(uploads: Sequence[Any], check: Callable[[Sidecar], None]) -> ImportedImage:
    niftis = [upload for upload in uploads if not upload.name.lower().endswith(".json")]
    sidecars = [upload for upload in uploads if upload.name.lower().endswith(".json")]
    if len(niftis) != 1 or len(sidecars) > 1:
        raise SettingsError(
            f"There are {wording.count(len(niftis), 'image')} and "
            f"{wording.count(len(sidecars), 'sidecar')}.",
            hint="Choose one image and the one .json file that was written with it.",
        )
    image = niftis[0].getvalue()
    sidecar = sidecars[0].getvalue() if sidecars else None
    digest = hashlib.sha256(image + (sidecar or b"")).hexdigest()
    found = imported(digest, image, sidecar, check)
    check(found.sidecar)
    return found


def show_image(atlas: NetworkAtlas, image: ImportedImage, z: float | None) -> None:
    """Draw an uploaded image in the body, and its overlap with each network."""
    choices = image.choices
    position = 0
    if len(choices) > 1:
        position = st.selectbox(
            "Which of them",
            range(len(choices)),
            format_func=lambda i: _title(choices[i]),
            key="files-choice",
        )
    values = image.chosen(choices[position])
    is_set = image.kind == "labels"
    if image.n_outside:
        st.caption(
            f"{wording.count(image.n_outside, 'voxel')} of the image hold no unit and are left out."
        )
    level = 0.5 if is_set else z or DEFAULT_THRESHOLD
    title = _title(choices[position])
    code = recipes.code("image", atlas=atlas.id, z=z)
    show_values(atlas, values, level, title=title, made=code)
    table = _overlap(atlas, values, z, title=title)
    marked_units = np.flatnonzero(np.abs(values) > level)
    with st.container(horizontal=True, gap="small"):
        _csv_button("Overlap as CSV", lambda: csv_of(table), f"{atlas.id}-overlap")
        units = units_table(atlas, marked_units, values)
        _csv_button("Units as CSV", lambda: csv_of(units), f"{atlas.id}-units")


def _csv_button(label: str, content: Callable[[], str], name: str) -> None:
    download(label, content, f"atlas-{name}.csv", key=f"files-{name}")


def _title(choice: tuple[int, int | None]) -> str:
    volume, label = choice
    return f"Volume {volume}" + ("" if label is None else f", label {label}")


def _overlap(
    atlas: NetworkAtlas, values: NDArray[np.float32], z: float | None, *, title: str
) -> pd.DataFrame:
    """Draw the table of an image's overlap with the networks, and return it."""
    table = volumes.overlap_table(atlas, values, z=z)
    names = resources.network_names(atlas.id)
    table.insert(1, "name", [names[k] for k in table["network"]])
    top = table.iloc[0]
    network = int(top["network"])
    sentence = (
        f"{title} overlaps most with network {network}: {100 * top['share']:.1f} % of "
        f"its units are there, {100 * top['expected']:.1f} % would be by chance."
        if top["shared"]
        else f"{title} shares no unit with any network ({atlas.rule(z)})."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(wording.plain(sentence), width="stretch")
        if top["shared"]:
            button(
                f"Select network {network}",
                "neurology",
                key="files-select",
                does=lambda: view_state.change(network=network),
            )
    controls.table(
        table,
        height=280,
        alt=sentence,
        key="files-overlap",
        columns={
            "shared": ("units shared", "", f"Units of the network: {atlas.rule(z)}."),
            "share": ("of the image", "percent"),
            "expected": ("by chance", "percent"),
            "dice": ("Dice", "%.3f"),
            "r": ("r with the map", "%.3f"),
        },
    )
    return table


def take_tables(atlas: NetworkAtlas, network: int, z: float | None) -> None:
    """Offer the atlas's numbers as CSV."""
    notes, names = resources.annotations(atlas.id), resources.network_names(atlas.id)
    tables = {
        "networks": (
            f"All {atlas.n_networks} networks: names, notes, agreement of runs, variance, domains",
            lambda: csv_of(networks_table(atlas, names, notes, z=z)),
        ),
        "members": (
            f"Units of all networks ({atlas.rule(z)}): network, layer, unit, z",
            lambda: csv_of(members_table(atlas, z=z)),
        ),
        f"time-course-{network}": (
            f"Time course of network {network}, with its tokens",
            lambda: "".join(time_courses_csv(atlas, [network])),
        ),
        "time-courses": (
            f"Time courses of all networks, about "
            f"{wording.size(10 * atlas.time_courses.size + 60 * len(atlas.tokens))}",
            lambda: "".join(time_courses_csv(atlas, range(atlas.n_networks))),
        ),
    }
    for name, (label, content) in tables.items():
        _csv_button(label, content, f"{atlas.id}-{name}")


def take_page(atlas: NetworkAtlas, z: float | None) -> None:
    """Offer the whole atlas as one page that opens anywhere."""
    st.markdown(
        "Maps, passages and numbers of every network as one HTML file for any browser. It needs "
        "no internet connection."
    )
    job = job_progress.offer(
        "atlas_page", "Write the page", "article", lambda: atlas_page(atlas=atlas.id, z=z),
        done="The page is written", key="files-page",
    )  # fmt: skip
    if job is not None and job.state == "done" and job.inputs["atlas"] == atlas.id:
        path = job.result
        if path.is_file():
            label = f"Page, {wording.size(path.stat().st_size)}"
            download(label, path.read_bytes, path.name, key="files-page-html")
