"""Live scanner page: type a text or let the model write, and watch the networks token by token."""

from typing import Any

import streamlit as st

from app.atlas import text_box
from app.atlas.atlas_tasks import LIVE, Found, scan
from app.atlas.live import panels
from app.atlas.live.options import READ, RECORDED, WRITE
from app.shell import session_state, view_state
from app.shell.caches import live as cache
from app.shell.jobs.job import Job
from app.widgets import atlas_frame, frame, job_progress, model_offer
from app.widgets.body.live import live_scanner, scanner_data
from app.widgets.controls import button
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.lesions.live import LiveOrder, LiveTexts
from fnprune_core.lesions.sites import Lesion, LesionSettings
from fnprune_core.models.language_model import LanguageModel

_STILL = "live still picture"


def order_of(
    atlas: NetworkAtlas, source: str
) -> tuple[LiveOrder | None, bool, LanguageModel | None]:
    """Draw the form; return what is to be read or written, whether it was asked for, by whom.

    Without a model that could, or without a text, there is no order.
    """
    left, right = st.columns([3, 2], gap="large")
    with left:
        is_asked = text_box.text_box("live") if source == READ else False
        if source == READ:
            text = view_state.view().text
        else:
            text = text_box.box("prompt", panels.PROMPTS, key="live-prompt", label="Beginning")
    with right:
        silenced = panels.choose_silenced(atlas)
        lesion = Lesion(networks=silenced) if silenced else None
        settings = LesionSettings()
        if silenced:
            z = atlas_frame.units_rule(atlas, "live-z", tip="These are silenced.")
            settings = LesionSettings(z=z)
        purpose = "to read a text" if source == READ else "to write"
        model = model_offer.language_model(atlas, needed_for=purpose, key="live")
        given: dict[str, Any] = {"text": text}
        if source == WRITE:
            prompt, sampling = panels.writing(model, text)
            given = {"prompt": prompt, "sampling": sampling}
    if source == WRITE:
        is_asked = button("Write", "play_arrow", kind="primary", key="live-write")
    if is_asked and not text:
        st.info("Type a text, or how it begins, or press an example.", icon=":material/edit:")
    if model is None or not text:
        return None, is_asked, model
    order = LiveOrder(decomposition_id=atlas.id, lesion=lesion, settings=settings, **given)
    return order, is_asked, model


def texts_of(order: LiveOrder, model: LanguageModel, *, is_asked: bool) -> LiveTexts | None:
    """Return what was read or written, starting it where it was asked for."""

    def keep(job: Job) -> None:
        found: Found = job.result
        cache.TEXTS.put((found.model, found.order), found.texts)

    job_progress.follow(LIVE, on_done=keep)
    texts = cache.live_texts(model, order)
    if texts is None and not job_progress.is_active(LIVE):
        if not is_asked:
            verb = "Read" if order.prompt is None else "Write"
            st.caption(f"Press {verb} to start.")
            return None
        view_state.change(token=-1)
        job_progress.run(scan(model=model.source, order=order))
    return texts


def stopped(token: int, network: int | None, is_still: bool) -> None:
    """Keep in the view where a person stopped."""
    session_state.remember(_STILL, is_still)
    view_state.change(token=token)
    if network is not None:
        view_state.change(network=network)


def show(atlas: NetworkAtlas, texts: LiveTexts, order: LiveOrder | None, session: int) -> None:
    """Draw the scanner, what it shows in words, and what can be taken away."""
    lesion = panels.lesion_name(order.lesion.networks if order and order.lesion else ())
    scene = cache.scene(atlas.id, texts, lesion=lesion)
    viewed = view_state.view().token
    is_kept = 0 <= viewed < texts.healthy.n_tokens
    token = viewed if is_kept else 0
    is_still = bool(session_state.widget(_STILL))
    # Drawn here for a browser that cannot: the scanner asks for it by stopping.
    still = cache.still(scene, token if is_kept else scene.brightest()) if is_still else ""
    live_scanner(
        scanner_data(scene, atlas_id=atlas.id, token=token, still=still, plays=not is_kept),
        key="live-scanner",
        mode=frame.mode(),
        on_stop=stopped,
    )
    source = RECORDED if order is None else READ if order.prompt is None else WRITE
    panels.facts(atlas, scene, source, panels.made_by(atlas, order, session))
    panels.take_away(atlas, scene)


atlas_frame_opened = atlas_frame.open_atlas("Live scanner", "", picker=False)
if atlas_frame_opened is not None:
    opened_atlas = atlas_frame_opened[0]
    frame.heading(
        "Live scanner",
        "Watch the networks while the model reads or writes, token by token.",
        terms=("time_course", "lesion"),
    )
    with frame.explaining():
        chosen_source = panels.choose_source()
        if chosen_source == RECORDED:
            session = atlas_frame.viewed_session(opened_atlas, 0)
            atlas_frame.pick_session(
                opened_atlas,
                session,
                key="live-session",
                label="Recorded text",
                help="Its time courses are in the atlas: no model is needed.",
            )
            recorded = LiveTexts(healthy=cache.recorded(opened_atlas.id, session))
            show(opened_atlas, recorded, None, session)
        else:
            asked_order, was_asked, asked_model = order_of(opened_atlas, chosen_source)
            if asked_order is not None and asked_model is not None:
                found_texts = texts_of(asked_order, asked_model, is_asked=was_asked)
                if found_texts is not None:
                    show(opened_atlas, found_texts, asked_order, -1)
