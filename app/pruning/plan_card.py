"""One plan: its name, its link, its decisions, and what can be done with it."""

from contextlib import suppress
from urllib.parse import urlencode

import streamlit as st

from app import pages
from app.pruning import decisions, form_words
from app.pruning.data import title
from app.shell import (
    choices,
    navigation,
    resources,
    session_state,
    view_fields,
    view_state,
    wording,
)
from app.shell.caches import peaks
from app.shell.codec import Peak
from app.widgets import frame
from app.widgets.controls import button
from fnprune_core.decomposition.numbering import networks_here, renumbering_here
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import history
from fnprune_core.evaluation.history import PlanRecord
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import PlanNotes
from fnprune_core.plans.files import open_plan
from fnprune_core.plans.plan import PruningPlan

EXPORT = pages.path("export")
_PENDING = "plan to be deleted"


def adopt(plan_id: str) -> None:
    """Fill the lab's form as the URL has it, else as a plan was made that a link brings.

    Of a link that names a plan and nothing else, its networks and pins are taken, too.
    """
    form = form_words.followed()
    if form is not None:
        form_words.fill(form)
    elif plan_id and not view_state.view().form:
        with suppress(FnpruneError):  # told where its results are shown
            plan = open_plan(resources.workspace(), plan_id)
            _adopt_choice(plan)
            form_words.fill(
                form_words.words_of(plan.settings, share_of_parameters=plan.share_of_parameters)
            )


def _adopt_choice(plan: PruningPlan) -> None:
    """Take a plan's networks and pins where nothing is chosen and they are of the open atlas."""
    view = view_state.view()
    if view.dropped or view.stay or view.go or plan.decomposition_id != view.atlas:
        return
    choices.drop(_dropped(plan), why=choices.LINK)
    view_state.change(stay=plan.settings.pinned_keep, go=plan.settings.pinned_remove)


def draw(plan: PlanRecord) -> None:
    """Draw a plan's card."""
    st.subheader(wording.plain(title(plan)), anchor=False)
    _facts(plan)
    notes = decisions.notes_of(plan.id)
    if notes is not None:
        _rename(plan, notes)
    st.caption("Link to this plan, for whoever uses this workspace")
    st.code(link(plan), language=None, wrap_lines=True)
    _actions(plan)
    if notes is not None:
        _log(notes)


def _facts(plan: PlanRecord) -> None:
    with st.container(horizontal=True):
        st.metric("Units removed", f"{100 * plan.achieved_ratio:.1f} %")
        st.metric("Parameters removed", f"{100 * plan.share_of_parameters:.1f} %")
        preserved_text = f"{plan.n_preserved} of {plan.n_networks}" if plan.n_preserved else "–"
        st.metric("Networks protected", preserved_text)
        if plan.n_removed_groups:
            st.metric("KV groups removed", f"{plan.n_removed_groups}")
        st.metric("On disk", wording.size(plan.size_bytes))


def link(plan: PlanRecord) -> str:
    """Return the address that opens a plan in the lab."""
    base = str(st.context.url or "").rstrip("/").rsplit("/", 1)[0]
    dropped = _dropped(plan)
    view = view_fields.encode(
        view_fields.ViewState(
            model=view_state.view().model,
            recording=plan.recording_id,
            atlas=_atlas_of(plan),
            plan=plan.id,
            dropped=dropped,
            peaks=_peaks(plan, dropped),
            stay=plan.settings.pinned_keep,
            go=plan.settings.pinned_remove,
        )
    )
    return f"{base}/prune?{urlencode(view)}"


def _atlas_of(plan: PlanRecord) -> str:
    return plan.decomposition_id or view_state.view().atlas


def _dropped(plan: PlanRecord | PruningPlan) -> tuple[int, ...]:
    """Return the networks that a plan did not preserve; none if its score knows no networks.

    By their numbers in the atlas that is here; those that it does not have are left out.
    """
    if plan.settings.preserved is None:
        return ()
    dropped = tuple(sorted(set(range(plan.n_networks)) - set(plan.settings.preserved)))
    return networks_here(
        dropped, plan.maps_fingerprint, resources.workspace(), plan.decomposition_id
    )


def _peaks(plan: PlanRecord, networks: tuple[int, ...]) -> tuple[Peak, ...]:
    try:
        return peaks.peaks_of(_atlas_of(plan), networks)
    except FnpruneError:  # a plan outlives its atlas
        return ()


def _rename(plan: PlanRecord, notes: PlanNotes) -> None:
    name = st.text_input(
        "Name", value=notes.name, max_chars=decision_log.MAX_NAME, key=f"plan-name-{plan.id}"
    )
    if " ".join(name.split()) != notes.name:
        with frame.explaining():
            decision_log.name_plan(resources.workspace(), plan.id, name)
            st.rerun()


def _actions(plan: PlanRecord) -> None:
    moved = renumbering_here(plan.maps_fingerprint, resources.workspace(), plan.decomposition_id)
    is_moved = moved is not None and not moved.is_in_place
    if moved is not None and is_moved:
        st.warning(
            "The plan was made when this atlas numbered its networks otherwise: "
            f"{moved.sentence()} The units that it cuts are the same; on the page Prune its "
            "networks are matched by maps.",
            icon=":material/warning:",
        )
    label = "Match by maps and open in Prune" if is_moved else "Open in Prune"
    with st.container(horizontal=True, gap="xsmall"):
        if st.button(label, icon=":material/content_cut:", key=f"open-{plan.id}"):
            open_in_lab(plan)
            st.switch_page(frame.PRUNE)
        if st.button("Export", icon=":material/save:", key=f"export-{plan.id}"):
            open_in_lab(plan)
            st.switch_page(EXPORT)
        button(
            "Delete",
            "delete",
            key=f"delete-{plan.id}",
            does=session_state.remember,
            args=(_PENDING, plan.id),
        )
    if session_state.recall(_PENDING) == plan.id:
        _confirm(plan)


def open_in_lab(plan: PlanRecord) -> None:
    """Select a plan, with its networks, pins and settings; undo leads back."""
    atlas = _atlas_of(plan)
    if (atlas, plan.recording_id) != (view_state.view().atlas, view_state.view().recording):
        navigation.open_atlas(atlas, recording=plan.recording_id)
    choices.drop(_dropped(plan), why=f"plan {plan.id[:8]} opened")
    view_state.change(plan=plan.id, stay=plan.settings.pinned_keep, go=plan.settings.pinned_remove)
    form_words.fill(
        form_words.words_of(plan.settings, share_of_parameters=plan.share_of_parameters)
    )


@st.dialog("Delete this plan for good?")
def _confirm(plan: PlanRecord) -> None:
    st.markdown(wording.plain(title(plan)))
    st.markdown(
        "Its name and decisions go with it. What was measured stays, and is found again if the "
        "plan is made again."
    )
    with st.container(horizontal=True):
        if button(
            "Delete", "delete", kind="primary", key="confirm-delete", does=_delete, args=(plan.id,)
        ):
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def _delete(plan_id: str) -> None:
    """Delete a plan, and deselect it."""
    try:
        history.delete_plan(resources.workspace(), plan_id)
    except FnpruneError as error:
        session_state.notify(error.message)
        return
    resources.forget_open()
    view = view_state.view()
    view_state.change(
        plan="" if view.plan == plan_id else view.plan,
        plans=tuple(id for id in view.plans if id != plan_id),
    )
    session_state.notify("Deleted")


def _log(notes: PlanNotes) -> None:
    with st.popover(f"Log of decisions ({len(notes.decisions)})", icon=":material/history:"):
        if not notes.decisions:
            st.caption("No network was dropped or kept by hand on the way to this plan.")
            return
        decisions.draw(notes.decisions)
