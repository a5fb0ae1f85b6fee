"""Panel of the chosen form: widths, folder, the plan made again where it must be, the export."""

from pathlib import Path
from typing import Any

import streamlit as st

from app.pruning import commands, training_note
from app.pruning.export import data as cache
from app.pruning.export import export_tasks as tasks_export
from app.pruning.export import forms
from app.pruning.export.forms import FormFit
from app.pruning.prune_tasks import PLAN, Comparison
from app.shell import resources, session_state, view_state, wording
from app.shell.jobs.job import Job, describe_error
from app.shell.text_choice import TextChoice
from app.shell.visit import visit_id
from app.shell.wording import size
from app.widgets import frame, job_progress, text_picker
from app.widgets.controls import button, choose, number
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import rivals
from fnprune_core.export import rounding
from fnprune_core.export.export import check_target
from fnprune_core.export.forms import form_named
from fnprune_core.export.gguf.weights import WEIGHT_TYPES
from fnprune_core.export.model_card import use_of
from fnprune_core.export.rounding import Rounded
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.storage.folders import folder_size

_MAX_WINDOWS = 4096
_LANGUAGES = {"Python": "python", "lm-eval": "bash", "llama.cpp": "bash"}


def multiple_of(form: str, pruning_plan: PruningPlan) -> int | None:
    """Return the chosen multiple that widths are rounded up to; None where they are not."""
    if form == "masked":
        return None
    is_alike = form_named(form).is_alike
    default = rounding.fit_of(pruning_plan, form="uniform").multiple or 1
    chosen_multiple = number(
        "Widths are multiples of",
        1,
        max(pruning_plan.layout.widths),
        default if is_alike else pruning_plan.settings.multiple or 1,
        key=f"export-multiple-{form}",
        help="Hardware likes 64. Rounding keeps a few more units, the best of those that would go.",
    )
    return None if chosen_multiple == 1 and not is_alike else int(chosen_multiple)


def weights_of(form: str) -> str:
    """Return the chosen format of a GGUF file's weights."""
    if form != "gguf":
        return "F16"
    return str(
        choose(
            "Weights",
            list(WEIGHT_TYPES),
            key="export-weights",
            default="F16",
            help="  \n".join(f"{k}: {row.description}" for k, row in WEIGHT_TYPES.items()),
            is_labelled=True,
            is_kept=True,
        )
    )


def plan_again(plan: str, form: str, fit: FormFit) -> None:
    """Draw why the plan must be made again for a form, and the button that does it and measures."""
    st.info(wording.plain(fit.reason), icon=":material/replay:")
    is_alike = form_named(form).is_alike
    allocation_text = "with the uniform allocation and " if is_alike else ""
    st.markdown(
        f"It can be planned again {allocation_text}with widths that are multiples of "
        f"{fit.multiple}, all else alike. That is a plan of its own: it is measured beside this "
        "one and the dense model, and its figures are the ones that are quoted."
    )
    becomes = _choose_rounding(resources.plan(plan), fit.multiple or 1) if is_alike else None
    last_texts, (window, usual_windows) = _measured_on(plan), _protocol_of(plan)
    with st.expander("Text to measure on", icon=":material/menu_book:"):
        if last_texts is not None:
            st.caption("As this plan was measured last; another choice here replaces it.")
        is_other = last_texts is None or st.toggle("Another text", key="export-other-text")
        texts = text_picker.pick_texts("export", split="held-out") if is_other else last_texts
        windows = st.number_input(
            "Windows at most", 1, _MAX_WINDOWS, usual_windows, key=f"export-windows-{plan}"
        )
    job_progress.follow("fit", on_done=_select_plan)
    if job_progress.is_active("fit") or texts is None:
        return
    training_note.show_note([resources.plan(plan).settings])
    if button("Plan again and measure", "replay", kind="primary", key="export-fit"):
        order = tasks_export.FitOrder(
            model=view_state.view().model,
            plan=plan,
            multiple=fit.multiple or 1,
            is_alike=is_alike,
            ratio=None if becomes is None else becomes.ratio,
            texts=texts,
            window=window,
            max_windows=int(windows),
        )
        job_progress.run(tasks_export.fit(order))


def _choose_rounding(pruning_plan: PruningPlan, multiple: int) -> Rounded | None:
    """Draw what the plan becomes, more or fewer units, and return the one that is chosen."""
    choices = rounding.roundings(pruning_plan, multiple)
    if not choices:
        return None
    chosen: Rounded = st.radio(
        f"What becomes of the {100 * pruning_plan.achieved_ratio:.1f} % of units that go now "
        f"({100 * pruning_plan.share_of_parameters:.1f} % of all parameters)",
        choices,
        format_func=lambda each: each.text,
        key=f"export-rounding-{pruning_plan.removal_key()}-{multiple}",
        help="The nearest stands first. A smaller multiple comes nearer to the plan.",
    )
    return chosen


def _select_plan(job: Job) -> None:
    """Select the plan that was made again."""
    view_state.change(plan=job.result.plan_ids[PLAN])
    session_state.notify("Planned again and measured")


def _measured_on(plan: str) -> TextChoice | None:
    """Return the text on which this visit measured the plan last, if the server still knows it."""
    for job in resources.jobs().owned(visit_id()):
        result = job.result
        if isinstance(result, Comparison) and plan in result.plan_ids.values():
            texts = job.inputs.get("texts")
            if isinstance(texts, dict):
                values: dict[str, Any] = {
                    name: tuple(value) if isinstance(value, list) else value
                    for name, value in texts.items()
                }
                return TextChoice(**values)
    return None


def _protocol_of(plan: str) -> tuple[int, int]:
    """Return window and number of windows: of the plan's newest measurement, else the usual."""
    evaluations = rivals.evaluations_of(resources.workspace(), plan)
    for label, id in evaluations.items():
        if label.startswith("pruned"):
            protocol = resources.evaluation(id).protocol
            return protocol.window, min(protocol.n_windows, _MAX_WINDOWS)
    recording = resources.plan(plan).recording_id
    has_recording = resources.workspace().has("recordings", recording)
    return resources.recording(recording).windows.window if has_recording else 512, 24


def target_of(plan: str, form: str, needed_bytes: int) -> Path | None:
    """Return the chosen folder; None, with an error, where nothing can be written there."""
    folder = st.text_input(
        "Folder",
        value=str(cache.free_folder(plan, form)),
        key=f"export-folder-{plan}-{form}",
        help="On the machine on which fnprune runs.",
    ).strip()
    if not folder:
        st.info("Name a folder.", icon=":material/info:")
        return None
    last_export = job_progress.job_of("export")
    if (
        last_export is not None
        and last_export.state == "done"
        and str(last_export.result.folder) == folder
    ):
        return None  # it is what was just written, and shown below
    try:
        return check_target(resources.reach().to_write(folder), needed_bytes)
    except FnpruneError as error:
        frame.error(describe_error(error))
        return None


def export(plan: str, form: str, pruning_plan: PruningPlan, model: LanguageModel | None) -> None:
    """Draw the panel of the chosen form."""
    facts = forms.FORMS[form]
    st.subheader(f"Export as {facts.title}", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        multiple, weights = multiple_of(form, pruning_plan), weights_of(form)
    fit = forms.form_fit(pruning_plan, form, multiple=multiple, model=model)
    if fit.status == "refused":
        st.error(wording.plain(fit.reason), icon=":material/block:")
        return
    if fit.status == "again":
        plan_again(plan, form, fit)
        return
    if form_named(form).is_smaller:
        st.caption(rounding.widths_sentence(pruning_plan))
    with_refits = st.checkbox(
        f"With the refits that make the plan again ({size(forms.refit_bytes(plan, model))})",
        key="export-refits",
        persist_state="session",
        help="Not needed to run the model. With them the plan can be applied on a machine that "
        "does not have its recording.",
    )
    n_bytes = forms.needed_bytes(plan, form, weights, model, with_refits=with_refits)
    target = target_of(plan, form, n_bytes)
    job_progress.follow("export", on_done="Exported")
    if not job_progress.is_active("export"):
        order = tasks_export.ExportOrder(
            model=view_state.view().model,
            plan=plan,
            target=str(target or ""),
            form=form,
            multiple=multiple,
            weights=weights,
            with_refits=with_refits,
        )
        _export_button(order, n_bytes, is_possible=target is not None)
    _show_exported()


def _export_button(order: tasks_export.ExportOrder, n_bytes: int, *, is_possible: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        is_pressed = button(
            "Export", "save", kind="primary", key="export-start", is_off=not is_possible
        )
        size_text = f"About {size(n_bytes)}. " if n_bytes else ""
        st.caption(
            f"{size_text}It is loaded again in a fresh process and compared before it is shown.",
            width="stretch",
        )
        commands.offer(
            commands.export(
                order.plan, order.target, form=order.form, multiple=order.multiple,
                weights=order.weights, with_refits=order.with_refits,
            ),
            key="export",
        )  # fmt: skip
    if is_pressed:
        job_progress.run(tasks_export.export(order))


def _show_exported() -> None:
    """Draw the folder that was written, its size, and how it is used."""
    job = job_progress.job_of("export")
    if job is None or job.state != "done":
        return
    exported: tasks_export.Exported = job.result
    folder = str(exported.folder)
    st.success(
        f"Written, loaded in a fresh process and compared: {wording.plain(folder)}, "
        f"{size(folder_size(exported.folder))}.",
        icon=":material/check:",
    )
    usage = use_of(exported.folder, form=exported.form, weights=exported.weights)
    for tool, text in usage.items():
        st.caption(tool)
        st.code(text, language=_LANGUAGES[tool], wrap_lines=True)
    card = st.expander("Model card", icon=":material/description:", on_change="rerun")
    if card.open:
        with card:
            st.code(cache.card(exported.folder), language="markdown")
