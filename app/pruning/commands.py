"""The command lines that do what a page on plans has just done."""

import shlex
from collections.abc import Sequence

import streamlit as st

from app.pruning.prune_tasks import PruneOrder
from app.shell import resources, view_state
from app.shell.text_choice import TextChoice
from fnprune_core.errors import FnpruneError
from fnprune_core.plans.command_line import plan_command, spelled
from fnprune_core.pruning.planner import canonical_settings
from fnprune_core.scores.units import score_named

_EMBEDDED = "embedded"


def prune(order: PruneOrder) -> str:
    """Return the commands of Apply: each plan is made, and measured on the same text."""
    layout = resources.recording(order.recording).layout
    measure = f"fnprune evaluate{_texts(order.texts)} --plan latest" + spelled(
        {
            "--window": order.window,
            **({} if order.max_windows is None else {"--max-windows": order.max_windows}),
        }
    )
    lines = []
    for settings in order.wanted().values():
        uses_networks = score_named(settings.score).uses_networks
        line = plan_command(
            canonical_settings(settings),
            recording_id=order.recording,
            decomposition_id=order.atlas if uses_networks else "",
            layout=layout,
        )
        lines += [f"{line}{_model(order.model)}", f"{measure}{_model(order.model)}"]
    return "\n".join(lines)


def of_plan(plan_id: str) -> str:
    """Return the commands that make a plan again and measure it; empty where it is gone."""
    try:
        plan = resources.plan(plan_id)
    except FnpruneError:
        return ""
    line = plan_command(
        plan.settings,
        recording_id=plan.recording_id,
        decomposition_id=plan.decomposition_id,
        layout=plan.layout,
    )
    model = _model(view_state.view().model)
    return f"{line}{model}  # {plan_id}\nfnprune evaluate --plan {plan_id}{model}"


def export(
    plan_id: str, target: str, *, form: str, multiple: int | None, weights: str, with_refits: bool
) -> str:
    """Return the command that writes an export."""
    options = {
        "--form": form,
        **({} if multiple is None else {"--multiple": multiple}),
        **({"--weights": weights} if form == "gguf" else {}),
    }
    flag = " --with-refits" if with_refits else ""
    folder = shlex.quote(target or "FOLDER")
    model = _model(view_state.view().model)
    return f"fnprune export {plan_id} {folder}{spelled(options)}{flag}{model}"


def offer(lines: str, *, key: str) -> None:
    """Draw the commands on request."""
    popover = st.popover("Command line", type="tertiary", key=f"{key}-command", on_change="rerun")
    if popover.open:
        with popover:
            st.code(lines, language="bash", wrap_lines=True)


def _model(source: str) -> str:
    return "" if source == _EMBEDDED else spelled({"--model": source})


def _texts(texts: TextChoice) -> str:
    sources: Sequence[str] = texts.sources
    options = {
        "--text-column": texts.text_column if texts.text_column != "text" else "",
        "--domain-column": texts.domain_column,
        "--document-column": texts.document_column,
    }
    named = spelled({name: value for name, value in options.items() if value})
    paths = "".join(f" {shlex.quote(resources.reach().spelled(source))}" for source in sources)
    return paths + (named if sources else "")
