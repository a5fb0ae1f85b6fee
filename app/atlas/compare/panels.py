"""Two atlases side by side: the choice of the other, the pairs, names carried over, applying."""

import pandas as pd
import streamlit as st

from app.atlas.atlas_tasks import apply
from app.atlas.compare import data as cache
from app.atlas.compare.figures import Side, pair_domains, pair_maps
from app.figures.markup import signed
from app.shell import glossary, recipes, resources, session_state, view_state, wording
from app.shell.caches import atlas_maps, networks, trust
from app.shell.jobs.job import describe_error
from app.widgets import atlas_frame, controls, frame, job_progress
from app.widgets.controls import button
from app.widgets.picture import draw_picture
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.errors import FnpruneError
from fnprune_core.matching.atlases import IDENTITY_R, Match
from fnprune_core.matching.dual_regression import Maps, applied_note
from fnprune_core.matching.identities import carry_over

_ABOUT_DIRECTIONS = (
    "Random directions stand in place of this atlas's networks and are paired with the other's "
    "networks alike. Permuted: each map's values on other units of its layer; rotated: other axes "
    "of the space that the maps span, which keep what two atlases share as spaces."
)


def choose_other(atlas: NetworkAtlas) -> NetworkAtlas | None:
    """Draw the choice of the other atlas; return it, or None where there is none to see.

    An id that does not exist, or a damaged file, is told here, with another choice beside it.
    """
    choices = cache.others(atlas.id)
    viewed_id = view_state.view().other
    if not choices and not viewed_id:
        return None
    chosen_id = st.selectbox(
        "Compare with",
        list(choices),
        index=list(choices).index(viewed_id) if viewed_id in choices else None,
        format_func=choices.__getitem__,
        placeholder="Choose another atlas",
        key=f"compare-other-{viewed_id}",
    )
    if chosen_id is not None and chosen_id != viewed_id:
        view_state.change(other=chosen_id)
        st.rerun()
    if not viewed_id or viewed_id == atlas.id:
        return None
    try:
        return resources.atlas(viewed_id)
    except FnpruneError as error:
        frame.error(describe_error(error))
        button("Look at this atlas alone", "close", does=lambda: view_state.change(other=""))
        return None


def summary(atlas: NetworkAtlas, other: NetworkAtlas, match: Match) -> None:
    """Draw the numbers on how far the two atlases have the same networks."""
    is_same_model = match.by == "maps"
    same = match.identities()
    with st.container(horizontal=True):
        if is_same_model:
            st.metric(
                "Same networks",
                f"{len(same)} of {len(match.pairs)}",
                help=f"Pairs with |r| of maps of at least {IDENTITY_R:g}.",
            )
        st.metric("Median |r| of pairs", f"{abs(pd.Series(match.r)).median():.2f}")
        st.metric(
            "Without a partner", f"{len(match.unmatched(0))} here, {len(match.unmatched(1))} there"
        )
    st.caption(
        f"Paired one to one so that the sum of |r| is largest, by {match.by} over "
        f"{wording.plain(match.basis)}."
        + ("" if is_same_model else " Maps cannot be compared: the models have other units.")
    )
    told = cache.beside(atlas.id, other.id).sentence(IDENTITY_R)
    st.caption(f"|r| of pairs: {told}", help=_ABOUT_DIRECTIONS)
    for compared in (atlas, other):
        note = applied_note(compared.decomposition)
        if note:
            st.caption(wording.plain(note))


def side(atlas: NetworkAtlas, network: int, host: str) -> Side:
    """Return a network as one side of a pair, in the places of `host`."""
    return Side(
        network=network,
        name=resources.network_name(atlas.id, network),
        values=cache.front(atlas.id, network, host),
        domains=atlas.domain_names,
        share=atlas.domain_share()[network],
        has_places=cache.is_placed(atlas.id, host),
    )


def host_of(atlas: NetworkAtlas, other: NetworkAtlas, match: Match) -> str:
    """Return the atlas whose cortex draws the other one: this one's if they share their units."""
    return atlas.id if match.by == "maps" else other.id


def selected_pair(atlas: NetworkAtlas, other: NetworkAtlas, match: Match, network: int) -> None:
    """Draw the selected network beside its partner, or beside the nearest where it has none."""
    paired = match.partner(network)
    partner = int(abs(match.similarity[network]).argmax()) if paired is None else paired[0]
    r = float(match.similarity[network, partner])
    if paired is None:
        st.info(
            f"Network {network} has no partner. The nearest, network {partner} of the other atlas "
            f"with r {signed(r, '.2f')}, is paired with another one.",
            icon=":material/link_off:",
        )
    z = view_state.view().z
    left, right = side(atlas, network, atlas.id), side(other, partner, host_of(atlas, other, match))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for label, shown_side in (("This", left), ("Other", right)):
            st.markdown(
                f"**{label}: {shown_side.network}** · {wording.plain(shown_side.name)}",
                width="content",
            )
        is_same = network in match.identities() and match.by == "maps"
        st.badge(
            f"r {signed(r, '.2f')}" + (", the same network" if is_same else ""),
            icon=":material/check:" if is_same else ":material/compare_arrows:",
            color="green" if is_same else "gray",
        )
    code = recipes.code("pair", atlas=atlas.id, other=other.id, network=network)
    maps, domains = st.columns([3, 2], gap="medium")
    with maps:
        limit = max(atlas_maps.colour_limit(compared.id, z) for compared in (atlas, other))
        draw_picture(
            pair_maps(left, right, r=r, by=match.by, z=(z, limit), palette=frame.palette()),
            key="compare-maps",
            made=code,
        )
        if r < 0:
            st.caption("r is negative, so hot in one is cold in the other.")
        if not (left.has_places and right.has_places):
            st.caption("Without a cortex, units are grouped by network in each layer.")
    with domains:
        draw_picture(
            pair_domains(left, right, palette=frame.palette()),
            key="compare-domains",
            made=code,
        )


def pair_table(atlas: NetworkAtlas, other: NetworkAtlas, match: Match, network: int) -> None:
    """Draw all pairs with their thumbnails; a click on a row selects its network."""
    z, mode = view_state.view().z, frame.palette().mode
    images = cache.thumbnails(atlas.id, atlas.id, z, mode)
    other_images = cache.thumbnails(other.id, host_of(atlas, other, match), z, mode)
    top_domains, other_top_domains = (
        [str(name) for name in trust.network_table(compared.id)["top_domain"]]
        for compared in (atlas, other)
    )
    pairs = match.table()
    own_networks, partners = pairs["network"].tolist(), pairs["partner"].tolist()
    names, other_names = resources.network_names(atlas.id), resources.network_names(other.id)
    table = pd.DataFrame(
        {
            "network": own_networks,
            "map": [images[k] for k in own_networks],
            "name": [names[k] for k in own_networks],
            "r": pairs["r"],
            "other": partners,
            "its map": [other_images[k] for k in partners],
            "its name": [other_names[k] for k in partners],
            "domain": [top_domains[k] for k in own_networks],
            "its domain": [other_top_domains[k] for k in partners],
            "next best": pairs["next_best"],
        }
    )
    column = st.column_config
    controls.table(
        table,
        row_height=44,
        height=420,
        on_row=lambda row: atlas_frame.select(own_networks[row]),
        key=f"compare-pairs-{atlas.id}-{other.id}-{network}",
        alt="Pairs of networks with their r, names and domains",
        columns={
            "map": column.ImageColumn("map", width="small"),
            "its map": column.ImageColumn("its map", width="small"),
            "r": "%.2f",
            "other": ("other", "", "Network of the other atlas"),
            "next best": ("next best |r|", "%.2f", "|r| of the best other candidate"),
        },
    )


def unmatched(atlas: NetworkAtlas, match: Match, side: int) -> None:
    """List the networks of one atlas that have no partner; those of this one can be opened."""
    without_partner = match.unmatched(side)
    if not without_partner:
        return
    place = "this atlas" if side == 0 else "the other atlas"
    st.markdown(f"**Without a partner in {place}**")
    names = [f"{k} · {resources.network_name(atlas.id, k)}" for k in without_partner]
    if side == 1:
        st.caption(wording.plain("; ".join(names)))
        return
    with st.container(horizontal=True, gap="xsmall"):
        for network, name in zip(without_partner, names, strict=True):
            button(
                wording.plain(name),
                key=f"compare-alone-{network}",
                does=atlas_frame.select,
                args=(network,),
            )


def carry(atlas: NetworkAtlas, other: NetworkAtlas, match: Match) -> None:
    """Offer to carry names and identity over, and say where networks have theirs from."""
    if match.by != "maps":
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        threshold = st.number_input(
            "Same network from |r|",
            0.05,
            1.0,
            IDENTITY_R,
            0.05,
            key="compare-threshold",
            width=190,
            help="A pair below it is the best that was left, not the same network.",
        )
        same = match.identities(threshold=threshold)
        notes = resources.annotations(other.id).networks
        n_named = sum(other_network in notes for other_network, _ in same.values())
        if button(
            f"Copy {wording.count(n_named, 'name')} from the other atlas"
            if n_named
            else f"Record the match of {wording.count(len(same), 'network')}",
            "move_item",
            is_off=not same,
            key="compare-carry",
            help="Copies names, notes and tags to the same networks here, which record which ones "
            "they were there. Names given only here are kept.",
        ):
            with frame.explaining():
                workspace = resources.workspace()
                carried = carry_over(workspace, atlas, other, match, threshold=threshold)
                session_state.notify(carried.sentence())
                st.rerun()
    if not same:
        st.caption("No pair reaches this |r|, so there is nothing to copy.")
    elif not n_named:
        st.caption("The other atlas has no names of your own for these networks.")


def identity(atlas: NetworkAtlas, network: int) -> None:
    """Draw which network of an earlier atlas the selected one was, if that is known."""
    with frame.explaining():
        earlier = networks.earlier_networks(atlas.id).get(network)
        if earlier is not None:
            st.caption(f":material/history: Network {network} {wording.plain(earlier.sentence())}.")


def offer_to_apply(atlas: NetworkAtlas) -> None:
    """Offer to apply this atlas to another recording of its model."""
    job_progress.follow("apply", on_done=lambda job: view_state.change(other=str(job.result)))
    if job_progress.is_active("apply"):
        return
    targets = cache.targets(atlas.id)
    if not targets:
        st.caption("To apply this atlas to other texts, record them with the same model first.")
        return
    with st.form("compare-apply", border=False):
        recording = st.selectbox(
            "Apply this atlas to",
            list(targets),
            format_func=targets.__getitem__,
            key="compare-apply-recording",
            help=glossary.tip("dual_regression"),
        )
        keep = st.checkbox(
            "Keep the atlas's own maps",
            key="compare-apply-keep",
            help="Kept, only the time courses are new; else each unit's map is fitted there, too.",
        )
        is_sent = st.form_submit_button("Apply", icon=":material/input:", key="compare-apply-go")
    if is_sent and recording is not None:
        maps: Maps = "template" if keep else "refitted"
        job_progress.run(apply(atlas=atlas.id, recording=recording, maps=maps))
