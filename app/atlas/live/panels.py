"""Panels of the Live scanner page: the text, what is silenced, words and numbers."""

import streamlit as st

from app.atlas.live.options import MOST_SILENCED, RECORDED, SOURCES, WRITE, LiveOptions
from app.figures.live.scene import LiveScene, alternative, table_of
from app.html_files.live_page import live_page
from app.shell import recipes, resources, session_state, view_state
from app.shell.caches import live as cache
from app.widgets.controls import choose, download
from app.widgets.picture import describe, draw_table
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.evaluation.generation import Prompt, Sampling, has_chat_template
from fnprune_core.lesions.live import LiveOrder
from fnprune_core.models.language_model import LanguageModel

#: Beginnings for this page, which the model goes on from.
PROMPTS = {
    "Story": "Once upon a time, in a house by the sea, there lived a",
    "Python": "def is_prime(n):\n    ",
    "French": "Hier matin, en ouvrant la fenêtre, elle vit",
    "List": "Five things that float on water:\n1.",
}
MOST_WRITTEN = 256


def choose_source() -> str:
    """Draw where the text comes from; return one of `SOURCES`."""
    options = view_state.page_options(LiveOptions)
    current = options.source or ("read" if view_state.view().text else RECORDED)
    chosen = choose("Text", SOURCES, key="live-source", default=current)
    if chosen != current:
        view_state.change(token=-1)
        view_state.change_options(LiveOptions, source=chosen)
    return chosen


def writing(model: LanguageModel | None, text: str) -> tuple[Prompt, Sampling]:
    """Draw how the model writes; return its prompt and sampling."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        n_tokens = st.slider(
            "Tokens at most", 8, MOST_WRITTEN, 64, 8, key="live-length", persist_state="session"
        )
        temperature = st.slider(
            "Temperature", 0.0, 1.5, 0.0, 0.1, key="live-temperature", persist_state="session",
            help="0 takes the most probable token each time; above, tokens are drawn.",
        )  # fmt: skip
    is_chat = False
    if model is not None and has_chat_template(model):
        is_chat = st.toggle(
            "As a chat", key="live-chat", persist_state="session",
            help="The beginning is put into the model's chat template, as what the user says.",
        )  # fmt: skip
    sampling = Sampling(max_new_tokens=int(n_tokens), temperature=float(temperature))
    return Prompt(text=text, is_chat=is_chat), sampling


def choose_silenced(atlas: NetworkAtlas) -> tuple[int, ...]:
    """Draw the choice of networks that are silenced in the body beside; return them."""
    viewed = tuple(
        network
        for network in view_state.page_options(LiveOptions).silenced
        if network < atlas.n_networks
    )
    names = resources.network_names(atlas.id)
    key = f"live-silenced-{'x'.join(map(str, viewed))}"
    st.multiselect(
        "Compare with silenced networks",
        range(atlas.n_networks),
        default=list(viewed),
        format_func=lambda network: f"{network} · {names[network]}",
        key=key,
        max_selections=MOST_SILENCED,
        placeholder="No network: only the healthy model",
        on_change=lambda: view_state.change_options(
            LiveOptions, silenced=tuple(sorted(session_state.widget(key)))
        ),
        help="The same text is read once more with the units of these networks silenced "
        "(sink units are spared), and both bodies run in step. Holes show "
        "what is silenced.",
    )
    return viewed


def lesion_name(networks_silenced: tuple[int, ...]) -> str:
    """Return what the body of a lesion is called."""
    if not networks_silenced:
        return ""
    numbers = ", ".join(str(network) for network in networks_silenced)
    return f"Without network{'s' if len(networks_silenced) > 1 else ''} {numbers}"


def facts(atlas: NetworkAtlas, scene: LiveScene, source: str, made: str) -> None:
    """Draw what the scanner shows in words, its numbers, and how it was made."""
    alt, name = "Each token with its strongest networks", f"fnprune-live-{atlas.id[:8]}"
    describe(
        alternative(scene),
        lambda: draw_table(table_of(scene), name=name, key="live", alt=alt),
        key="live",
        made=made,
    )
    st.caption(
        "A network is as bright as its strength exceeds what is usual for it (its root mean "
        "square over the recording): from 1× to 4×. Shares are of the energy of all networks at "
        "the token. Surprise is −log p. Fading between tokens and smoothing (4 mm) are for the "
        "eye. Units have no place of their own: the layout is computed."
        + (" What the model was given is in italics." if source == WRITE else "")
    )


def made_by(atlas: NetworkAtlas, order: LiveOrder | None, session: int) -> str:
    """Return the Python that makes the numbers again."""
    if order is None:
        return recipes.code("live-recorded", atlas=atlas.id, session=session)
    name = "live-read" if order.prompt is None else "live-write"
    prompt = order.prompt or Prompt(text="")
    silenced = order.lesion.networks if order.lesion else None
    return recipes.code(
        name, atlas=atlas.id, model=view_state.view().model, text=order.text, prompt=prompt.text,
        is_chat=prompt.is_chat, n_tokens=order.sampling.max_new_tokens,
        temperature=order.sampling.temperature, silenced=silenced, z=order.settings.z,
    )  # fmt: skip


def take_away(atlas: NetworkAtlas, scene: LiveScene) -> None:
    """Offer the text in the scanner as one page that plays anywhere."""
    st.subheader("Download", anchor=False)
    token = scene.brightest()
    download(
        "One page (HTML)",
        lambda: live_page(
            scene, title="Live scanner", still=cache.still(scene, token), token=token
        ),
        f"fnprune-live-{atlas.id[:8]}.html",
        icon="html",
        key="live-page",
        help="Plays in any browser without an internet connection.",
    )
    st.caption("For a film, press *Film* below the scanner: the browser records what it plays.")
