"""Two texts side by side on the page Generations: as they are written, and when they are whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.figures.markup import token_strip
from app.figures.two_texts import divergence_course, next_tokens, quoted
from app.shell import recipes, view_state, wording
from app.shell.caches import generations as cache
from app.shell.jobs.generation_tasks import Written
from app.shell.jobs.job import Job
from app.shell.wording import plain
from app.widgets import frame, job_progress
from app.widgets.controls import button, choose
from app.widgets.picture import draw_picture
from app.widgets.token_reader import reader
from fnprune_core.evaluation.generation import repeated_share
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import BOTH, PRUNED, SideBySide
from fnprune_core.texts.token_pieces import REPLACEMENT

COLOURING = {"surprise": "Surprise", "disagreement": "Disagreement"}
#: Nats of full colour.
_LIMIT = {"surprise": 8.0, "disagreement": 4.0}
_NOTABLE_REPETITION = 0.25
_POLL_S = 0.5
_STOPS = {
    "end": "The model ended its text.",
    "length": "Stopped at the length that was asked for.",
    "context": "Stopped at the longest text that the model can read.",
    "": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """Names of the two texts, and the Python that makes their pictures again.

    Parameters
    ----------
    names : mapping
        By `DENSE` and `PRUNED`.
    notes : mapping, optional
        What is said under each name; of a plan if not given.
    made : callable, optional
        Python for the picture of a text at a token.
    """

    names: Mapping[str, str]
    notes: Mapping[str, str] | None = None
    made: Callable[[str, int], str] | None = None


PLAN = Titles(names={DENSE: "Dense model", PRUNED: "Plan"})


def live(job_id: str, titles: Titles = PLAN) -> None:
    """Draw two texts that are being written, polled in a fragment of its own."""
    st.fragment(_draw_live, run_every=_POLL_S)(job_id, titles)


def _draw_live(job_id: str, titles: Titles) -> None:
    job = job_progress.running(job_id)
    if job is None:
        st.rerun()
    else:
        job_progress.draw_progress(job)
        so_far(job, titles)


def so_far(job: Job, titles: Titles = PLAN) -> None:
    """Draw the texts that a job has written so far."""
    latest = {event.whose: event for event in job.events if isinstance(event, Written)}
    for column, whose in zip(st.columns(2, gap="large"), BOTH, strict=True):
        with column:
            st.subheader(titles.names[whose], anchor=False)
            if whose in latest:
                st.html(_text_html(latest[whose]))
            elif job.is_active:
                st.caption("Waiting for the first token.")


def _text_html(written: Written) -> str:
    """Return a text so far as HTML; what may still become a character is left out."""
    n = len(written.pieces)
    while n and not written.pieces[n - 1].strip(REPLACEMENT):
        n -= 1
    return token_strip(
        written.pieces[:n],
        -written.log_probability[:n],
        limit=_LIMIT["surprise"],
        palette=frame.palette(),
        first=0,
    )


def show(texts: SideBySide, titles: Titles = PLAN) -> None:
    """Draw two whole texts, the expectations at the picked token, and where the models disagree."""
    colouring = choose(
        "Colour tokens by",
        COLOURING,
        key="generation-colouring",
        default="surprise",
        help="Surprise: how improbable the token was to the model that wrote it, −log p. "
        "Disagreement: how far the two models' next-token distributions are apart there, after "
        "the same text (Kullback–Leibler divergence of the second's from the first's).",
        is_labelled=True,
        is_kept=True,
    )
    for column, whose in zip(st.columns(2, gap="large"), BOTH, strict=True):
        with column:
            _draw_text(texts, whose, colouring, titles)
    _draw_first_difference(texts, titles)
    _draw_expectations(texts, titles)
    _draw_divergence(texts, titles)


def _selected_side() -> str:
    """Return the selected one of the two texts."""
    return PRUNED if view_state.view().show == PRUNED else DENSE


def _picked_token(texts: SideBySide) -> int | None:
    """Return the picked token of the selected text."""
    token = view_state.view().token
    return token if 0 <= token < texts.written[_selected_side()].n_tokens else None


def _pick_token(token: int, whose: str) -> None:
    view_state.change(token=token, show=whose, session=-1)


def _draw_text(texts: SideBySide, whose: str, colouring: str, titles: Titles) -> None:
    written, expected = texts.written[whose], texts.expected[whose]
    surprise, difference = -written.log_probability, texts.first_difference
    name = titles.names[whose]
    st.subheader(name, anchor=False)
    notes = titles.notes or {DENSE: "as it was loaded", PRUNED: cache.plan_label(texts.plan_id)}
    st.caption(plain(notes[whose]))
    with st.container(border=True):
        reader(
            texts.pieces[whose],
            surprise if colouring == "surprise" else expected.divergence,
            limit=_LIMIT[colouring],
            key=f"generation-text-{whose}",
            on_pick=lambda token: _pick_token(token, whose),
            selected=_picked_token(texts) if _selected_side() == whose else None,
            marks=() if difference is None else (difference,),
            tips=[
                f"surprise {s:.2f}, disagreement {d:.2f} nats"
                + (", the first difference" if i == difference else "")
                for i, (s, d) in enumerate(zip(surprise, expected.divergence, strict=True))
            ],
            height=340,
            name=f"Text of the {name.lower()}, tokens coloured by {colouring}",
        )
    facts = [_STOPS[written.stop], wording.count(written.n_tokens, "token") + "."]
    facts.append(f"Mean surprise {surprise.mean():.2f} nats.")
    share_repeated = repeated_share(written.token_ids)
    if share_repeated >= _NOTABLE_REPETITION:
        facts.append(
            f"It repeats itself: {100 * share_repeated:.0f} % of its sequences of 4 tokens "
            "occurred before."
        )
    st.caption(plain(" ".join(facts)))


def _draw_first_difference(texts: SideBySide, titles: Titles) -> None:
    """Draw the first difference of the texts."""
    difference = texts.first_difference
    if difference is None:
        st.success("Both models wrote the same text.", icon=":material/equal:")
        return
    words = []
    for whose in BOTH:
        piece = next((p for p in texts.pieces[whose][difference:] if p), "")
        words.append(plain(quoted(piece)) if piece else "nothing more")
    st.info(
        f"The first difference is at token {difference}, set in bold: the "
        f"{titles.names[DENSE].lower()} writes {words[0]}, the {titles.names[PRUNED].lower()} "
        f"{words[1]}.",
        icon=":material/alt_route:",
    )


def _draw_expectations(texts: SideBySide, titles: Titles) -> None:
    """Draw the tokens that both models expected at the picked token."""
    last_token, whose = _picked_token(texts), _selected_side()
    if last_token is None:
        st.caption("Press a token to see what both models expected there.")
        return
    first_token = last_token
    while first_token and not texts.pieces[whose][first_token - 1]:
        first_token -= 1  # tokens before it hold a part of the same character
    token = last_token
    st.subheader(f"At token {last_token}", anchor=False)
    if first_token < last_token:
        chosen_token = choose(
            "Token of this character",
            list(range(first_token, last_token + 1)),
            key=f"generation-part-{whose}-{last_token}",
            default=last_token,
            is_labelled=True,
        )
        token = last_token if chosen_token is None else int(chosen_token)
    st.caption(
        "What both models expect next after the same beginning: the "
        f"{titles.names[whose].lower()}’s text up to token {token}."
    )
    ids, log_p = texts.expected[whose].candidates(token)
    draw_picture(
        next_tokens(
            [texts.words[int(i)] for i in ids],
            np.exp(log_p),
            written=texts.words[int(texts.written[whose].token_ids[token])],
            palette=frame.palette(),
        ),
        key="generation-next",
        made=_code(whose, token, titles),
    )


def _draw_divergence(texts: SideBySide, titles: Titles) -> None:
    """Draw how far the models disagree at each token of the selected text."""
    whose, expected = _selected_side(), texts.expected[_selected_side()]
    st.subheader("Where they disagree", anchor=False)
    st.caption(
        f"Both models read the {titles.names[whose].lower()}’s text, token by token. "
        "Press a token of the other text to see that one."
    )
    draw_picture(
        divergence_course(
            expected.divergence,
            texts.pieces[whose],
            np.exp(expected.log_probability),
            selected=_picked_token(texts),
            difference=texts.first_difference,
            palette=frame.palette(),
        ),
        key="generation-course",
        made=_code(whose, _picked_token(texts) or 0, titles),
    )
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.caption("Most at", width="content")
        for place in expected.most(5).tolist():
            word = texts.words[int(texts.written[whose].token_ids[place])]
            button(
                f"{place} {plain(quoted(word))}",
                key=f"generation-most-{place}",
                kind="tertiary",
                does=_pick_token,
                args=(place, whose),
            )


def _code(whose: str, token: int, titles: Titles) -> str:
    if titles.made is not None:
        return titles.made(whose, token)
    view = view_state.view()
    if not view.atlas:  # recipes begin with one
        return ""
    return recipes.code(
        "generation", atlas=view.atlas, generation=view.generation, whose=whose, token=token
    )
