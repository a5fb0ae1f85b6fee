"""Virtual patients: their lesions, their losses, and their texts beside the healthy model's."""

import streamlit as st

from app.experiments.lesions import data as cache
from app.experiments.lesions import form
from app.experiments.lesions.figures import patient_bars
from app.experiments.lesions.lesion_tasks import KIND, WRITE, write
from app.shell import recipes, resources, view_state, wording
from app.shell.jobs.job import describe_error
from app.shell.wording import plain
from app.widgets import frame, job_progress, model_offer, moved_networks, two_texts
from app.widgets.controls import button
from app.widgets.picture import draw_picture
from app.widgets.two_texts import Titles
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError, NetworksMovedError
from fnprune_core.evaluation.generation import Prompt, Sampling, encode
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.patients import PLAIN, PROMPTS, Patient
from fnprune_core.lesions.sites import Lesion, LesionSettings
from fnprune_core.lesions.writing import WritingOrder

_TOKENS = 48
_NAMED = 4
_OWN = "own"


def show(atlas: NetworkAtlas, matrix: str) -> None:
    """Draw the choice of a patient or of a lesion of one's own, its harm, and its texts."""
    patients = {patient.key: patient for patient in cache.people(atlas.id, matrix)}
    viewed_key = view_state.view().show
    keys = [*patients, _OWN]
    current = viewed_key if viewed_key in keys else _patient_of(patients, viewed_key)
    chosen = st.pills(
        "Patient",
        keys,
        format_func=lambda key: (
            wording.plain(patients[key].title) if key in patients else "A lesion of your own"
        ),
        default=current,
        required=True,
        key=f"patient-{'-'.join(keys)}",
        label_visibility="collapsed",
        wrap=True,
    )
    if chosen is not None and chosen != current:
        view_state.change(show=chosen, writing="", token=-1)
        st.rerun()
    patient = patients.get(current)
    lesion, prompt = (patient.lesion, patient.prompt.text) if patient else _choose_own_lesion(atlas)
    if patient is not None:
        _draw_history(patient, atlas)
    if lesion is None:
        st.info("No network is chosen. Choose at least one for a lesion.", icon=":material/info:")
        return
    if not matrix:
        st.caption("More patients are found once the matrix of all networks has been measured.")
    left, right = st.columns([1, 1], gap="large")
    with left:
        _draw_harm(lesion, atlas)
    with right:
        _draw_writing_form(lesion, prompt, current, atlas)
    _draw_writing(lesion, atlas)


def _patient_of(patients: dict[str, Patient], viewed_key: str) -> str:
    """Return the key of the patient whose text is picked; the first patient where none is."""
    id = view_state.view().writing
    if viewed_key in (DENSE, PRUNED) and resources.workspace().has("lesion_texts", id):
        try:
            lesion = cache.text(id)[0]
        except NetworksMovedError:  # told where the text is drawn
            return _OWN
        for key, patient in patients.items():
            if patient.lesion == lesion:
                return key
        return _OWN
    return next(iter(patients), _OWN)


def _draw_history(patient: Patient, atlas: NetworkAtlas) -> None:
    st.subheader(plain(patient.title), anchor=False)
    n = len(patient.lesion.networks)
    names = [
        f"{k} · {resources.network_name(atlas.id, k)}" for k in patient.lesion.networks[:_NAMED]
    ]
    more_text = f" and {n - _NAMED} more" if n > _NAMED else ""
    st.markdown(
        f"{plain(patient.rule)} Here: {wording.count(n, 'network')}, "
        f"{plain('; '.join(names))}{more_text}, {cache.strength_label(patient.lesion.strength)}."
    )


def _choose_own_lesion(atlas: NetworkAtlas) -> tuple[Lesion | None, str]:
    """Return the lesion of one's own networks and strength, and its prompt."""
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


def _draw_harm(lesion: Lesion, atlas: NetworkAtlas) -> None:
    """Draw the harm of the lesion in each domain, or offer to measure it."""
    st.subheader("What it costs", anchor=False)
    study_and_row = cache.single(atlas.id, lesion)
    if study_and_row is not None:
        id, row = study_and_row
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
        job_progress.follow(KIND)
    if job_progress.is_active(KIND):
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
        form.offer(
            atlas,
            order,
            label="Measure the harm",
            icon=":material/monitor_heart:",
            key="patient-measure",
            title="A patient",
        )


def _draw_writing_form(lesion: Lesion, prompt: str, patient: str, atlas: NetworkAtlas) -> None:
    """Draw the choice of the prompt, and the button that starts both models."""
    st.subheader("What it writes", anchor=False)
    prompts = {"As suggested": prompt} | {name: text for name, text in PROMPTS.items()}
    picked_name = st.pills(
        "Ready prompts", list(prompts), default="As suggested", key=f"patient-ready-{patient}",
        format_func=wording.plain, label_visibility="collapsed", wrap=True,
    )  # fmt: skip
    text = st.text_area(
        "Prompt", prompts.get(picked_name or "As suggested", prompt), height=110,
        key=f"patient-prompt-{patient}-{picked_name}",
    )  # fmt: skip
    if job_progress.is_active(WRITE):
        return
    model = model_offer.in_memory(atlas)
    try:
        resources.reach().check_texts(text)
        if model is not None:
            encode(model, Prompt(text=text))
    except FnpruneError as error:
        frame.error(describe_error(error))
        return
    model_offer.will_be_loaded(model)
    order = WritingOrder(
        decomposition_id=atlas.id,
        lesion=lesion,
        prompt=Prompt(text=text),
        sampling=Sampling(max_new_tokens=_TOKENS),
    )
    button(
        "Let both write",
        "play_arrow",
        kind="primary",
        key="patient-write-start",
        does=_start_writing,
        args=(order,),
    )


def _start_writing(order: WritingOrder) -> None:
    view_state.change(token=-1, writing="")
    model = view_state.view().model
    job_progress.start(write(model, order))


def _draw_writing(lesion: Lesion, atlas: NetworkAtlas) -> None:
    """Draw the texts that are being written, or those that were."""
    titles = _titles(lesion, atlas)
    job = job_progress.job_of(WRITE)
    if job is not None and job.is_active:
        two_texts.live(job.id, titles)
        return
    job_progress.follow(WRITE, on_done=lambda finished: view_state.change(writing=finished.result))
    if job is not None and job.state == "cancelled":
        two_texts.so_far(job, titles)
        return
    id = view_state.view().writing
    if id and resources.workspace().has("lesion_texts", id):
        try:
            written_under, texts = cache.text(id)
        except NetworksMovedError as error:
            moved_networks.offer(atlas.id, error, key="lesion-text")
            return
        if written_under != lesion:
            st.caption("These texts were written under another lesion.")
        two_texts.show(texts, _titles(written_under, atlas))


def _titles(lesion: Lesion, atlas: NetworkAtlas) -> Titles:
    id = view_state.view().writing
    return Titles(
        names={DENSE: "Healthy model", PRUNED: "Patient"},
        notes={DENSE: "as it was loaded", PRUNED: cache.name(atlas.id, lesion)},
        made=lambda whose, token: recipes.code(
            "lesion-text", atlas=atlas.id, text=id, whose=whose, token=token
        ),
    )
