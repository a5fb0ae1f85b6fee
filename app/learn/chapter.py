"""A chapter on the page: predict, do, check."""

import streamlit as st

from app import pages
from app.learn import progress
from app.learn.activities import by_chapter
from app.learn.lesson import CHAPTERS, STEPS, Chapter, Finding, Question, neighbours
from app.shell import glossary, resources, view_state, wording
from app.widgets import frame

_READING_PX = 760


def show(chapter: Chapter) -> None:
    """Draw a chapter at the view's step."""
    step = progress.step()
    _head(chapter, step)
    with st.container(width=_READING_PX):
        if step == "predict":
            st.markdown(chapter.reading)
        else:
            with st.expander("Read again", icon=":material/menu_book:"):
                st.markdown(chapter.reading)
        _terms(chapter)
    if step == "predict":
        _predict(chapter)
        return
    if not progress.is_open(chapter):
        _closed(chapter)
        return
    _remind(chapter)
    with frame.explaining():
        _do(chapter, step)


def _head(chapter: Chapter, step: str) -> None:
    """Draw where one is: the chapter among all, the step among three."""
    number = CHAPTERS.index(chapter) + 1
    before, after = neighbours(chapter.slug)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.button(
            "All chapters",
            icon=":material/list:",
            type="tertiary",
            key="lesson-contents",
            on_click=progress.go,
            args=("",),
        )
        st.space("stretch")
        for label, icon, other in (
            ("Previous chapter", "arrow_back", before),
            ("Next chapter", "arrow_forward", after),
        ):
            st.button(
                label,
                icon=f":material/{icon}:",
                type="tertiary",
                key=f"lesson-{icon}",
                disabled=other is None,
                help=other.title if other else None,
                on_click=progress.go,
                args=(other.slug if other else "",),
            )
    st.html(track(chapter.slug))
    st.caption(f"Chapter {number} of {len(CHAPTERS)} · about {chapter.minutes} minutes")
    st.title(chapter.title, anchor=False)
    st.markdown(f"*{chapter.idea}*" if step == "check" else "")
    chosen = st.segmented_control(
        "Step",
        list(STEPS),
        format_func=lambda name: f"{list(STEPS).index(name) + 1} · {STEPS[name]}",
        default=step,
        required=True,
        key=f"lesson-step-{chapter.slug}-{step}",
        label_visibility="collapsed",
    )
    if chosen is not None and chosen != step:
        progress.go(chapter.slug, chosen)
        st.rerun()


def track(here: str = "") -> str:
    """Return the line of chapters as HTML: done, here, to come; words for screen readers."""
    palette = frame.palette()
    cells = []
    for chapter in CHAPTERS:
        done = progress.is_done(chapter)
        colour = palette.accent if done else palette.quiet if chapter.slug == here else palette.line
        tall = "6px" if chapter.slug == here else "4px"
        cells.append(
            f'<span title="{chapter.title}{": done" if done else ""}" style="flex:1;'
            f'height:{tall};border-radius:3px;background:{colour}"></span>'
        )
    said = f"{progress.n_done()} of {len(CHAPTERS)} chapters done"
    return (
        f'<div role="img" aria-label="{said}" style="display:flex;gap:4px;align-items:center;'
        f'margin:.1rem 0">{"".join(cells)}</div>'
    )


def _terms(chapter: Chapter) -> None:
    """Draw the chapter's words; each tells what it is."""
    with st.container(horizontal=True, gap="small", key=f"lesson-terms-{chapter.slug}"):
        for key in chapter.terms:
            st.caption(glossary.both(key), help=glossary.tip(key), width="content")


def _predict(chapter: Chapter) -> None:
    """Ask for a prediction; once made, it stands."""
    made = progress.progress().predictions.get(chapter.slug)
    with st.container(border=True, width=_READING_PX):
        st.markdown(f"**Predict.** {chapter.predict.prompt}")
        chosen = _choices(chapter.predict, key=f"lesson-predict-{chapter.slug}", held=made)
        if made is None:
            if st.button(
                "Commit to this answer",
                type="primary",
                icon=":material/lock:",
                key=f"lesson-commit-{chapter.slug}",
                disabled=chosen is None,
            ):
                progress.predict(chapter.slug, str(chosen))
                progress.go(chapter.slug, "do")
                st.rerun()
        else:
            with st.container(horizontal=True, gap="small"):
                _go_on("See what happens", chapter.slug, "do")
                st.button(
                    "Start this chapter anew",
                    type="tertiary",
                    icon=":material/restart_alt:",
                    key=f"lesson-restart-{chapter.slug}",
                    on_click=progress.restart,
                    args=(chapter.slug,),
                )


def _choices(question: Question, *, key: str, held: str | None) -> str | None:
    """Draw the answers of a question; those of a made prediction cannot be changed."""
    keys = [answer.key for answer in question.answers]
    chosen: str | None = st.radio(
        question.prompt,
        keys,
        index=keys.index(held) if held in keys else None,
        format_func=lambda name: next(a.text for a in question.answers if a.key == name),
        key=f"{key}-{'held' if held else 'open'}",
        disabled=held is not None,
        label_visibility="collapsed",
    )
    return chosen


def _go_on(label: str, slug: str, step: str) -> None:
    st.button(
        label,
        type="primary",
        icon=":material/arrow_forward:",
        key=f"lesson-to-{step}-{slug}",
        on_click=progress.go,
        args=(slug, step),
    )


def _closed(chapter: Chapter) -> None:
    """Say that a prediction comes first."""
    with st.container(border=True, width=_READING_PX):
        st.markdown("**Predict first.** You learn more from a result that you have bet on.")
        with st.container(horizontal=True, gap="small"):
            _go_on("Make a prediction", chapter.slug, "predict")
            st.button(
                "Look without one",
                type="tertiary",
                key="lesson-look",
                on_click=lambda: view_state.change(show=progress.OPEN),
            )


def _remind(chapter: Chapter) -> None:
    made = chapter.predict.answer(progress.progress().predictions.get(chapter.slug))
    if made is not None:
        st.markdown(f":material/lock: You predicted: **{made.text}**")


def _do(chapter: Chapter, step: str) -> None:
    """Draw what there is to do, and at the last step what was found."""
    with st.container(width=_READING_PX):
        st.markdown(chapter.task)
    found = _activity(chapter)
    if step == "do":
        if found is None:
            if chapter.needs == "model":
                st.caption("When it is done, go on to the check.")
        else:
            _go_on("Check my prediction", chapter.slug, "check")
        return
    with st.container(width=_READING_PX):
        st.divider()
        if found is None:
            st.info("Do this first: then there is something to check.", icon=":material/science:")
        else:
            _compare(chapter, found)
        _last_question(chapter)


def _activity(chapter: Chapter) -> Finding | None:
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


def _compare(chapter: Chapter, found: Finding) -> None:
    """Draw what was measured beside what was predicted, and why."""
    st.subheader("What was measured", anchor=False)
    st.markdown(wording.plain(found.sentence))
    question = chapter.predict
    made = question.answer(progress.progress().predictions.get(chapter.slug))
    supported, right = question.answer(found.supports), question.answer(question.right)
    if made is None:
        if supported is not None:
            st.info(f"This supports: **{supported.text}**. {supported.why}")
    elif made == supported:
        st.success(f"As you predicted: **{made.text}**. {made.why}", icon=":material/check:")
    else:
        said = supported.text if supported is not None else "none of the answers"
        st.warning(
            f"You predicted: **{made.text}**. {made.why if made != right else ''}  \n"
            f"Measured: **{said}**. {supported.why if supported == right and supported else ''}",
            icon=":material/compare_arrows:",
        )
    if supported != right and right is not None:
        st.info(
            f"On these data it came out another way than it usually does: **{right.text}**. "
            f"{right.why} Look for what is special here.",
            icon=":material/help:",
        )


def _last_question(chapter: Chapter) -> None:
    """Ask the question that ends the chapter; every wrong answer is told why."""
    st.subheader("One more question", anchor=False)
    held = progress.progress().answers.get(chapter.slug)
    with st.container(border=True):
        st.markdown(f"**{chapter.check.prompt}**")
        keys = [answer.key for answer in chapter.check.answers]
        chosen = st.radio(
            chapter.check.prompt,
            keys,
            index=keys.index(held) if held in keys else None,
            format_func=lambda name: next(a.text for a in chapter.check.answers if a.key == name),
            key=f"lesson-check-{chapter.slug}",
            label_visibility="collapsed",
        )
        if chosen is not None and chosen != held:
            progress.answer(chapter.slug, chosen)
            st.rerun()  # the line of chapters stands above
        answer = chapter.check.answer(held)
        if answer is not None and answer.key == chapter.check.right:
            st.success(f"Right. {answer.why}", icon=":material/check:")
        elif answer is not None:
            st.warning(f"Not so. {answer.why} Try another one.", icon=":material/close:")
    if progress.is_done(chapter):
        _end(chapter)


def _end(chapter: Chapter) -> None:
    """Draw what to take home, where it breaks, and where it goes on."""
    with st.container(border=True):
        st.markdown(f":material/lightbulb: **{chapter.idea}**")
        st.markdown(chapter.limits)
        with st.container(horizontal=True, gap="small"):
            for url, label in chapter.pages:
                st.page_link(pages.path(url), label=label, icon=":material/open_in_new:")
    _, after = neighbours(chapter.slug)
    if after is not None:
        _go_on(f"Next: {after.title}", after.slug, "predict")
    else:
        _go_on("Back to all chapters", "", "predict")
    with st.expander("Sources", icon=":material/menu_book:"):
        st.markdown("\n".join(f"- {source}" for source in chapter.sources))
