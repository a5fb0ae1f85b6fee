"""Widgets that pages share: frame and context bar, pictures, progress, errors, empty states."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app.figures import Picture
from app.figures.theme import PALETTES, Mode, Palette
from app.mode_watch import watch_mode
from app.shell import glossary, resources, view_state
from app.shell.caches.colours import palette_of
from app.shell.jobs import Failure, Job, describe_error
from app.shell.tasks import Task
from app.shell.wording import count, duration, plain, sentence, size
from app.widgets import downloads
from fnprune_core.errors import ArtifactNotFoundError, FnpruneError
from fnprune_core.models.language_model import Anatomy

__all__ = ["count", "duration", "plain", "sentence", "size"]  # with this module's own

START, RECORD, DECOMPOSE = (
    "start/page.py",
    "recording/record_page.py",
    "recording/decompose_page.py",
)
ATLAS, PRUNE = "atlas/networks/page.py", "pruning/lab/page.py"

_POLL_S = 0.8
_CHART = {
    "displaylogo": False,
    "toImageButtonOptions": {"format": "svg", "filename": "fnprune"},
    "displayModeBar": True,
    "modeBarButtons": [["toImage"]],
}
# Keyed containers only: what the theme's settings cannot say.
_CSS = """<style>
.st-key-context {border-bottom: 1px solid var(--st-border-color, #8883); padding-bottom: .15rem;}
.st-key-context p {font-size: .86rem;}
.st-key-atlas-bar {gap: .1rem .35rem;}
.st-key-atlas-bar p {font-size: .9rem;}
.st-key-picker {margin-bottom: .6rem;}
.js-plotly-plot .modebar, .st-key-mode-watch {display: none;}
[class*="st-key-gallery"] {overflow: auto;}
@media (max-width: 640px) {
  .st-key-context {gap: 0 .25rem;}
  .st-key-picker [data-testid="stButton"] p {display: none;}
  [class*="-picture-note"] {flex-wrap: wrap !important;}
  [class*="-picture-note"] > :first-child {flex: 1 1 100% !important;}
}
</style>"""


def palette() -> Palette:
    """Return the colours of the mode that this browser shows, and of the view's networks."""
    mode: Mode = "light" if st.context.theme.type == "light" else "dark"
    atlas = view_state.view().atlas
    try:
        return palette_of(atlas, mode) if atlas else PALETTES[mode]
    except FnpruneError:  # a missing or damaged atlas is told where it is opened
        return PALETTES[mode]


def frame() -> None:
    """Draw what every page begins with."""
    st.html(_CSS)
    watch_mode(palette().mode)
    for text in view_state.notices():
        st.toast(text, icon=":material/check:")
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


def complete_view() -> None:
    """Let a link that names an atlas or a plan alone bring along what it was made from."""
    view = view_state.view()
    plan = _manifest("plans", view.plan) if view.plan and not view.atlas else None
    if plan is not None:
        view_state.change(atlas=plan["inputs"].get("decomposition_id", ""))
    atlas = _manifest("decompositions", view_state.view().atlas) if not view.recording else None
    if atlas is not None:
        view_state.change(recording=atlas["recording_id"])


def heading(title: str, text: str, *, terms: Sequence[str] = ()) -> None:
    """Draw a page's title and the one sentence that says what it is for.

    Parameters
    ----------
    terms : sequence of str
        Concepts of the glossary that the tooltip of the title explains.
    """
    tips = "\n\n".join(glossary.tip(term) for term in terms)
    st.title(title, anchor=False, help=tips or None)
    st.caption(text)


def _model_label(view: view_state.ViewState) -> str:
    held = resources.language_model(view.model)
    name = held.name if held else view.model
    return "SmolLM2-135M (embedded)" if view.model == "embedded" else plain(name)


def _recording_label(view: view_state.ViewState) -> str:
    facts = _manifest("recordings", view.recording)
    if facts is None:
        return "no recording"
    windows = facts["windows"]
    return f"{windows['n_tokens']:,} tokens, {count(len(windows['domain_names']), 'domain')}"


def _atlas_label(view: view_state.ViewState) -> str:
    facts = _manifest("decompositions", view.atlas)
    return "no atlas" if facts is None else count(facts["n_networks"], "network")


def _plan_label(view: view_state.ViewState) -> str:
    facts = _manifest("plans", view.plan)
    return "no plan" if facts is None else f"plan: {facts['achieved_ratio']:.0%} of units go"


def _manifest(kind: str, id: str) -> dict[str, Any] | None:
    if not id:
        return None
    try:
        return resources.manifest(kind, id)
    except FnpruneError:
        return None


def picture(shown: Picture, *, key: str, note: bool = True, made: str = "", **options: Any) -> Any:
    """Draw a picture, the sentence that says what it shows, and its numbers on request.

    Parameters
    ----------
    made : str, optional
        Python that makes its numbers again (`recipes.code`); given, the page offers it together
        with the artifact's provenance.
    """
    event = st.plotly_chart(
        shown.figure,
        theme=None,
        config=_CHART,
        key=key,
        alt=shown.alternative,
        **options,
    )
    if note:
        with st.container(
            horizontal=True,
            wrap=False,
            gap="small",
            vertical_alignment="center",
            key=f"{key}-picture-note",
        ):
            st.caption(plain(shown.alternative), width="stretch")
            numbers = st.popover(
                "Numbers", type="tertiary", key=f"{key}-numbers", on_change="rerun"
            )
            if numbers.open:
                with numbers:
                    downloads.numbers(shown, key=key, canvas=palette().canvas)
            if made:
                downloads.provenance(made, key=key)
    return event


def error(failure: Failure) -> None:
    """Say what went wrong and what to do."""
    text = f"**{sentence(failure.message)}**"
    if failure.hint:
        text += f"  \n{sentence(failure.hint)}"
    st.error(text, icon=":material/error:")


@contextmanager
def explaining() -> Iterator[None]:
    """Turn an error inside the block into a message in its place; the page goes on."""
    try:
        yield
    except ArtifactNotFoundError as caught:
        error(Failure(message=caught.message, hint="It may have been deleted since."))
        st.button("Put it away", icon=":material/close:", key=f"away-{caught}", on_click=put_away)
    except Exception as caught:  # noqa: BLE001 - a page must never show a traceback
        error(describe_error(caught))


def put_away() -> None:
    """Look at nothing that the workspace does not have."""
    view = view_state.view()
    if _manifest("recordings", view.recording) is None:
        view_state.open_atlas("", recording="")
    elif _manifest("decompositions", view.atlas) is None:
        view_state.open_atlas("", recording=view.recording)
    else:
        view_state.change(plan="")


def empty(title: str, text: str, *, button: str, page: str, icon: str) -> None:
    """Say what is missing, and offer the next step."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(f"### :material/{icon}:", width="content", text_alignment="center")
        st.subheader(title, anchor=False, width="content", text_alignment="center")
        st.markdown(text, width="content", text_alignment="center")
        if st.button(button, type="primary", key=f"empty-{page}-{button}"):
            st.switch_page(page)
        st.space("small")


def no_networks() -> None:
    """Say how to come to an atlas."""
    empty(
        "No networks yet",
        "Decompose a recording, or open the worked example.",
        button="Go to the start",
        page=START,
        icon="neurology",
    )


def start(task: Task) -> None:
    """Submit a job and watch it."""
    job = resources.jobs().submit(task.kind, task.function, inputs=task.inputs, title=task.title)
    view_state.change(job=job)


def job_of(*kinds: str) -> Job | None:
    """Return the job of these kinds that this view watches: its own, else one under way."""
    manager = resources.jobs()
    own = manager.job(view_state.view().job)
    if own is not None and own.kind in kinds:
        return own
    for job in manager.active():
        if job.kind in kinds:
            view_state.change(job=job.id)
            return job
    return None


def follow(*kinds: str, on_done: Callable[[Job], None]) -> Job | None:
    """Draw the progress of the page's job; when it has ended, take its result once."""
    job = job_of(*kinds)
    if job is None:
        return None
    if job.is_active:
        watch(job.id)
    elif job.state == "failed" and job.failure is not None:
        error(job.failure)
    elif job.state == "cancelled":
        st.info("Stopped. What was finished is kept.", icon=":material/stop_circle:")
    elif job.state == "done" and view_state.take_once(job.id, job.number):
        on_done(job)
        st.rerun()
    return job


def is_active(*kinds: str) -> bool:
    """Whether the page's job is queued or running."""
    job = job_of(*kinds)
    return job is not None and job.is_active


def watch(job_id: str) -> None:
    """Poll a job in a fragment of its own; the page reruns once when it has ended."""
    st.fragment(_progress, run_every=_POLL_S)(job_id)


def _progress(job_id: str) -> None:
    job = resources.jobs().job(job_id)
    if job is not None and job.is_active:
        draw_progress(job)
    else:
        st.rerun()


def draw_progress(job: Job) -> None:
    """Draw one job's progress with time left and a button to stop it."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(job.title)}**", width="stretch")
            st.button(
                "Stop",
                icon=":material/stop:",
                key=f"stop-{job.id}",
                on_click=resources.jobs().cancel,
                args=(job.id,),
            )
        st.progress(job.progress.fraction if job.progress else 0.0)
        st.caption(_progress_text(job))


def _progress_text(job: Job) -> str:
    if job.state == "queued":
        return f"Waiting: number {job.queue_position} in the queue."
    now = job.progress
    if now is None:
        return f"Starting, {duration(job.seconds)} so far."
    parts = [f"{now.stage.capitalize()}: {now.done:,} of {now.total:,} {now.unit}"]
    if now.seconds_left is not None and now.done < now.total:
        parts.append(f"about {duration(now.seconds_left)} left in this step")
    parts.append(f"{duration(job.seconds)} so far")
    return " · ".join(parts)


def tiles(atlas_id: str, networks: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Return what the gallery shows of an atlas, at the view's threshold.

    Parameters
    ----------
    networks : sequence of int, optional
        Those to show, in order; all by number if not given.
    """
    view = view_state.view()
    images = resources.thumbnails(atlas_id, view.z, palette().mode)
    dropped = set(view.dropped) if atlas_id == view.atlas else set()
    rows = resources.network_table(atlas_id).to_dict("records")
    shown = range(len(rows)) if networks is None else networks
    return [_tile(atlas_id, k, rows[k], images[k], is_dropped=k in dropped) for k in shown]


def _tile(
    atlas_id: str, network: int, row: dict[Any, Any], image: str, *, is_dropped: bool
) -> dict[str, Any]:
    name = resources.network_name(atlas_id, network)
    trust = [
        f"{sign} {row[column]:.2f}"
        for column, sign in (("reproducibility", "r"), ("stability", "Iq"))
        if row.get(column, np.nan) == row.get(column, np.nan)
    ]
    facts = [f"L{row['peak_layer']}", *trust[:1], f"{row['variance_alone']:.1%}"]
    return {
        "network": network,
        "image": image,
        "name": name,
        "facts": " · ".join(facts),
        "title": (
            f"Network {network}, {name}: {row['top_domain_share']:.0%} of its energy in "
            f"{row['top_domain']}, peak in layer {row['peak_layer']}, {' '.join(trust)}, alone "
            f"{row['variance_alone']:.2%} of variance" + (", dropped" if is_dropped else "")
        ),
        "dropped": is_dropped,
    }


def steps() -> None:
    """Draw the path from a text to a pruned model, each step a link."""
    st.subheader("Or go step by step", anchor=False)
    for page, label, text in (
        (RECORD, "Record", "the model reads texts, and every unit's activation is kept"),
        (DECOMPOSE, "Decompose", "ICA finds the units that are active together"),
        (ATLAS, "Atlas", "see where each network is and what it responds to"),
        (PRUNE, "Prune", "choose what to preserve, and watch what that costs"),
    ):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(page, label=label, width=130)
            st.caption(text, width="stretch")


def network_title(network: int) -> None:
    """Draw which network is looked at, and what becomes of it: a word and a sign."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(f"Network {network}", anchor=False, width="content")
        if network in view_state.view().dropped:
            st.badge("to be pruned", icon=":material/content_cut:", color="orange")
        else:
            st.badge("kept", icon=":material/check:", color="green")


def anatomy_table(anatomy: Anatomy) -> None:
    """Draw a model's anatomy."""
    widths = sorted(set(anatomy.widths))
    width = f"{widths[0]:,}" if len(widths) == 1 else f"{widths[0]:,} to {widths[-1]:,}"
    heads = f"{anatomy.n_heads} of {anatomy.head_size}"
    if anatomy.n_kv_heads != anatomy.n_heads:
        heads += f", {anatomy.n_kv_heads} key-value"
    share = anatomy.n_mlp_parameters / anatomy.n_parameters
    st.table(
        {
            "Family": plain(anatomy.family),
            "Layers": f"{anatomy.n_layers}",
            "Units": f"{anatomy.n_units:,} ({width} a layer)",
            "Attention": f"{heads}",
            "Parameters": f"{anatomy.n_parameters / 1e6:,.1f} M, {share:.0%} in MLPs",
            "Memory": f"{size(anatomy.parameter_bytes)}, {anatomy.dtype} on {anatomy.device}",
            "Export with bias": "possible" if anatomy.bias_home != "none" else "not possible",
        },
        border="horizontal",
        alt="Anatomy of the model",
    )


def exported(folder: Path) -> None:
    """Say where an exported model lies, and how to load it."""
    st.success(f"Written and checked: {plain(str(folder))}", icon=":material/check:")
    st.code(
        "from transformers import AutoModelForCausalLM\n"
        f'model = AutoModelForCausalLM.from_pretrained("{folder}")',
        language="python",
    )
