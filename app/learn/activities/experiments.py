"""Activities on experiments: a contrast, a lesion, rules of pruning."""

from typing import Any

import streamlit as st

from app.figures.markup import signed
from app.learn import activity_tasks
from app.learn import data as cache
from app.learn import figures as drawn
from app.learn.activities.shared import pick_network
from app.learn.lesson import Finding
from app.shell import resources, session_state, wording
from app.shell.caches import trust
from app.shell.jobs.job import Job
from app.widgets import frame, job_progress, model_offer
from app.widgets.controls import button
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import SettingsError
from fnprune_core.lesions.brief import LESION, RANDOM, RULES, BriefResult
from fnprune_core.teaching.demonstrations import DomainContrast

_SHUFFLE = "shuffle of the lesson's contrast"
_RESULTS = "what the lesson's lesions did"
_RULE_NAMES = {
    "random": "Random",
    "weights": "Weights",
    "activity": "Activity",
    "membership": "Membership",
}


# A contrast ------------------------------------------------------------------------------------


def contrasts(atlas: NetworkAtlas) -> Finding | None:
    """Draw a contrast of two kinds of text, real or shuffled, tested in two ways."""
    domains = list(atlas.domain_names)
    if len(domains) < 2:
        st.info("This recording has one kind of text. Open the example instead.")
        return None
    a, b = _choose_conditions(domains)
    shuffle = int(session_state.widget(_SHUFFLE) or 0)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        button(
            "Shuffle the documents",
            "shuffle",
            key="lesson-shuffle",
            does=lambda: session_state.remember(_SHUFFLE, shuffle + 1),
        )
        button(
            "True conditions",
            "undo",
            key="lesson-true",
            is_off=not shuffle,
            does=lambda: session_state.remember(_SHUFFLE, 0),
        )
        if shuffle:
            st.badge(
                f"shuffle {shuffle}: no difference is real",
                icon=":material/shuffle:",
                color="orange",
            )
        else:
            st.badge(f"{a} against {b}", icon=":material/check:", color="green")
    try:
        comparison = cache.contrast(atlas.id, a, b, shuffle or None)
        by_documents, by_tokens = cache.false_alarms(atlas.id, a, b)
    except SettingsError as error:
        st.info(wording.sentence(f"{error.message} {error.hint}"), icon=":material/info:")
        return None
    names = [f"{k} · {resources.network_name(atlas.id, k)}" for k in range(atlas.n_networks)]
    picture = drawn.contrast_points(
        comparison.difference, comparison.p_documents, comparison.p_tokens, names=names,
        palette=frame.palette(),
    )  # fmt: skip
    with st.container(horizontal=True):
        for label, observation, n in (
            ("documents", "documents", comparison.n_documents),
            ("tokens", "tokens", comparison.n_tokens),
        ):
            st.metric(
                f"p < 0.05 over {label} ({n[0]:,} and {n[1]:,})",
                f"{comparison.n_significant(by=observation)} of {atlas.n_networks}",
                border=True,
            )
        corrected = comparison.n_significant(by="documents", is_corrected=True)
        st.metric("over documents, FDR < 0.05", f"{corrected}", border=True)
    st.caption(_directions_text(cache.direction_contrast(atlas.id, a, b, shuffle or None)))
    draw_picture(picture, key="lesson-contrast")
    share = by_tokens / atlas.n_networks
    supports = "most" if share > 0.25 else "zero" if share < 0.005 else "five"
    return Finding(
        sentence=f"Over {cache.N_SHUFFLES} shuffles of {a} and {b}, {by_tokens:.1f} of "
        f"{atlas.n_networks} networks came out at p < 0.05 with tokens as observations "
        f"({100 * share:.0f} %), and {by_documents:.1f} with documents "
        f"({100 * (by_documents / atlas.n_networks):.0f} %).",
        supports=supports,
    )


def _directions_text(control: DomainContrast | None) -> str:
    """Return in words what random directions do in the same contrast."""
    if control is None:
        return (
            "How many random directions come out was not measured, so that these counts say "
            "nothing of networks alone. *Compare with random directions* on Networks does it."
        )
    n = control.n_significant(by="documents")
    corrected = control.n_significant(by="documents", is_corrected=True)
    return (
        f"Of as many random directions in the same units {n} have p < 0.05 over documents, "
        f"{corrected} after correction: only what networks do beyond that is of networks."
    )


def _choose_conditions(domains: list[str]) -> tuple[str, str]:
    left, right = st.columns(2, gap="medium")
    default_a = domains.index("french") if "french" in domains else 0
    with left:
        a = st.selectbox("Condition A", domains, index=default_a, key="lesson-a")
    remaining = [name for name in domains if name != a]
    default_b = remaining.index("documentation") if "documentation" in remaining else 0
    with right:
        b = st.selectbox("Condition B", remaining, index=default_b, key=f"lesson-b-{a}")
    return a, b


# A lesion --------------------------------------------------------------------------------------


def lesions(atlas: NetworkAtlas) -> Finding | None:
    """Silence a network while short texts are read."""
    network = pick_network(
        atlas, chapter="lesions", default=cache.most_selective(atlas.id, "french")
    )
    key = (activity_tasks.LESION, atlas.id, network)
    model = model_offer.language_model(atlas, needed_for="to make a lesion", key="lesson-lesions")
    if model is None:
        return None
    found = _run_button(
        key,
        f"Silence network {network}",
        activity_tasks.lesion(
            model=model.source, atlas=atlas.id,
            network=network,
        ),
    )  # fmt: skip
    if found is None:
        return None
    changes = found.changes()
    worst_kind = max(changes[LESION], key=changes[LESION].__getitem__)
    other_changes = [value for kind, value in changes[LESION].items() if kind != worst_kind]
    top = str(trust.network_table(atlas.id)["top_domain"].iloc[network])
    sentence = (
        f"Silencing network {network} ({found.n_units[LESION]:,} units) costs {worst_kind} most: "
        f"{signed(changes[LESION][worst_kind], '+.2f')} nats per token; random lesions of as many "
        f"units, matched in magnitude, cost it {signed(changes[RANDOM][worst_kind], '+.2f')}."
    )
    if other_changes:
        least, most = (signed(f(other_changes), "+.2f") for f in (min, max))
        sentence += f" The other texts lose {least} to {most}."
    draw_picture(
        drawn.loss_bars(
            {f"network {network}": changes[LESION], "random, matched": changes[RANDOM]},
            y_title="loss above healthy (nats)",
            says=sentence + " One short text of each kind: no standard error.",
            palette=frame.palette(),
        ),
        key="lesson-lesion-bars",
    )
    if changes[LESION][worst_kind] < 0.02:
        supports = "none"
    else:
        is_own = worst_kind == top and changes[LESION][worst_kind] > 1.5 * max(
            other_changes, default=0.0
        )
        supports = "own" if is_own else "all"
    return Finding(sentence=sentence, supports=supports)


def pruning(atlas: NetworkAtlas) -> Finding | None:
    """Silence one unit in five by each of four rules."""
    key = (activity_tasks.PRUNE, atlas.id, -1)
    model = model_offer.language_model(atlas, needed_for="to try the rules", key="lesson-pruning")
    if model is None:
        return None
    found = _run_button(
        key,
        "Silence one unit in five by each rule",
        activity_tasks.prune(model=model.source, atlas=atlas.id),
    )
    if found is None:
        return None
    changes = found.changes()
    mean = {name: sum(changes[name].values()) / len(changes[name]) for name in RULES}
    best_rule = min(mean, key=mean.__getitem__)
    sentence = "Loss above the whole model, mean over kinds of text: " + ", ".join(
        f"{_RULE_NAMES[name]} {signed(value, '+.2f')}" for name, value in mean.items()
    )
    sentence += " nats per token."
    draw_picture(
        drawn.loss_bars(
            {_RULE_NAMES[name]: changes[name] for name in RULES},
            y_title="loss above whole (nats)",
            says=sentence + " One short text of each kind: no standard error.",
            palette=frame.palette(),
        ),
        key="lesson-rule-bars",
    )
    return Finding(sentence=sentence, supports=best_rule)


def _run_button(key: tuple[str, str, int], label: str, task: Any) -> BriefResult | None:
    """Draw the button of a short job; return its result once it is there."""
    results: dict[tuple[str, str, int], BriefResult] = session_state.widget(_RESULTS) or {}

    def keep_result(job: Job) -> None:
        result_key = (job.kind, str(job.inputs["atlas"]), int(job.inputs.get("network", -1)))
        session_state.remember(
            _RESULTS, {**(session_state.widget(_RESULTS) or {}), result_key: job.result}
        )

    job_progress.follow(key[0], on_done=keep_result)
    is_waiting = not job_progress.is_active(key[0]) and key not in results
    if is_waiting and button(label, "play_arrow", kind="primary", key=f"run-{key[0]}"):
        job_progress.run(task)
    return results.get(key)
