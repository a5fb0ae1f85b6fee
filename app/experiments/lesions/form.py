"""Form of a lesion study: networks, strength, controls, texts, and how long it takes."""

import streamlit as st

from app.experiments.lesions import data as cache
from app.experiments.lesions.lesion_tasks import KIND, LesionJob, Read, run_lesions
from app.shell import glossary, resources, view_state, wording
from app.widgets import atlas_frame, frame, job_progress, model_offer, text_picker
from app.widgets.controls import button, choose, number
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.evaluation.intervals import MIN_DOCUMENTS
from fnprune_core.lesions.order import LesionOrder, estimate_lesions
from fnprune_core.lesions.sites import TARGETS, Lesion, LesionSettings, Stimuli, Target
from fnprune_core.localizers.ready_made import READY
from fnprune_core.models.language_model import LanguageModel

_EACH, _SOME, _SET = "Each network by itself", "Some, each by itself", "Some, together as one"
_DOMAINS, _LOCALIZERS = "Texts by domain", "Localizers"
RANDOM = 4
_TARGET = {"zero": "Zero, as pruning does", "mean": "Their mean"}


def draw_form(atlas: NetworkAtlas) -> None:
    """Draw the form of a study, with what it takes, and its button."""
    left, right = st.columns([1, 1], gap="large")
    with left:
        lesions = _choose_lesions(atlas)
        settings = _choose_settings(atlas)
    with right:
        texts = _choose_texts()
    if texts is None:
        return
    with frame.explaining():
        model = model_offer.in_memory(atlas)
        order = LesionOrder(decomposition_id=atlas.id, lesions=lesions, settings=settings)
        if model is not None:
            _show_cost(order, texts, model)
        model_offer.will_be_loaded(model, then="The time that the study takes is shown after that.")
        if not job_progress.is_active(KIND):
            button(
                "Run the study",
                "play_arrow",
                kind="primary",
                key="lesions-start",
                does=start,
                args=(order, texts),
            )


def _show_cost(order: LesionOrder, texts: Read, model: LanguageModel) -> None:
    stimuli = cache.stimuli(texts, model)
    cost = estimate_lesions(model, stimuli, order)
    st.caption(
        f"{wording.count(len(order.lesions), 'lesion')} with {order.settings.n_random} random "
        f"ones each: {cost.n_readings:,} readings of {cost.n_tokens:,} tokens in "
        f"{wording.count(stimuli.windows.n_windows, 'window')}, at most about "
        f"{wording.duration(cost.seconds)}. Resampled over {stimuli.unit}. The lesions come "
        f"first, then the random ones in rounds; what is read is kept if you stop.{_few(stimuli)}"
    )


def _few(stimuli: Stimuli) -> str:
    """Return which columns will have no error, a sentence."""
    few = [wording.plain(stimuli.columns[c]) for c in stimuli.texts.columns_without_error()]
    if not few:
        return ""
    return (
        f" Nothing will be tested in {', '.join(few)}: an error takes {MIN_DOCUMENTS} "
        f"{stimuli.unit} of equal length."
    )


def offer(
    atlas: NetworkAtlas, order: LesionOrder, *, label: str, icon: str, key: str, title: str
) -> None:
    """Draw a button that measures lesions on the built-in texts, and that a model is loaded first.

    Parameters
    ----------
    title : str
        Of the job.
    """
    st.button(label, icon=icon, key=key, on_click=start, args=(order, Read(), title))
    model_offer.will_be_loaded(model_offer.in_memory(atlas))


def start(order: LesionOrder, read: Read, title: str = "Lesions") -> None:
    """Start a study."""
    job = LesionJob(model=view_state.view().model, order=order, read=read, title=title)
    job_progress.start(run_lesions(job))


def _choose_lesions(atlas: NetworkAtlas) -> tuple[Lesion, ...]:
    """Return the lesions of the chosen networks; the order refuses an empty choice."""
    kind = choose(
        "Lesions",
        [_EACH, _SOME, _SET],
        key="lesions-which",
        default=_EACH,
        is_labelled=True,
        is_kept=True,
    )
    strength = st.slider(
        "Strength", -1.0, 1.0, 1.0, 0.25, key="lesions-strength", persist_state="session",
        help="1 silences the units, 0.5 halves them, 0 leaves everything as it is, −1 doubles "
        "them: the reverse of a lesion.",
    )  # fmt: skip
    if kind == _EACH:
        return tuple(Lesion(networks=(k,), strength=strength) for k in range(atlas.n_networks))
    chosen = st.multiselect(
        "Networks", range(atlas.n_networks), default=[view_state.view().network],
        format_func=lambda k: f"{k} · {resources.network_name(atlas.id, k)}",
        key="lesions-networks", placeholder="Choose at least one network",
    )  # fmt: skip
    if not chosen:
        return ()
    if kind == _SOME:
        return tuple(Lesion(networks=(k,), strength=strength) for k in chosen)
    return (Lesion(networks=tuple(chosen), strength=strength),)


def _choose_settings(atlas: NetworkAtlas) -> LesionSettings:
    with st.expander("What a lesion is", icon=":material/tune:"):
        z = atlas_frame.units_rule(atlas, "lesions-z", tip="A lesion takes these.")
        target: Target = choose(
            "Scaled towards",
            list(TARGETS),
            words=_TARGET.__getitem__,
            key="lesions-towards",
            default="zero",
            is_labelled=True,
            is_kept=True,
        )
        n_random = number(
            "Random lesions for each",
            0,
            50,
            RANDOM,
            key="lesions-random",
            help=f"{glossary.tip('lesion_control')}  \nTwo at least for a p-value; more find "
            "smaller effects.",
        )
        sinks = number(
            "Sink units spared in each layer",
            0,
            32,
            4,
            key="lesions-sinks",
            help=f"{glossary.tip('sinks')}  \nNo lesion, random or not, takes them.",
        )
        seed = number("Seed of the random lesions", 0, 10**6, 0, key="lesions-seed")
    return LesionSettings(
        z=z, towards=target, n_random=int(n_random), sink_units=int(sinks), seed=int(seed)
    )


def _choose_texts() -> Read | None:
    """Return the chosen texts or localizers; None while the choice is incomplete."""
    kind = choose(
        "Measured on",
        [_DOMAINS, _LOCALIZERS],
        key="lesions-on",
        default=_DOMAINS,
        is_labelled=True,
        is_kept=True,
    )
    if kind == _LOCALIZERS:
        names = st.pills(
            "Localizers", list(READY), selection_mode="multi", default=list(READY)[:1],
            format_func=lambda name: READY[name].title, wrap=True, key="lesions-localizers",
            persist_state="session",
        )  # fmt: skip
        st.caption("Loss change by condition; templates are resampled, not items or tokens.")
        return Read(localizers=tuple(names))
    texts = text_picker.pick_texts("lesions", split="held-out")
    columns = st.columns(2)
    window = columns[0].number_input(
        "Tokens per window", 16, 2048, Read().window, 16, key="lesions-window",
        persist_state="session",
    )  # fmt: skip
    n_windows = columns[1].number_input(
        "Windows per domain", 1, 512, Read().n_windows, key="lesions-windows",
        persist_state="session",
    )  # fmt: skip
    if texts is None:
        return None
    return Read(texts=texts, window=int(window), n_windows=int(n_windows))
