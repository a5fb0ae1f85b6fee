"""Widgets that pages share: frame and context bar, pictures, progress, errors, empty states."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from app import pages
from app.figures.theme import PALETTES, Mode, Palette
from app.shell import glossary, navigation, resources, session_state, view_fields, view_state
from app.shell.caches.colours import palette_of
from app.shell.jobs.job import Failure, describe_error
from app.shell.wording import count, plain, sentence
from app.widgets import moved_networks
from app.widgets.browser_events import load_charts_ahead, watch_mode
from app.widgets.controls import button
from fnprune_core.assets import asset
from fnprune_core.errors import ArtifactNotFoundError, FnpruneError, SignalsNotKeptError
from fnprune_core.example.ids import find_example

START, RECORD, DECOMPOSE = pages.path("start"), pages.path("record"), pages.path("decompose")
EXAMPLE_MODEL = "embedded"
ATLAS, PRUNE = pages.path("atlas"), pages.path("prune")


def mode() -> Mode:
    """Return the mode that this browser shows."""
    return "light" if st.context.theme.type == "light" else "dark"


def palette() -> Palette:
    """Return the colours of the mode that this browser shows, and of the view's networks."""
    atlas = view_state.view().atlas
    try:
        return palette_of(atlas, mode()) if atlas else PALETTES[mode()]
    except FnpruneError:  # a missing or damaged atlas is told where it is opened
        return PALETTES[mode()]


def frame(url: str, *, find: Callable[[], None]) -> None:
    """Draw the head of every page: styles, notices, what is loaded, and the page's views.

    Parameters
    ----------
    url : str
        Address of the view that is open.
    find : callable
        Draws the button that opens the search, in the bar of the atlas.
    """
    st.html(asset("styles/frame.css"))
    watch_mode(mode())
    if url:  # Start has no chart, and much else to load
        load_charts_ahead()
    for text in session_state.notices():
        st.toast(plain(text), icon=":material/check:")
    refused = session_state.refusal()
    if refused is not None:
        error(refused)
    complete_view()
    view = view_state.view()
    with st.container(horizontal=True, key="context", gap="small", vertical_alignment="center"):
        st.page_link(START, label=_model_label(view), icon=":material/memory:")
        st.page_link(
            RECORD,
            label=_recording_label(view),
            icon=":material/graphic_eq:",
            help=glossary.tip("run"),
        )
        st.page_link(
            DECOMPOSE,
            label=_atlas_label(view),
            icon=":material/hub:",
            help=glossary.tip("atlas"),
        )
        st.page_link(
            PRUNE,
            label=_plan_label(view),
            icon=":material/content_cut:",
            help=glossary.tip("pruning"),
        )
    views(url or pages.WORK[0].url, find=find)
    moved_networks.check_link()


def views(url: str, *, find: Callable[[], None]) -> None:
    """Draw links to the pages of the atlas where one is open, and to the open page's views."""
    open_page = pages.page_of(url)
    is_atlas = open_page in pages.ATLAS
    if not is_atlas and not open_page.more:
        return
    with st.container(horizontal=True, key="page-bar", gap="small", vertical_alignment="center"):
        if is_atlas:
            find()
        for page in pages.ATLAS if is_atlas else ():
            # The open page's link leads to its open view, so that it is marked as the place.
            target = pages.path(url) if page is open_page else page.path
            st.page_link(
                target, label=page.label, icon=f":material/{page.icon}:", help=_purpose(page)
            )
        if open_page.more:
            with st.container(horizontal=True, key="page-views", gap="xxsmall", width="content"):
                for view in open_page.views:
                    st.page_link(view.path, label=view.title, help=view.help)


def _purpose(page: pages.Page) -> str:
    return "  \n".join(view.help for view in page.views)


def complete_view() -> None:
    """Let a link that names an atlas or a plan alone bring along its sources."""
    view = view_state.view()
    plan = _manifest("plans", view.plan) if view.plan and not view.atlas else None
    if plan is not None:
        view_state.change(atlas=plan["inputs"].get("decomposition_id", ""))
    atlas = _manifest("decompositions", view_state.view().atlas) if not view.recording else None
    if atlas is not None:
        view_state.change(recording=atlas["recording_id"])


def heading(title: str, text: str, *, terms: Sequence[str] = ()) -> None:
    """Draw a page's title and the one sentence on its purpose.

    Parameters
    ----------
    terms : sequence of str
        Concepts of the glossary that the tooltip of the title explains.
    """
    help_text = "\n\n".join(glossary.tip(term) for term in terms)
    st.title(title, anchor=False, help=help_text or None)
    st.caption(text)


def _model_label(view: view_fields.ViewState) -> str:
    model = resources.language_model(view.model)
    name = model.name if model else view.model
    return "SmolLM2-135M (embedded)" if view.model == "embedded" else plain(name)


def _recording_label(view: view_fields.ViewState) -> str:
    facts = _manifest("recordings", view.recording)
    if facts is None:
        return "recording not found" if view.recording else "no recording"
    windows = facts["windows"]
    return f"{windows['n_tokens']:,} tokens, {count(len(windows['domain_names']), 'domain')}"


def _atlas_label(view: view_fields.ViewState) -> str:
    facts = _manifest("decompositions", view.atlas)
    if facts is None:
        return "atlas not found" if view.atlas else "no atlas"
    return count(facts["n_networks"], "network")


def _plan_label(view: view_fields.ViewState) -> str:
    facts = _manifest("plans", view.plan)
    if facts is None:
        return "plan not found" if view.plan else "no plan"
    return f"plan: {100 * facts['achieved_ratio']:.0f} % of units go"


def _manifest(kind: str, id: str) -> dict[str, Any] | None:
    if not id:
        return None
    try:
        return resources.manifest(kind, id)
    except FnpruneError:
        return None


def error(failure: Failure, *, was_chosen: bool = False) -> None:
    """Draw an error: what went wrong, and what to do; calmly where a person chose it so."""
    text = f"**{sentence(failure.message)}**"
    if failure.hint:
        text += f"  \n{sentence(failure.hint)}"
    if was_chosen:
        st.info(text, icon=":material/info:")
    else:
        st.error(text, icon=":material/error:")


@contextmanager
def explaining() -> Iterator[None]:
    """Turn an error inside the block into a message in its place; the page goes on."""
    try:
        yield
    except ArtifactNotFoundError as exception:
        error(Failure(message=exception.message, hint="It may have been deleted since."))
        # Two places of a page can miss the same thing, and no two buttons may have one key.
        n_before = session_state.times_told(str(exception))
        button("Go on without it", "close", key=f"away-{exception}-{n_before}", does=drop_missing)
    except SignalsNotKeptError as exception:
        error(describe_error(exception), was_chosen=True)
    except Exception as exception:  # noqa: BLE001 - a page must never show a traceback
        error(describe_error(exception))


def drop_missing() -> None:
    """Deselect what the workspace does not have."""
    navigation.deselect(lambda kind, id: _manifest(kind, id) is not None)


def empty(title: str, text: str, *, button: str, page: str, icon: str) -> None:
    """Draw an empty state: what is missing, and the next step."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(f"### :material/{icon}:", width="content", text_alignment="center")
        st.subheader(title, anchor=False, width="content", text_alignment="center")
        st.markdown(text, width="content", text_alignment="center")
        if st.button(button, type="primary", key=f"empty-{page}-{button}"):
            st.switch_page(page)
        st.space("small")


def open_example() -> None:
    """Open the worked example, if there is one and no atlas is open."""
    ids = None if view_state.view().atlas else find_example(resources.workspace())
    if ids is not None:
        navigation.open_atlas(ids.decomposition_id, recording=ids.recording_id)
        view_state.change(model=EXAMPLE_MODEL)
        session_state.notify("Nothing else was open: this is the worked example")
        st.rerun()  # the bar above was drawn without it


def no_networks() -> None:
    """Open the worked example on a page that needs an atlas; without one, say where to make it."""
    open_example()
    empty(
        "No networks yet",
        "Decompose a recording, or build the worked example.",
        button="Go to the start",
        page=START,
        icon="neurology",
    )


def no_plans(sentence: str, *, title: str = "No plan yet") -> None:
    """Say that there is no plan yet, and where to make one."""
    empty(title, sentence, button="Go to Prune", page=PRUNE, icon="content_cut")
