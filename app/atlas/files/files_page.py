"""Files page: the atlas as files to download, and names and images to upload."""

import streamlit as st

from app.atlas import naming
from app.atlas.files import names, volumes
from app.widgets import atlas_frame, frame
from fnprune_core.atlas.network_atlas import NetworkAtlas

SECTIONS = {"images": "Images", "names": "Names", "tables": "Tables", "page": "One page"}


def units_rule(atlas: NetworkAtlas) -> float | None:
    """Draw the choice of units; return |z|, or None for members."""
    return atlas_frame.units_rule(atlas, "files-z", tip="The same choice as on the other pages.")


def show_images(atlas: NetworkAtlas) -> None:
    """Draw what goes out and comes back as NIfTI."""
    z = units_rule(atlas)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Download", anchor=False)
        volumes.take_images(atlas, z)
    with right:
        st.subheader("Upload", anchor=False)
        image = volumes.bring_image(atlas)
    if image is not None:
        with frame.explaining():
            volumes.show_image(atlas, image, z)


def show_names(atlas: NetworkAtlas, network: int) -> None:
    """Draw the editor of the selected network's name, and the files of all names."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(f"Network {network}", anchor=False)
        naming.form(atlas, network)
    with right:
        st.subheader("All names", anchor=False)
        with frame.explaining():
            names.take_names(atlas)
        names.bring_names(atlas)


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw the chosen section."""
    section = atlas_frame.section(SECTIONS, key="files-section", label="What")
    if section == "images":
        show_images(atlas)
    elif section == "names":
        show_names(atlas, network)
    elif section == "tables":
        volumes.take_tables(atlas, network, units_rule(atlas))
    else:
        volumes.take_page(atlas, units_rule(atlas))


atlas_and_network = atlas_frame.open_atlas(
    "Files", "Download the atlas as files that other tools open, and upload names and images again."
)
if atlas_and_network is not None:
    with frame.explaining():
        show(*atlas_and_network)
