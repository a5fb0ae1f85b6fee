"""The prune lab's upper part: the table of networks and the selected one beside it.

Both run as one fragment, so that moving the selection redraws nothing else; a change of what is
preserved runs the whole page, and the preview with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app.pruning.lab import data as cache
from app.pruning.lab import rules, selected
from app.pruning.lab.table import TableHead, TableRow, lab_table
from app.shell import resources, view_state, wording
from app.shell.images.thumbnails import thumbnails
from app.widgets import frame, network_order
from app.widgets.picture import csv_button
from fnprune_core.atlas.annotation_files import shielded
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.plans import decision_log
from fnprune_core.plans.decision_log import NetworkDecision

Costs = Callable[[], pd.DataFrame | None]


def show(atlas: NetworkAtlas, costs: Costs = lambda: None) -> None:
    """Draw the selected network and the table.

    Parameters
    ----------
    costs : callable, optional
        Returns one row a network, as `network_costs` makes it: what dropping each would change.
        Asked once the selected network is drawn, for it takes a while.
    """
    st.fragment(_draw)(atlas.id, view_state.view().dropped, costs)


def _draw(id: str, dropped: tuple[int, ...], costs: Costs) -> None:
    if view_state.view().dropped != dropped:  # a button in here: the whole page must follow
        st.rerun()
    atlas = resources.atlas(id)
    with frame.explaining():
        network = min(view_state.view().network, atlas.n_networks - 1)
        if network != view_state.view().network:
            view_state.change(network=network)
        decisions = decision_log.standing(view_state.decisions())
        panel = st.container(key="lab-selected")
        shown_networks = network_order.arranged(atlas)
        with panel:
            selected.show(atlas, network, shown_networks, decisions.get(network))
        _table(atlas, shown_networks, decisions, costs())


def _table(
    atlas: NetworkAtlas,
    shown_networks: Sequence[int],
    decisions: dict[int, NetworkDecision],
    costs: pd.DataFrame | None,
) -> None:
    trust_name, _ = rules.trust_of(resources.network_table(atlas.id))
    table_rows = rows(atlas, shown_networks, decisions, costs)
    lab_table(
        table_rows,
        columns(atlas, has_costs=costs is not None),
        key="lab-table",
        facts={
            "name": f"{len(shown_networks)} networks: what each does, and whether it is preserved",
            "selected": view_state.view().network,
            "sort": view_state.view().sort,
            "trust_name": trust_name,
            "domain_names": list(atlas.domain_names),
            "has_costs": costs is not None,
            "empty": "No network fits the filter.",
        },
        on={"picked": _pick, "switched": _switch, "sorted": _sort},
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption("Arrows move, K keeps, P prunes, U takes back.", width="stretch")
        csv_button(
            as_frame(atlas, table_rows, costs),
            name=f"fnprune-decisions-{atlas.id[:8]}",
            key="lab-table",
        )


def _pick(network: Any) -> None:
    view_state.change(network=int(network))


def _switch(value: Any) -> None:
    selected.decide(int(value["network"]), is_dropped=bool(value["dropped"]))


def _sort(column: Any) -> None:
    """Order by a column, the largest first where large is good; the same column again reverses."""
    viewed_order, name = view_state.view().sort, str(column)
    is_ascending = name in ("network", "peak_layer")
    default_order, reverse_order = (name, f"-{name}") if is_ascending else (f"-{name}", name)
    view_state.change(sort=reverse_order if viewed_order == default_order else default_order)


def columns(atlas: NetworkAtlas, *, has_costs: bool) -> list[TableHead]:
    """Return the heads of the table."""
    table = resources.network_table(atlas.id)
    measured = rules.trust_columns(table)
    trust_name = rules.trust_of(table)[0]
    cost = TableHead(
        label="to drop",
        title="Output variance lost where it is active if it is dropped, estimated: no loss, which "
        "Apply measures",
    )
    return [
        TableHead(label="map", title="Units beyond the threshold, from the front; layers upwards"),
        TableHead(label="network", title="Its name, and what drives it", sort="network"),
        TableHead(label="trust", title=trust_name, sort=measured[0] if measured else ""),
        TableHead(label="var.", title="Variance that it alone explains", sort="variance_alone"),
        TableHead(
            label="domains",
            title="Share of its energy per token in: " + ", ".join(atlas.domain_names),
            sort="top_domain_share",
        ),
        *([cost] if has_costs else []),
        TableHead(label="decision", title="Whether it is preserved"),
    ]


def rows(
    atlas: NetworkAtlas,
    shown_networks: Sequence[int],
    decisions: dict[int, NetworkDecision],
    costs: pd.DataFrame | None,
) -> list[TableRow]:
    """Return the table's row of each network, in order."""
    view = view_state.view()
    images = thumbnails(atlas.id, view.z, frame.palette().mode)
    facts, words = cache.rule_facts(atlas.id), cache.words(atlas.id)
    meter = cache.variance_meter(atlas.id)
    trust = rules.trust_of(facts.table)[1]
    prices, names = prices_of(costs), resources.network_names(atlas.id)
    tags = resources.tags(atlas.id)

    def row(k: int) -> TableRow:
        share = facts.domain_share[k]
        top_domain = int(share.argmax())
        name = names[k]
        is_dropped = k in view.dropped
        top = f"{share[top_domain]:.0%} {atlas.domain_names[top_domain]}"
        reason = reason_text(decisions.get(k), is_dropped=is_dropped)
        value = float(trust.iloc[k])
        network_price = prices.get(k, Price())
        variance = float(facts.table["variance_alone"].iloc[k])
        return TableRow(
            network=k,
            image=images[k],
            name=name,
            mark=", ".join(tag.name for tag in tags[k] if tag.name in
                           rules.SERVING),
            words=" ".join(w for w in words[k] if w not in name.split(" · ")[-1].split(", ")),
            why=reason,
            title=f"Network {k}, {name}: {share[top_domain]:.0%} of its energy in "
            f"{atlas.domain_names[top_domain]}, alone {variance:.2%} of variance, "
            f"{'pruned' if is_dropped else 'kept'}" + (f", {reason}" if reason else ""),
            trust=value if value == value else -1.0,
            trust_text=f"{value:.2f}" if value == value else "–",
            variance=meter[k],
            variance_text=f"{variance:.1%}" if variance == variance else "–",
            domains=[round(float(s), 4) for s in share],
            top=top,
            dropped=is_dropped,
            cost=network_price.meter,
            cost_text=network_price.text,
            cost_title=network_price.title,
        )  # fmt: skip

    return [row(k) for k in shown_networks]


def as_frame(
    atlas: NetworkAtlas, drawn: Sequence[TableRow], costs: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the table as numbers, in the order in which it is shown."""
    order = [row.network for row in drawn]
    facts = resources.network_table(atlas.id)
    trust_name, trust = rules.trust_of(facts)
    table = pd.DataFrame(
        {
            "network": order,
            "decision": ["pruned" if row.dropped else "kept" for row in drawn],
            "reason": [shielded(row.why) for row in drawn],
            "name": [shielded(row.name) for row in drawn],
            trust_name: trust.iloc[order].to_numpy(),
            "variance alone": facts["variance_alone"].iloc[order].to_numpy(),
        }
    )
    share = cache.rule_facts(atlas.id).domain_share[order]
    for d, name in enumerate(atlas.domain_names):
        table[shielded(f"share in {name}")] = share[:, d]
    if costs is not None:
        by_network = costs.set_index("network")
        for column in ("energy", "tokens"):
            table[f"to drop: {column}"] = by_network[column].reindex(order).to_numpy()
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Cost of dropping a network: the meter's length, and the text."""

    meter: float = -1.0
    text: str = ""
    title: str = ""


def prices_of(costs: pd.DataFrame | None) -> dict[int, Price]:
    """Return by network the cost of dropping it, as the preview estimates it."""
    if costs is None:
        return {}
    largest = max(float(costs["energy"].max()), 1e-12)
    return {
        int(row["network"]): Price(
            meter=row["energy"] / largest if row["energy"] == row["energy"] else -1.0,
            text=f"{row['energy']:.1%}" if row["energy"] == row["energy"] else "–",
            title=f"Without it, {row['energy']:.2%} more of the layers' output variance goes in "
            f"the tokens that it rules, and {row['tokens']:.2%} of the text's weight stops "
            "counting. An estimate, no loss.",
        )
        for row in costs.to_dict("records")
    }


def reason_text(decision: NetworkDecision | None, *, is_dropped: bool) -> str:
    """Return the reason of a network's state, in one line; empty for one that nobody touched."""
    if decision is None:
        return view_state.LINK if is_dropped else ""
    return " — ".join(sentence for sentence in (decision.what, decision.reason) if sentence)


def sign(atlas: NetworkAtlas) -> str:
    """Return the sign beside the summary: nothing can be planned without a network."""
    is_any = set(range(atlas.n_networks)) - set(view_state.view().dropped)
    return ":material/check:" if is_any else ":material/block:"


def summary(atlas: NetworkAtlas) -> str:
    """Return how many networks are preserved, and what that means for the score."""
    n_kept = atlas.n_networks - len(set(view_state.view().dropped) & set(range(atlas.n_networks)))
    note = "" if n_kept < atlas.n_networks else "; with all of them, network energy is FLAP's score"
    return f"{n_kept} of {wording.count(atlas.n_networks, 'network')} preserved{note}"
