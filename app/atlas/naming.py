"""Names, notes and tags of networks by hand: the editor, and their display."""

import hashlib

import streamlit as st

from app.shell import resources, session_state, wording
from app.shell.jobs.job import Failure
from app.widgets import frame
from app.widgets.controls import button
from fnprune_core.atlas import annotation_files, annotations
from fnprune_core.atlas.annotation_files import MAX_NAME, MAX_NOTE, Annotation
from fnprune_core.atlas.naming.suggestions import RULE
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import CorruptArtifactError


def edit(atlas: NetworkAtlas, network: int) -> None:
    """Offer the editor of a network's name and note, in a popover."""
    popover = st.popover(
        "Name and note", icon=":material/edit:", key="naming-popover", on_change="rerun"
    )
    if popover.open:
        with popover:
            form(atlas, network)


def form(atlas: NetworkAtlas, network: int) -> None:
    """Draw the editor of a network's name, note and tags."""
    try:
        stored = resources.annotations(atlas.id)
    except CorruptArtifactError as error:
        _offer_to_set_aside(atlas, error)
        return
    if stored.unmatched is not None:
        offer_match(atlas)
        return
    annotation = stored.of(network)
    # A change by another browser starts the widgets anew; what is typed here survives the rest.
    key = f"naming-{atlas.id}-{network}-{_digest(annotation)}"
    with st.form(key, border=False):
        name = st.text_input(
            "Name",
            annotation.name,
            max_chars=MAX_NAME,
            placeholder=resources.suggested_name(atlas.id, network),
            help="Empty: the name that is suggested.",
            key=f"{key}-name",
        )
        note = st.text_area(
            "Note", annotation.note, max_chars=MAX_NOTE, height=120, key=f"{key}-note"
        )
        tags = st.text_input(
            "Tags",
            ", ".join(annotation.tags),
            help="Words, separated by commas.",
            key=f"{key}-tags",
        )
        is_sent = st.form_submit_button("Save", icon=":material/save:", key=f"{key}-save")
    if is_sent:
        with frame.explaining():
            edited = annotation_files.tidied(name=name, note=note, tags=tags)
            annotations.annotate(resources.workspace(), atlas, network, edited)
            session_state.notify(f"Network {network} is saved")
            st.rerun()


def show_name(atlas: NetworkAtlas, network: int) -> None:
    """Draw a network's name: a person's, or else the suggested one, marked so, with its reasons."""
    suggestion = resources.suggestion(atlas.id, network)
    own_name = resources.annotations(atlas.id).of(network).name
    reasons = " ".join(suggestion.basis) or "No word, class of tokens or domain holds enough of it."
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{wording.plain(own_name or suggestion.text)}**", width="content")
        if not own_name:
            st.badge("suggested", icon=":material/auto_awesome:", color="gray", help=RULE)
    suggested_text = f"Suggested: {suggestion.text}. " if own_name else ""
    st.caption(wording.plain(f"{suggested_text}{reasons}"))


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw the note and tags that a person gave a network, as plain text; nothing without them."""
    with frame.explaining():
        annotation = resources.annotations(atlas.id).of(network)
        if annotation.tags:
            with st.container(horizontal=True, gap="xsmall"):
                for tag in annotation.tags:
                    st.badge(wording.plain(tag), icon=":material/sell:", color="gray")
        if annotation.note:
            st.text(annotation.note)


def offer_match(atlas: NetworkAtlas) -> None:
    """Say that the stored names were given to networks of other numbers; offer to match them."""
    st.warning(
        "The names of this atlas were given when its networks had other numbers: another machine, "
        "or another version, made it then. Until they are matched, none is shown.",
        icon=":material/warning:",
    )
    if st.button("Match by maps", icon=":material/join_inner:", key="naming-match"):
        with frame.explaining():
            _, moved = annotations.match_stored(resources.workspace(), atlas)
            session_state.notify(moved.sentence())
            st.rerun()


def _digest(annotation: Annotation) -> str:
    return hashlib.sha256(repr(annotation).encode()).hexdigest()[:8]


def _offer_to_set_aside(atlas: NetworkAtlas, error: CorruptArtifactError) -> None:
    frame.error(Failure(message=error.message, hint=error.hint))
    if button("Set the damaged file aside", "drive_file_move", key="naming-set-aside"):
        with frame.explaining():
            path = annotations.set_aside(resources.workspace(), atlas.id)
            session_state.notify(f"The damaged file is kept as {path.name}")
            st.rerun()
