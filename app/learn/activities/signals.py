"""Activities on what is measured: two clocks, neighbours, time courses."""

import numpy as np
import streamlit as st

from app.figures import markup
from app.figures.networks import time_course
from app.learn import data as cache
from app.learn import figures as drawn
from app.learn.activities.shared import pick_network
from app.learn.lesson import Finding
from app.shell import recipes, resources, wording
from app.shell.caches import networks
from app.widgets import frame
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.atlas.statistics.networks import session_course

_STEP_S = 0.1


def clocks(atlas: NetworkAtlas) -> Finding | None:
    """Draw blood's answer to flashes beside a network's answer to a word."""
    palette = frame.palette()
    left, right = st.columns(2, gap="large")
    response = cache.blood(_STEP_S)
    with left:
        st.subheader("A voxel in visual cortex", anchor=False)
        gap = st.slider("Seconds between two flashes", 0.0, 20.0, 12.0, 0.5, key="lesson-gap")
        t_r = st.slider("Seconds between scans (TR)", 0.5, 3.0, 2.0, 0.5, key="lesson-tr")
        picture = drawn.blood_response(
            response, step_s=_STEP_S, gap_s=gap, t_r_s=t_r, palette=palette
        )
        draw_picture(picture, key="lesson-blood")
    with right:
        st.subheader("A network of the model", anchor=False)
        network = pick_network(atlas, chapter="signal", default=cache.with_a_word(atlas.id))
        words = cache.favourite_words(atlas.id, network)
        if not words:
            st.info("This network has no word of its own. Choose another one.")
            return None
        word = st.selectbox(
            "Around which word",
            words,
            format_func=lambda text: repr(markup.visible(text))[1:-1],
            key=f"lesson-word-{network}",
        )
        at_word = cache.event_average(atlas.id, network, word)
        picture = drawn.event_average(
            at_word.lags, at_word.mean, word=word, n_events=at_word.n_events, network=network,
            palette=palette,
        )  # fmt: skip
        draw_picture(picture, key="lesson-event")
    peak = _STEP_S * int(response.argmax())
    supports = "once" if peak < 1 else "seconds" if peak < 20 else "minute"
    return Finding(
        sentence=f"Blood is highest {peak:.1f} s after one flash. Network {network} is strongest "
        f"{_lag_text(at_word.peak)}; one token later, {100 * at_word.left_after_one:.0f} "
        "% of that is left.",
        supports=supports,
    )


def _lag_text(lag: int) -> str:
    """Return a lag in words."""
    if lag == 0:
        return "at its word itself"
    return f"{wording.count(abs(lag), 'token')} {'before' if lag < 0 else 'after'} its word"


def neighbours(atlas: NetworkAtlas) -> Finding | None:
    """Draw how alike places are by distance: in a brain, by number, in the cortex."""
    network = pick_network(atlas, chapter="units", default=cache.most_selective(atlas.id))
    brain = cache.likeness_in_the_brain()
    model = cache.likeness(atlas.id, network, resources.cortex(atlas.id) is not None)
    curves = {"brain: motor map, left to right": brain, "model: units by number": model["number"]}
    if "cortex" in model:
        curves["model: in this app's cortex"] = model["cortex"]
    in_brain, by_number = float(brain[0]), float(np.nan_to_num(model["number"][0]))
    sentence = (
        f"Correlation of |value| with that of the place one step on: {in_brain:.2f} in the brain "
        f"(a voxel, 3 mm), {by_number:.2f} between neighbours by number in network {network}"
    )
    if "cortex" in model:
        sentence += f", {model['cortex'][0]:.2f} in the cortex, where units were put by network"
    sentence += "."
    picture = drawn.lines(
        curves, cache.DISTANCES, x_title="steps apart", y_title="correlation", says=sentence,
        palette=frame.palette(),
    )  # fmt: skip
    draw_picture(picture, key="lesson-likeness")
    likely_answer = "both" if by_number > 0.3 else "brain"
    return Finding(sentence=sentence, supports=likely_answer if in_brain > 0.3 else "neither")


def courses(atlas: NetworkAtlas) -> Finding | None:
    """Draw a network's strength over a text."""
    left, right = st.columns(2, gap="medium")
    with left:
        network = pick_network(atlas, chapter="time", default=cache.most_selective(atlas.id))
    titles = networks.session_titles(atlas.id)
    passages = networks.passages(atlas.id, network, 0)
    with right:
        session = st.selectbox(
            "Text",
            range(len(titles)),
            index=passages[0].session if passages else 0,
            format_func=titles.__getitem__,
            key=f"lesson-session-{network}",
        )
    values, texts, n_dummy = session_course(atlas, network, session)
    draw_picture(
        time_course(
            values,
            texts,
            network=network,
            n_dummy_tokens=n_dummy,
            palette=frame.palette(),
        ),
        key="lesson-course",
        made=recipes.code("time-course", atlas=atlas.id, network=network, session=session),
    )
    with st.container(height=260, border=True):
        st.html(
            markup.token_strip(
                texts,
                values,
                limit=networks.strength(atlas.id, network),
                palette=frame.palette(),
            )
        )
    share = cache.share_between_sessions(atlas.id)
    median_share = float(np.median(share))
    return Finding(
        sentence=f"For the median network {100 * median_share:.0f} % of the variance lies between "
        f"texts and {100 * (1 - median_share):.0f} % within them; for network {network}, "
        f"{100 * share[network]:.0f} % and {100 * (1 - share[network]):.0f} %; the most "
        f"between texts is {100 * share.max():.0f} %.",
        supports="between" if median_share > 0.5 else "within",
    )
