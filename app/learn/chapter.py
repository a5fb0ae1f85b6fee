"""A chapter on the page: predict, do, check."""

import streamlit as st

from app import pages
from app.learn import progress
from app.learn.activities import by_chapter
from app.learn.lesson import CHAPTERS, STEPS, Chapter, Finding, Question, neighbours
from app.learn.track import track
from app.shell import glossary, resources, view_state, wording
from app.widgets import frame
from app.widgets.controls import button, choose

_READING_PX = 760


def show(chapter: Chapter) -> None:
    """Draw a chapter at the view's step."""
    step = progress.step()
    _draw_head(chapter, step)
    with st.container(width=_READING_PX):
        if step == "predict":
            st.markdown(chapter.reading)
        else:
            with st.expander("Read again", icon=":material/menu_book:"):
                st.markdown(chapter.reading)
        _draw_terms(chapter)
    if step == "predict":
        _draw_prediction(chapter)
        return
    if not progress.is_open(chapter):
        _ask_to_predict(chapter)
        return
    _remind_of_prediction(chapter)
    with frame.explaining():
        _draw_task(chapter, step)


def _draw_head(chapter: Chapter, step: str) -> None:
    """Draw the chapter's place among all, and the choice of the step."""
    number = CHAPTERS.index(chapter) + 1
    previous, following = neighbours(chapter.slug)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        button(
            "All chapters",
            "list",
            kind="tertiary",
            key="lesson-contents",
            does=progress.go,
            args=("",),
        )
        st.space("stretch")
        for label, icon, neighbour in (
            ("Previous chapter", "arrow_back", previous),
            ("Next chapter", "arrow_forward", following),
        ):
            button(
                label,
                icon,
                kind="tertiary",
                key=f"lesson-{icon}",
                is_off=neighbour is None,
                help=neighbour.title if neighbour else None,
                does=progress.go,
                args=(neighbour.slug if neighbour else "",),
            )
    st.html(track(chapter.slug))
    st.caption(f"Chapter {number} of {len(CHAPTERS)} · about {chapter.minutes} minutes")
    st.title(chapter.title, anchor=False)
    st.markdown(f"*{chapter.idea}*" if step == "check" else "")
    chosen = choose(
        "Step",
        list(STEPS),
        words=lambda name: f"{list(STEPS).index(name) + 1} · {STEPS[name]}",
        key=f"lesson-step-{chapter.slug}-{step}",
        default=step,
    )
    if chosen != step:
        progress.go(chapter.slug, chosen)
        st.rerun()


def _draw_terms(chapter: Chapter) -> None:
    """Draw the chapter's words, each with its explanation."""
    with st.container(horizontal=True, gap="small", key=f"lesson-terms-{chapter.slug}"):
        for key in chapter.terms:
            st.caption(glossary.both(key), help=glossary.tip(key), width="content")


def _draw_prediction(chapter: Chapter) -> None:
    """Draw the question that asks for a prediction; once made, it stands."""
    prediction = progress.progress().predictions.get(chapter.slug)
    with st.container(border=True, width=_READING_PX):
        st.markdown(f"**Predict.** {chapter.predict.prompt}")
        chosen = _choices(
            chapter.predict, key=f"lesson-predict-{chapter.slug}", prediction=prediction
        )
        if prediction is None:
            if button(
                "Commit to this answer",
                "lock",
                kind="primary",
                key=f"lesson-commit-{chapter.slug}",
                is_off=chosen is None,
            ):
                progress.predict(chapter.slug, str(chosen))
                progress.go(chapter.slug, "do")
                st.rerun()
        else:
            with st.container(horizontal=True, gap="small"):
                _next_button("See what happens", chapter.slug, "do")
                button(
                    "Start this chapter again",
                    "restart_alt",
                    kind="tertiary",
                    key=f"lesson-restart-{chapter.slug}",
                    does=progress.restart,
                    args=(chapter.slug,),
                )


def _choices(question: Question, *, key: str, prediction: str | None) -> str | None:
    """Draw the answers of a question; those of a made prediction cannot be changed."""
    keys = [answer.key for answer in question.answers]
    chosen: str | None = st.radio(
        question.prompt,
        keys,
        index=keys.index(prediction) if prediction in keys else None,
        format_func=lambda name: next(a.text for a in question.answers if a.key == name),
        key=f"{key}-{'held' if prediction else 'open'}",
        disabled=prediction is not None,
        label_visibility="collapsed",
    )
    return chosen


def _next_button(label: str, slug: str, step: str) -> None:
    button(
        label,
        "arrow_forward",
        kind="primary",
        key=f"lesson-to-{step}-{slug}",
        does=progress.go,
        args=(slug, step),
    )


def _ask_to_predict(chapter: Chapter) -> None:
    """Draw the note that a prediction comes first."""
    with st.container(border=True, width=_READING_PX):
        st.markdown("**Predict first.** You learn more from a result that you have bet on.")
        with st.container(horizontal=True, gap="small"):
            _next_button("Make a prediction", chapter.slug, "predict")
            button(
                "Look without predicting",
                kind="tertiary",
                key="lesson-look",
                does=lambda: view_state.change(show=progress.OPEN),
            )


def _remind_of_prediction(chapter: Chapter) -> None:
    prediction = chapter.predict.answer(progress.progress().predictions.get(chapter.slug))
    if prediction is not None:
        st.markdown(f":material/lock: You predicted: **{prediction.text}**")


def _draw_task(chapter: Chapter, step: str) -> None:
    """Draw the task and its activity, and at the last step the finding and the last question."""
    with st.container(width=_READING_PX):
        st.markdown(chapter.task)
    finding = _run_activity(chapter)
    if step == "do":
        if finding is None:
            if chapter.needs == "model":
                st.caption("When it is done, go on to the check.")
        else:
            _next_button("Check my prediction", chapter.slug, "check")
        return
    with st.container(width=_READING_PX):
        st.divider()
        if finding is None:
            st.info(
                "Do the experiment first; then you can check your prediction.",
                icon=":material/science:",
            )
        else:
            _draw_comparison(chapter, finding)
        _last_question(chapter)


def _run_activity(chapter: Chapter) -> Finding | None:
    if not chapter.needs:
        return by_chapter.ALONE[chapter.slug]()
    view = view_state.view()
    if not view.atlas:
        frame.empty(
            "The lesson looks at live data",
            "Open the worked example, or an atlas of your own; then come back to this chapter.",
            button="Go to the start",
            page=frame.START,
            icon="neurology",
        )
        return None
    return by_chapter.ON_ATLAS[chapter.slug](resources.atlas(view.atlas))


def _draw_comparison(chapter: Chapter, finding: Finding) -> None:
    """Draw the finding beside the prediction, with the reasons."""
    st.subheader("What was measured", anchor=False)
    st.markdown(wording.plain(finding.sentence))
    question = chapter.predict
    prediction = question.answer(progress.progress().predictions.get(chapter.slug))
    supported, right = question.answer(finding.supports), question.answer(question.right)
    if prediction is None:
        if supported is not None:
            st.info(f"This supports: **{supported.text}**. {supported.why}")
    elif prediction == supported:
        st.success(
            f"As you predicted: **{prediction.text}**. {prediction.why}", icon=":material/check:"
        )
    else:
        supported_text = supported.text if supported is not None else "none of the answers"
        st.warning(
            f"You predicted: **{prediction.text}**. "
            f"{prediction.why if prediction != right else ''}  \nMeasured: **{supported_text}**. "
            f"{supported.why if supported == right and supported else ''}",
            icon=":material/compare_arrows:",
        )
    if supported != right and right is not None:
        st.info(
            f"These data differ from the usual result: **{right.text}**. {right.why} Look for "
            "what is special here.",
            icon=":material/help:",
        )


def _last_question(chapter: Chapter) -> None:
    """Draw the question that ends the chapter; every wrong answer is explained."""
    st.subheader("One more question", anchor=False)
    answered_key = progress.progress().answers.get(chapter.slug)
    with st.container(border=True):
        st.markdown(f"**{chapter.check.prompt}**")
        keys = [answer.key for answer in chapter.check.answers]
        chosen = st.radio(
            chapter.check.prompt,
            keys,
            index=keys.index(answered_key) if answered_key in keys else None,
            format_func=lambda name: next(a.text for a in chapter.check.answers if a.key == name),
            key=f"lesson-check-{chapter.slug}",
            label_visibility="collapsed",
        )
        if chosen is not None and chosen != answered_key:
            progress.answer(chapter.slug, chosen)
            st.rerun()  # the line of chapters stands above
        answer = chapter.check.answer(answered_key)
        if answer is not None and answer.key == chapter.check.right:
            st.success(f"Right. {answer.why}", icon=":material/check:")
        elif answer is not None:
            st.warning(f"Not quite. {answer.why} Try another one.", icon=":material/close:")
    if progress.is_done(chapter):
        _draw_end(chapter)


def _draw_end(chapter: Chapter) -> None:
    """Draw the chapter's idea, its limits, and the links that lead on."""
    with st.container(border=True):
        st.markdown(f":material/lightbulb: **{chapter.idea}**")
        st.markdown(chapter.limits)
        with st.container(horizontal=True, gap="small"):
            for url, label in chapter.pages:
                st.page_link(pages.path(url), label=label, icon=":material/open_in_new:")
    _, following = neighbours(chapter.slug)
    if following is not None:
        _next_button(f"Next: {following.title}", following.slug, "predict")
    else:
        _next_button("Back to all chapters", "", "predict")
    with st.expander("Sources", icon=":material/menu_book:"):
        st.markdown("\n".join(f"- {source}" for source in chapter.sources))
