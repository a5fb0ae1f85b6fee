"""The prune lab's upper part: the table of networks and the selected one beside it.

Both run as one fragment, so that moving the selection redraws nothing else; a change of what is
protected runs the whole page, and the preview with it.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app.pruning.lab import data as cache
from app.pruning.lab import rules, selected
from app.shell import choices, resources, session_state, view_state, wording
from app.shell.caches import networks, trust
from app.shell.components import component
from app.shell.images.stills import thumbnails
from app.widgets import frame, network_order
from app.widgets.picture import csv_button
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import NetworkDecision

#: A row per network, or a card each on a phone. It shows at once what a key or the mouse asks for,
#: and tells it until it is taken.
_component = component("lab_table")
_Row = dict[str, Any]
_TAKEN = "actions of the lab's table that were taken"


def show(atlas: NetworkAtlas, losses: pd.DataFrame | None = None) -> None:
    """Draw the table and the selected network.

    Parameters
    ----------
    losses : DataFrame, optional
        One row per network: the share of its units and of its energy that would go.
    """
    st.fragment(_draw)(atlas.id, view_state.view().dropped, losses)


def _draw(id: str, dropped: tuple[int, ...], losses: pd.DataFrame | None) -> None:
    if view_state.view().dropped != dropped:  # a button in here: the whole page must follow
        st.rerun()
    atlas = resources.atlas(id)
    with frame.explaining():
        network = min(view_state.view().network, atlas.n_networks - 1)
        if network != view_state.view().network:
            view_state.change(network=network)
        decisions = decision_log.standing(choices.decisions())
        shown_networks = network_order.arranged(atlas)
        table_rows = rows(atlas, shown_networks, decisions, losses)
        _draw_table(atlas, table_rows, has_losses=losses is not None)
        with st.container(key="lab-selected"):
            selected.show(atlas, network, shown_networks, decisions.get(network))
        _foot(atlas, table_rows, losses)


def _draw_table(atlas: NetworkAtlas, table_rows: Sequence[_Row], *, has_losses: bool) -> None:
    view, n = view_state.view(), atlas.n_networks
    told = {
        "rows": table_rows,
        "columns": columns(atlas, has_losses=has_losses),
        "name": f"{len(table_rows)} networks: what each does, and whether it is protected",
        "selected": view.network,
        "sort": view.sort,
        "trust_name": rules.trust_of(trust.network_table(atlas.id))[0],
        "domain_names": list(atlas.domain_names),
        "has_losses": has_losses,
        "taken": list(session_state.widget(_TAKEN) or ("", 0)),
        "empty": "No network fits the filter.",
    }
    _component("lab-table", told, asked=partial(take_actions, n_networks=n), sorted=_sort)


def _foot(atlas: NetworkAtlas, table_rows: Sequence[_Row], losses: pd.DataFrame | None) -> None:
    """Draw the keys, and the table as a file."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(
            "Arrows move, K protects, P takes the protection away, U undoes.", width="stretch"
        )
        csv_button(
            as_frame(atlas, table_rows, losses),
            name=f"fnprune-decisions-{atlas.id[:8]}",
            key="lab-table",
        )


def take_actions(value: Any, *, n_networks: int) -> None:
    """Do what was asked for by keys or mouse, in order, and each once.

    The browser sends all that it has not yet seen taken: keys pressed faster than the page runs
    are none of them lost.
    """
    page, actions = str(value["page"]), value["actions"]
    seen_page, last = session_state.widget(_TAKEN) or ("", 0)
    last = last if page == seen_page else 0
    for action in actions:
        serial, network = int(action["serial"]), int(action["network"])
        if serial <= last or not 0 <= network < n_networks:
            continue
        last = serial
        if action["does"] == "undo":
            choices.undo()
            continue
        view_state.change(network=network)
        if action["does"] in ("protect", "unprotect"):
            selected.decide(network, is_dropped=action["does"] == "unprotect")
    session_state.remember(_TAKEN, (page, last))


def _sort(column: Any) -> None:
    """Order by a column, the largest first where large is good; the same column again reverses."""
    viewed_order, name = view_state.view().sort, str(column)
    is_ascending = name in ("network", "peak_layer")
    default_order, reverse_order = (name, f"-{name}") if is_ascending else (f"-{name}", name)
    view_state.change(sort=reverse_order if viewed_order == default_order else default_order)


def columns(atlas: NetworkAtlas, *, has_losses: bool) -> list[dict[str, str]]:
    """Return the heads of the table: label, title, and the statistic by which a click orders."""
    table = trust.network_table(atlas.id)
    measured = rules.trust_columns(table)
    domains = "Share of its energy per token in: " + ", ".join(atlas.domain_names)
    goes = "Under this form: the share of its units, and of its energy, that would go"
    heads = [
        ("map", "Units beyond the threshold, from the front; layers upwards", ""),
        ("network", "Its name, and what it goes with", "network"),
        ("trust", rules.trust_of(table)[0], measured[0] if measured else ""),
        ("var.", "Variance that it alone explains", "variance_alone"),
        ("domains", domains, "top_domain_share"),
        *([("would go", goes, "")] if has_losses else []),
        ("protection", "Whether it is protected", ""),
    ]
    return [dict(zip(("label", "title", "sort"), head, strict=True)) for head in heads]


def rows(
    atlas: NetworkAtlas,
    shown_networks: Sequence[int],
    decisions: dict[int, NetworkDecision],
    losses: pd.DataFrame | None,
) -> list[_Row]:
    """Return the table's row of each network, in order.

    Lengths of meters (trust, variance, loss) are from 0 to 1, −1 for none; `title` is all of it in
    one sentence, `mark` what a person should be warned of.
    """
    view = view_state.view()
    images = thumbnails(atlas.id, view.z, frame.palette().mode)
    facts, words = cache.rule_facts(atlas.id), cache.words(atlas.id)
    meter = cache.variance_meter(atlas.id)
    trust = rules.trust_of(facts.table)[1]
    lost = {} if losses is None else {int(r["network"]): r for r in losses.to_dict("records")}
    names = resources.network_names(atlas.id)
    tags = networks.tags(atlas.id)

    def row(k: int) -> _Row:
        share = facts.domain_share[k]
        top_domain = int(share.argmax())
        name = names[k]
        is_dropped = k in view.dropped
        top = f"{100 * share[top_domain]:.0f} % {atlas.domain_names[top_domain]}"
        reason = reason_text(decisions.get(k), is_dropped=is_dropped)
        value = float(trust.iloc[k])
        loss = _loss(lost.get(k))
        variance = float(facts.table["variance_alone"].iloc[k])
        title = (
            f"Network {k}, {name}: {100 * share[top_domain]:.0f} % of its energy in "
            f"{atlas.domain_names[top_domain]}, alone {100 * variance:.2f} % of variance, "
            f"{'not protected' if is_dropped else 'protected'}"
        )
        return {
            "network": k,
            "image": images[k],
            "name": name,
            "mark": ", ".join(tag.name for tag in tags[k] if tag.name in rules.SERVING),
            "words": " ".join(w for w in words[k] if w not in name.split(" · ")[-1].split(", ")),
            "why": reason,
            "title": title
            + (f", {reason}" if reason else "")
            + (f". {loss['loss_title']}" if loss["loss_title"] else ""),
            "trust": value if value == value else -1.0,
            "trust_text": f"{value:.2f}" if value == value else "–",
            "variance": meter[k],
            "variance_text": f"{100 * variance:.1f} %" if variance == variance else "–",
            "domains": [round(float(s), 4) for s in share],
            "top": top,
            "dropped": is_dropped,
            **loss,
        }

    return [row(k) for k in shown_networks]


def as_frame(
    atlas: NetworkAtlas, drawn: Sequence[_Row], losses: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the table as numbers, in the order in which it is shown."""
    order = [row["network"] for row in drawn]
    facts = trust.network_table(atlas.id)
    measure, values = rules.trust_of(facts)
    table = pd.DataFrame(
        {
            "network": order,
            "protection": ["not protected" if row["dropped"] else "protected" for row in drawn],
            "reason": [row["why"] for row in drawn],
            "name": [row["name"] for row in drawn],
            measure: values.iloc[order].to_numpy(),
            "variance alone": facts["variance_alone"].iloc[order].to_numpy(),
        }
    )
    share = cache.rule_facts(atlas.id).domain_share[order]
    for d, name in enumerate(atlas.domain_names):
        table[f"share in {name}"] = share[:, d]
    if losses is not None:
        by_network = losses.set_index("network")
        for column in ("units", "energy"):
            table[f"would go: {column}"] = by_network[column].reindex(order).to_numpy()
    return table


def _loss(lost: Mapping[Any, Any] | None) -> _Row:
    """Return what a network would lose under the form: the meter's length, and the texts."""
    if lost is None:
        return {"loss": -1.0, "loss_units": "", "loss_energy": "", "loss_title": ""}
    units, energy = float(lost["units"]), float(lost["energy"])
    text = f"{100 * units:.0f} %" if units == units else "–"
    title = f"{text} of its units would go, and {100 * energy:.1f} % of its energy"
    return {
        "loss": energy, "loss_units": text, "loss_energy": f"{100 * energy:.0f} %",
        "loss_title": title,
    }  # fmt: skip


def reason_text(decision: NetworkDecision | None, *, is_dropped: bool) -> str:
    """Return the reason of a network's state, in one line; empty for one that nobody touched."""
    if decision is None:
        return choices.LINK if is_dropped else ""
    return " — ".join(sentence for sentence in (decision.what, decision.reason) if sentence)


def sign(atlas: NetworkAtlas) -> str:
    """Return the sign beside the summary: nothing can be planned without a network."""
    is_any = set(range(atlas.n_networks)) - set(view_state.view().dropped)
    return ":material/check:" if is_any else ":material/block:"


def summary(atlas: NetworkAtlas) -> str:
    """Return how many networks are protected, and what that means for the score."""
    n_kept = atlas.n_networks - len(set(view_state.view().dropped) & set(range(atlas.n_networks)))
    note = "" if n_kept < atlas.n_networks else "; with all of them, network energy is FLAP's score"
    return f"{n_kept} of {wording.count(atlas.n_networks, 'network')} protected{note}"
