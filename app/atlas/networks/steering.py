"""A network's gain while the model writes: a slider, and the model as it is beside it."""

import streamlit as st

from app.atlas.atlas_tasks import STEER, steer
from app.atlas.networks import options
from app.figures.markup import token_strip
from app.shell import resources, session_state, view_state, wording
from app.shell.caches import networks as cache
from app.shell.jobs.job import Job
from app.shell.visit import visit_id
from app.widgets import atlas_frame, frame, job_progress, model_offer, two_texts
from app.widgets.two_texts import Titles
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.evaluation.generation import Generation, Prompt, Sampling
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import BOTH, PRUNED
from fnprune_core.lesions.sites import MOST_GAIN, LesionSettings
from fnprune_core.lesions.steering import Steered, SteeringOrder

_N_TOKENS = 48
_GAIN = "steering-gain"
_SURPRISE = 8.0  # nats of full colour


def show(atlas: NetworkAtlas, network: int) -> None:
    """Draw the slider, the prompt, and both texts: as they grow, or as they are."""
    job = job_progress.job_of(STEER)
    left, right = st.columns([2, 3], gap="large")
    with left:
        gain = _gain(atlas, network)
        z = atlas_frame.units_shown(atlas)
        n_units = resources.n_members(atlas.id, network, z)
        st.caption(
            f"Scales its {n_units:,} units ({atlas.rule(z)}), but those that serve attention "
            "sinks: 0 silences the network, 1 leaves the model as it is, 2 doubles it."
        )
    with right:
        prompt = _prompt(atlas, network)
        _button(atlas, network, job)
    if job is not None and job.is_active:
        two_texts.live(job.id, _titles(network, gain))
        return
    job_progress.follow(STEER)
    done = _steered(job)
    if done is not None and dict(done.order.gains).keys() == {network}:
        _draw(done, network, is_present=done.order == _order(atlas, network, gain, prompt))
    elif job is not None and job.state == "cancelled":
        two_texts.so_far(job, _titles(network, gain))


def _steered(job: Job | None) -> Steered | None:
    """Return what a job has written, if it is done."""
    result = job.result if job is not None and job.state == "done" else None
    return result if isinstance(result, Steered) else None


def _gain(atlas: NetworkAtlas, network: int) -> float:
    """Draw the slider; where a text was written, another one follows its move."""
    return float(
        st.slider(
            "Gain of the network",
            0.0,
            MOST_GAIN,
            options.options().gain / 10,
            0.1,
            key=_GAIN,
            format="%.1f",
            on_change=_moved,
            args=(atlas.id, network),
            help="What its units add to the model is multiplied by this while it writes. The "
            "model itself is not changed.",
        )
    )


def _moved(atlas_id: str, network: int) -> None:
    options.change(gain=round(10 * float(session_state.widget(_GAIN))))
    if job_progress.job_of(STEER) is not None:
        _start(resources.atlas(atlas_id), network)


def _prompt(atlas: NetworkAtlas, network: int) -> str:
    """Draw the prompt, at first the beginning of the network's strongest passage."""
    key = f"steering-prompt-{network}"
    if session_state.widget(key) is None:
        passage = cache.passages(atlas.id, network, 0)[0]
        beginning = "".join(passage.pieces[: passage.centre + 1]).strip()
        session_state.remember(key, view_state.view().prompt or beginning)
    return str(
        st.text_area(
            "Prompt",
            key=key,
            height=100,
            on_change=lambda: view_state.change(prompt=_typed(network)),
            help="Nothing is sent anywhere: the model on this machine writes.",
        )
    )


def _typed(network: int) -> str:
    return str(session_state.widget(f"steering-prompt-{network}") or "")


def _order(atlas: NetworkAtlas, network: int, gain: float, prompt: str) -> SteeringOrder:
    return SteeringOrder(
        decomposition_id=atlas.id,
        gains=((network, round(gain, 1)),),
        prompt=Prompt(text=prompt),
        settings=LesionSettings(z=atlas_frame.units_shown(atlas)),
        sampling=Sampling(max_new_tokens=_N_TOKENS),
    )


def _button(atlas: NetworkAtlas, network: int, job: Job | None) -> None:
    model_offer.will_be_loaded(model_offer.in_memory(atlas))
    if st.button("Write", type="primary", icon=":material/play_arrow:", key="steering-write"):
        with frame.explaining():
            resources.reach().check_texts([_typed(network)])
            _start(atlas, network)
            st.rerun()


def _start(atlas: NetworkAtlas, network: int) -> None:
    """Start writing at the slider's gain; what is being written for this visit is stopped."""
    job = job_progress.job_of(STEER)
    if job is not None and job.is_active:
        resources.jobs().leave(job.id, visit_id())
    order = _order(atlas, network, float(session_state.widget(_GAIN)), _typed(network))
    job_progress.start(steer(view_state.view().model, order, _dense(_steered(job), order)))


def _dense(done: Steered | None, order: SteeringOrder) -> Generation | None:
    """Return the text of the model as it is from what was written last, on the same prompt."""
    if done is None or (done.order.prompt, done.order.sampling) != (order.prompt, order.sampling):
        return None
    is_same_model = done.order.decomposition_id == order.decomposition_id
    return done.texts.written[DENSE] if is_same_model else None


def _titles(network: int, gain: float) -> Titles:
    return Titles(names={DENSE: "Model as it is", PRUNED: f"Network {network} at {gain:g}"})


def _draw(done: Steered, network: int, *, is_present: bool) -> None:
    """Draw two whole texts, coloured by surprise, and where they part."""
    if not is_present:
        st.caption("These texts are of another gain, prompt or threshold. Press Write for yours.")
    gain = dict(done.order.gains)[network]
    titles, difference = _titles(network, gain), done.texts.first_difference
    for column, whose in zip(st.columns(2, gap="large"), BOTH, strict=True):
        written = done.texts.written[whose]
        with column:
            st.subheader(titles.names[whose], anchor=False)
            st.html(
                token_strip(
                    done.texts.pieces[whose],
                    -written.log_probability,
                    limit=_SURPRISE,
                    palette=frame.palette(),
                    centre=difference,
                )
            )
            st.caption(
                f"{wording.count(written.n_tokens, 'token')}, mean surprise "
                f"{-float(written.log_probability.mean()):.2f} nats."
            )
    part = (
        "Both texts are the same."
        if difference is None
        else f"They part at token {difference}, set in bold."
    )
    st.caption(f"{part} {done.n_units:,} units were scaled. Colours show the surprise, −log p.")
