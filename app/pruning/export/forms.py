"""The forms in which a plan can be exported, as cards: the use of each, and if this plan fits."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st
import torch

from app.shell import resources, view_state, wording
from app.widgets import model_offer
from fnprune_core.export import from_workspace, rounding
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.files import stored_plan
from fnprune_core.plans.plan import PruningPlan

Status = Literal["ready", "again", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFacts:
    """Facts on a form for its card, whatever the plan."""

    title: str
    icon: str
    loads: str
    size: str
    speed: str
    use: str


FORMS: dict[str, FormFacts] = {
    "uniform": FormFacts(
        title="Uniform",
        icon="view_agenda",
        loads="wherever the dense model does",
        size="smaller",
        speed="faster",
        use="To use the model: every layer has the same smaller width.",
    ),
    "per-layer": FormFacts(
        title="Per layer",
        icon="align_horizontal_left",
        loads="with transformers, and code of its own that you trust",
        size="smaller",
        speed="faster",
        use="For plans that spare some layers: each is as wide as the plan says.",
    ),
    "gguf": FormFacts(
        title="GGUF",
        icon="inventory_2",
        loads="with llama.cpp and what is built on it",
        size="smaller; one file",
        speed="faster",
        use="One file for llama.cpp; Qwen models need layers that are alike.",
    ),
    "masked": FormFacts(
        title="Masked",
        icon="visibility_off",
        loads="wherever the dense model does",
        size="as large as the dense model",
        speed="as fast as the dense model",
        use="To measure and compare: the removed units' weights are zero.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFit:
    """Fit of a plan to a form: ready, to be made again first, or refused, and why."""

    status: Status
    reason: str = ""
    multiple: int | None = None


def form_fit(
    pruning_plan: PruningPlan, form: str, *, multiple: int | None, model: LanguageModel | None
) -> FormFit:
    """Return the fit of a plan to a form; a family's limits are known once a model is loaded."""
    if not pruning_plan.n_removed and not pruning_plan.n_removed_groups:
        return FormFit(status="refused", reason="This plan removes nothing.")
    if model is not None and model.fingerprint != pruning_plan.fingerprint:
        return FormFit(status="refused", reason="It is for another model than the one loaded.")
    refusal = "" if model is None else from_workspace.why_no_form(model, pruning_plan, form)
    if refusal:
        return FormFit(status="refused", reason=refusal)
    fit = rounding.fit_of(pruning_plan, form=form, multiple=multiple)
    if fit.reason:
        return FormFit(status="again", reason=fit.reason, multiple=fit.multiple)
    return FormFit(status="ready", multiple=fit.multiple)


def model_of(pruning_plan: PruningPlan) -> LanguageModel | None:
    """Return the model in memory if the plan is for it; else say what is missing, and offer it."""
    model = model_offer.loaded(
        needed_for="to tell the size of an export and which forms its family allows; an export "
        "loads it by itself",
        key="export",
    )
    if model is not None and model.fingerprint != pruning_plan.fingerprint:
        st.error(
            f"This plan is for another model: {wording.plain(pruning_plan.model_name)}, not "
            f"{wording.plain(model.name)}. Load the model that it belongs to.",
            icon=":material/block:",
        )
    return model


def chosen_form(pruning_plan: PruningPlan, model: LanguageModel | None) -> str:
    """Return the form that the view shows: at first one that is smaller and takes the plan."""
    viewed_form = view_state.view().show
    if viewed_form in FORMS:
        return viewed_form
    return from_workspace.smaller_form(model, pruning_plan)


def cards(plan: str, pruning_plan: PruningPlan, model: LanguageModel | None, current: str) -> None:
    """Draw one card per form, with a button that chooses it."""
    for column, (name, facts) in zip(st.columns(len(FORMS)), FORMS.items(), strict=True):
        fit = form_fit(pruning_plan, name, multiple=None, model=model)
        with column, st.container(border=True, height="stretch", key=f"export-card-{name}"):
            st.markdown(f"**:material/{facts.icon}: {facts.title}**")
            st.caption(facts.use)
            size = facts.size
            if model is not None and fit.status == "ready":
                size = _size_text(plan, name, model)
            st.markdown(f"**Loads** {facts.loads}  \n**Size** {size}  \n**Speed** {facts.speed}")
            _draw_fit(fit)
            st.button(
                "Chosen" if name == current else "Choose",
                icon=":material/check:" if name == current else None,
                type="primary" if name == current else "secondary",
                key=f"export-choose-{name}",
                width="stretch",
                disabled=fit.status == "refused",
                on_click=view_state.change,
                kwargs={"show": name},
            )


def _size_text(plan: str, form: str, model: LanguageModel) -> str:
    """Return how large a form is, beside the dense model in its own number format."""
    dense = model.anatomy().parameter_bytes
    own = needed_bytes(plan, form, "F16", model, with_refits=False)
    return f"{wording.size(own)}; the dense model has {wording.size(dense)}"


def _draw_fit(fit: FormFit) -> None:
    """Draw the fit of the plan to the form, in one line with a sign."""
    if fit.status == "ready":
        st.markdown(":green[:material/check: this plan fits]")
    elif fit.status == "again":
        st.markdown(
            ":orange[:material/replay: the plan is made again first]",
            help=wording.plain(fit.reason),
        )
    else:
        st.markdown(f":red[:material/block: not for this plan.] {wording.plain(fit.reason)}")


def needed_bytes(
    plan: str, form: str, weights: str, model: LanguageModel | None, *, with_refits: bool
) -> int:
    """Return about how many bytes an export takes on disk; 0 while the model is not loaded."""
    if model is None:
        return 0
    return from_workspace.export_bytes(
        resources.workspace(), model, plan, form=form, weights=weights, with_refits=with_refits
    )


def refit_bytes(plan: str, model: LanguageModel | None) -> int:
    """Return the bytes of a plan's refits, in the number format of the model that is loaded."""
    dtype = torch.float32 if model is None else model.dtype
    return from_workspace.refit_bytes(stored_plan(resources.workspace(), plan), dtype)
