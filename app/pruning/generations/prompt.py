"""Form of the Generations page: the prompt, and how the next tokens are chosen."""

import zlib

import streamlit as st

from app.shell import codec, session_state, view_state, wording
from app.widgets.controls import choose, number
from fnprune_core.evaluation.generation import Prompt, Sampling, has_chat_template
from fnprune_core.evaluation.side_by_side import SideBySide
from fnprune_core.models.language_model import LanguageModel

#: Written for this page: questions for a chat, and beginnings to be continued.
PROMPTS = {
    "Blue sky": "Why is the sky blue?",
    "Fractions": "Explain to a child what a fraction is.",
    "Poem": "Write a short poem about the sea at night.",
    "Capital": "The capital of France is",
    "Python": 'def mean(values):\n    """Return the arithmetic mean."""\n',
    "French": "Le maître entra dans la classe, posa ses livres sur la table et dit :",
    "Sum": "12 + 8 = 20\n15 + 9 = 24\n31 + 6 =",
}
MOST_TOKENS = 256
_TEXT, _CHAT, _SYSTEM = "generation-prompt", "generation-chat", "generation-system"
_LENGTH, _DRAW = "generation-length", "generation-draw"
_TEMPERATURE, _TOP_P, _SEED = "generation-temperature", "generation-top-p", "generation-seed"
_TAKEN = "generation whose prompt is in the box"
_GREEDY, _DRAWN = "The most probable", "Drawn"


def set_prompt(text: str | None) -> None:
    """Set the prompt of the view."""
    if text is not None:
        view_state.change(prompt=text)


def remember_prompt(generation_id: str) -> None:
    """Remember that the box holds the prompt of this text."""
    session_state.remember(_TAKEN, generation_id)


def fill(texts: SideBySide, generation_id: str) -> None:
    """Fill the box, once, with the prompt and sampling of a text that was opened."""
    if session_state.recall(_TAKEN) != generation_id:
        view_state.change(prompt=texts.prompt.text)
        is_drawn, sampling = texts.sampling.temperature > 0, texts.sampling
        values = {
            _CHAT: texts.prompt.is_chat,
            _SYSTEM: texts.prompt.system,
            _LENGTH: sampling.max_new_tokens,
            _DRAW: _DRAWN if is_drawn else _GREEDY,
        }
        drawn = {_TEMPERATURE: sampling.temperature, _TOP_P: sampling.top_p, _SEED: sampling.seed}
        for name, value in {**values, **(drawn if is_drawn else {})}.items():
            session_state.remember(name, value)
    remember_prompt(generation_id)


def text_box() -> str:
    """Draw the box with ready prompts; return the prompt."""
    viewed_prompt = view_state.view().prompt
    # They differ when a ready prompt was pressed, a link followed, or the page left.
    if session_state.widget(_TEXT) != viewed_prompt:
        session_state.remember(_TEXT, viewed_prompt)
    pills_key = f"generation-ready-{zlib.crc32(viewed_prompt.encode('utf-8', 'replace'))}"
    st.pills(
        "Ready prompts",
        list(PROMPTS),
        default=next((name for name, text in PROMPTS.items() if text == viewed_prompt), None),
        key=pills_key,
        on_change=lambda: set_prompt(PROMPTS.get(session_state.widget(pills_key) or "")),
        label_visibility="collapsed",
    )
    st.text_area(
        "Prompt",
        height=110,
        key=_TEXT,
        placeholder="Type what both models are to go on from, or press a ready prompt",
        on_change=lambda: set_prompt(session_state.widget(_TEXT)),
        help="Nothing is sent anywhere: the model on this machine writes.",
    )
    if len(viewed_prompt) > codec.MAX_TEXT:
        st.caption(
            f"A link carries prompts of up to {codec.MAX_TEXT} characters. This one has "
            f"{len(viewed_prompt):,}; a link to what was written brings it along all the same."
        )
    return viewed_prompt


def prompt_of(text: str, model: LanguageModel | None) -> Prompt:
    """Draw how the prompt is given to the model, where it has a chat template; return it."""
    if model is None:
        return Prompt(text=text)
    if not has_chat_template(model):
        st.caption("This model has no chat template: it goes on from the prompt as it is.")
        return Prompt(text=text)
    is_chat = st.toggle(
        "As a chat",
        value=True,
        key=_CHAT,
        persist_state="session",
        help="The prompt is put into the model's chat template, as what the user says. Without, "
        "the models go on from the bare text.",
    )
    return Prompt(
        text=text, is_chat=is_chat, system=session_state.widget(_SYSTEM) or "" if is_chat else ""
    )


def sampling_of(prompt: Prompt) -> Sampling:
    """Draw, folded away, how long the texts are and how tokens are chosen; return it."""
    with st.expander("Length and sampling", icon=":material/tune:"):
        length = st.slider(
            "Tokens at most", 8, MOST_TOKENS, 64, 8, key=_LENGTH, persist_state="session"
        )
        if prompt.is_chat:
            st.text_area(
                "System turn",
                height=68,
                key=_SYSTEM,
                persist_state="session",
                placeholder="Empty: the template's own",
            )
        next_token = choose(
            "Next token",
            [_GREEDY, _DRAWN],
            key=_DRAW,
            default=_GREEDY,
            help="Drawn tokens differ by chance as well as by the plan: compare several seeds.",
            is_labelled=True,
            is_kept=True,
        )
        if next_token != _DRAWN:
            return Sampling(max_new_tokens=int(length))
        temperature = st.slider(
            "Temperature", 0.1, 2.0, 0.8, 0.1, key=_TEMPERATURE, persist_state="session",
            help="Below 1 the probable tokens are drawn more often, above 1 the others.",
        )  # fmt: skip
        top_p = st.slider(
            "Top p", 0.05, 1.0, 0.95, 0.05, key=_TOP_P, persist_state="session",
            help="Tokens are drawn from the fewest that together are this probable.",
        )  # fmt: skip
        seed = number("Seed", 0, 10**6, 0, key=_SEED)
    return Sampling(
        max_new_tokens=int(length),
        temperature=float(temperature),
        top_p=float(top_p),
        seed=int(seed),
    )


def facts(texts: SideBySide) -> str:
    """Return a caption on how a text was written."""
    sampling = texts.sampling
    sampling_text = (
        "the most probable token each time"
        if sampling.temperature == 0
        else f"tokens drawn at temperature {sampling.temperature:g}, top p {sampling.top_p:g}, "
        f"seed {sampling.seed}"
    )
    prompt_text = "in the chat template" if texts.prompt.is_chat else "as it is"
    return wording.plain(
        f"The prompt {prompt_text}, {wording.count(len(texts.prompt_ids), 'token')}; "
        f"{sampling_text}; at most {sampling.max_new_tokens}."
    )
