"""Virtual patients: who they are, what they lost, and what they write beside the healthy model."""

import streamlit as st

from app.experiments.lesions import data as cache
from app.experiments.lesions import form
from app.experiments.lesions.figures import patient_bars
from app.experiments.lesions.tasks import KIND, WRITE, Read, write
from app.shell import recipes, resources, view_state, wording
from app.shell.jobs import describe_error
from app.shell.wording import plain
from app.widgets import frame, job_progress, model_offer, two_texts
from app.widgets.picture import draw_picture
from app.widgets.two_texts import Titles
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation.generation import Prompt, Sampling, encode
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.lesions.patients import PLAIN, PROMPTS, Patient
from fnprune_core.lesions.run import LesionOrder
from fnprune_core.lesions.sites import Lesion, LesionSettings
from fnprune_core.lesions.writing import WritingOrder

_TOKENS = 48
_NAMED = 4
_OWN = "own"


def show(atlas: NetworkAtlas, matrix: str) -> None:
    """Draw the choice of a patient or of a lesion of one's own, what it costs, what it writes."""
    people = {patient.key: patient for patient in cache.people(atlas.id, matrix)}
    held = view_state.view().show
    keys = [*people, _OWN]
    current = held if held in keys else _patient_of(people, held)
    chosen = st.pills(
        "Patient",
        keys,
        format_func=lambda key: people[key].title if key in people else "A lesion of your own",
        default=current,
        required=True,
        key=f"patient-{'-'.join(keys)}",
        label_visibility="collapsed",
        wrap=True,
    )
    if chosen is not None and chosen != current:
        view_state.change(show=chosen, writing="", token=-1)
        st.rerun()
    patient = people.get(current)
    lesion, prompt = (patient.lesion, patient.prompt.text) if patient else _own(atlas)
    if patient is not None:
        _history(patient, atlas)
    if lesion is None:
        st.info("No network is chosen. Choose at least one for a lesion.", icon=":material/info:")
        return
    if not matrix:
        st.caption("More patients are found once the matrix of all networks has been measured.")
    left, right = st.columns([1, 1], gap="large")
    with left:
        _harm(lesion, atlas)
    with right:
        _ask(lesion, prompt, current, atlas)
    _writing(lesion, atlas)


def _patient_of(people: dict[str, Patient], held: str) -> str:
    """Return who is shown: a picked text puts `show` aside, its lesion tells whose it is."""
    id = view_state.view().writing
    if held in (DENSE, PRUNED) and resources.workspace().has("lesion_texts", id):
        lesion = cache.text(id)[0]
        for key, patient in people.items():
            if patient.lesion == lesion:
                return key
        return _OWN
    return next(iter(people), _OWN)


def _history(patient: Patient, atlas: NetworkAtlas) -> None:
    st.subheader(plain(patient.title), anchor=False)
    n = len(patient.lesion.networks)
    names = [
        f"{k} · {resources.network_name(atlas.id, k)}" for k in patient.lesion.networks[:_NAMED]
    ]
    more = f" and {n - _NAMED} more" if n > _NAMED else ""
    st.markdown(
        f"{plain(patient.rule)} Here: {wording.count(n, 'network')}, "
        f"{plain('; '.join(names))}{more}, {cache.strength_label(patient.lesion.strength)}."
    )


def _own(atlas: NetworkAtlas) -> tuple[Lesion | None, str]:
    """Ask for networks and strength."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        chosen = st.multiselect(
            "Networks", range(atlas.n_networks), default=[view_state.view().network],
            format_func=lambda k: f"{k} · {resources.network_name(atlas.id, k)}",
            key="patient-networks", placeholder="Choose at least one network",
        )  # fmt: skip
    with right:
        strength = st.slider(
            "Strength", -1.0, 1.0, 1.0, 0.25, key="patient-strength",
            help="1 silences, 0.5 halves, 0 leaves everything as it is, −1 doubles.",
        )  # fmt: skip
    return (Lesion(networks=tuple(chosen), strength=strength) if chosen else None), PLAIN


def _harm(lesion: Lesion, atlas: NetworkAtlas) -> None:
    """Draw what the lesion costs in each domain, or offer to measure it."""
    st.subheader("What it costs", anchor=False)
    found = cache.single(atlas.id, lesion)
    if found is not None:
        id, row = found
        study = cache.study(id)
        draw_picture(
            patient_bars(study, row, name=cache.name(atlas.id, lesion), palette=frame.palette()),
            key="patient-bars",
            made=recipes.code("lesions", atlas=atlas.id, study=id),
        )
        p = study.facts.protocol
        st.caption(
            f"± standard error over {study.facts.unit}, paired; {p.n_windows} windows of "
            f"{p.window} tokens, text {p.text_sha256[:8]}, {p.dtype}."
        )
        return
    if job_progress.job_of(KIND) is not None:
        job_progress.follow(KIND, on_done=lambda _: None)
    if job_progress.is_active(KIND):
        return
    if resources.language_model(view_state.view().model) is None:
        st.caption("Not measured yet. It takes the model, as writing does.")
        return
    st.caption(
        "Not measured yet: the built-in held-out texts are read under this lesion, and under "
        f"{form.RANDOM} matched random ones."
    )
    with frame.explaining():
        order = LesionOrder(
            decomposition_id=atlas.id,
            lesions=(lesion,),
            settings=LesionSettings(n_random=form.RANDOM),
        )
        st.button(
            "Measure the harm",
            icon=":material/monitor_heart:",
            key="patient-measure",
            on_click=form.start,
            args=(order, Read(), "A patient"),
        )


def _ask(lesion: Lesion, prompt: str, patient: str, atlas: NetworkAtlas) -> None:
    """Ask what both are to go on from, and start them."""
    st.subheader("What it writes", anchor=False)
    ready = {"As suggested": prompt} | {name: text for name, text in PROMPTS.items()}
    pick = st.pills(
        "Ready prompts", list(ready), default="As suggested", key=f"patient-ready-{patient}",
        label_visibility="collapsed", wrap=True,
    )  # fmt: skip
    text = st.text_area(
        "Prompt", ready.get(pick or "As suggested", prompt), height=110,
        key=f"patient-prompt-{patient}-{pick}",
    )  # fmt: skip
    model = model_offer.language_model(atlas, needed_for="to write and measure", key="patient")
    if model is None or job_progress.is_active(WRITE):
        return
    try:
        encode(model, Prompt(text=text))
    except FnpruneError as wrong:
        frame.error(describe_error(wrong))
        return
    order = WritingOrder(
        decomposition_id=atlas.id,
        lesion=lesion,
        prompt=Prompt(text=text),
        sampling=Sampling(max_new_tokens=_TOKENS),
    )
    st.button(
        "Let both write",
        type="primary",
        icon=":material/play_arrow:",
        key="patient-write-start",
        on_click=_start,
        args=(order,),
    )


def _start(order: WritingOrder) -> None:
    view_state.change(token=-1, writing="")
    model = view_state.view().model
    job_progress.start(write(model, order))


def _writing(lesion: Lesion, atlas: NetworkAtlas) -> None:
    """Draw what is being written, or what was."""
    titles = _titles(lesion, atlas)
    job = job_progress.job_of(WRITE)
    if job is not None and job.is_active:
        two_texts.live(job.id, titles)
        return
    job_progress.follow(WRITE, on_done=lambda done: view_state.change(writing=done.result))
    if job is not None and job.state == "cancelled":
        two_texts.so_far(job, titles)
        return
    id = view_state.view().writing
    if id and resources.workspace().has("lesion_texts", id):
        written_under, found = cache.text(id)
        if written_under != lesion:
            st.caption("These texts were written under another lesion.")
        two_texts.show(found, _titles(written_under, atlas))


def _titles(lesion: Lesion, atlas: NetworkAtlas) -> Titles:
    id = view_state.view().writing
    return Titles(
        names={DENSE: "Healthy model", PRUNED: "Patient"},
        notes={DENSE: "as it was loaded", PRUNED: cache.name(atlas.id, lesion)},
        made=lambda whose, token: recipes.code(
            "lesion-text", atlas=atlas.id, text=id, whose=whose, token=token
        ),
    )
