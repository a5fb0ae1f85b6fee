"""Sections on the networks, what they go with, and how they go together."""

import shlex
from collections.abc import Iterator

import numpy as np
import pandas as pd

from fnprune_core.atlas import connectome, decoding, files
from fnprune_core.atlas.chance.beside import STATISTICS, parcels, parcels_sentence
from fnprune_core.atlas.chance.directions import KINDS
from fnprune_core.atlas.membership import MARK_SAYS
from fnprune_core.errors import SettingsError
from fnprune_core.report.material import Material
from fnprune_core.report.parts import P_FORM, Block, Column, Missing, Slot, Table, Text
from fnprune_core.report.references import uncited

_SIGNIFICANT = 0.05
_TOTALS = {
    "differ": Column(title="Domains differ", form="{:.0f}"),
    "named": Column(title="Named after a domain", form="{:.0f}"),
    "explained": Column(title="Variance explained", form="{:.1%}"),
    "hold": Column(title="whose name holds", form="{:.0f}"),
    "silhouette": Column(title="Silhouette of groups", form="{:.2f}"),
    "mean_r": Column(title="Mean |r| of pairs", form="{:.2f}"),
}


def networks(material: Material) -> Iterator[Block]:
    """Yield the parcellation, the table of networks, and the chosen ones in full."""
    labels = material.atlas.parcellation(z=material.z)
    is_labelled = labels >= 0
    sizes = np.bincount(labels[is_labelled], minlength=material.atlas.n_networks)
    largest = int(sizes.argmax())
    yield Text(
        text=f"{100 * is_labelled.mean():.0f} % of the {material.atlas.layout.n_units:,} units "
        f"belong to at least one of {material.atlas.n_networks} "
        f"networks ({material.atlas.rule(material.z)}). By their strongest network, the "
        f"largest is {largest} ({uncited(material.names[largest])}) with "
        f"{int(sizes[largest]):,} units."
    )
    yield Text(text=parcels_sentence(parcels(material.atlas, z=material.z)))
    n_marked = int((~material.recurs).sum())
    if n_marked:
        yield Text(
            text=f"{n_marked} of {material.atlas.n_networks} networks bear a mark wherever they "
            f"are named; of those in full they are the last. {MARK_SAYS}"
        )
    yield from material.unread_cortex() or networks_lack(material)
    yield Slot(figure="parcellation")
    yield Slot(figure="gallery")
    yield Table(
        name="networks",
        title="Networks, strongest first.",
        frame=files.networks_table(
            material.atlas, material.names, material.annotations, z=material.z
        ),
        columns={
            "network": Column(title="No."),
            "name": Column(title="Name"),
            "top_domain": Column(title="Domain"),
            "top_domain_share": Column(title="of energy", form="{:.0%}"),
            "held_out_share": Column(title="on other documents"),
            "peak_layer": Column(title="Peak layer"),
            "units": Column(title="Units"),
            "variance_alone": Column(title="Variance alone", form="{:.2%}"),
            "variance_left_out": Column(title="left out", form="{:.2%}"),
            "run_agreement": Column(title="Agreement of runs", form="{:.2f}"),
        },
    )
    if material.n_detailed:
        yield Slot(figure="in-full")
    yield Table(
        name="members",
        title=f"Units of each network, {material.atlas.rule(material.z)}: network, layer, unit, z.",
        frame=files.members_table(material.atlas, z=material.z),
    )


def networks_lack(material: Material) -> list[Missing]:
    """Return how the cortex is laid out, if it is not."""
    if material.cortex is not None:
        return []
    code = (
        "from fnprune_core.atlas.cortex import lay_out; "
        "from fnprune_core.storage.workspace import Workspace; "
        f"lay_out(Workspace.default(), {material.atlas.id!r})"
    )
    return [
        Missing(
            what="The cortex is not laid out, so maps are drawn over layers × units.",
            command=f"python -c {shlex.quote(code)}",
            page="Networks",
        )
    ]


def decoded(material: Material) -> Iterator[Block]:
    """Yield the section on what networks go with: domains with their test, trivial things."""
    domain_test = material.domain_test
    if domain_test is None:
        yield from decoding_lacks(material)
    else:
        n_significant = int((domain_test.p_corrected < _SIGNIFICANT).sum())
        yield Text(
            text=f"Domains differ in the strength of {n_significant} of "
            f"{material.atlas.n_networks} networks (p, corrected for the networks, below "
            f"{_SIGNIFICANT}; {domain_test.n_documents} documents, {domain_test.n_permutations:,} "
            f"permutations, so that no p is below {1 / (domain_test.n_permutations + 1):.2g}). A "
            "difference says what a network goes with, not what needs it. "
            f"{domain_test.length_note()}"
        )
    yield from random_directions(material)
    yield Slot(figure="domains")
    table = domain_table(material)
    test_columns = {
        "eta_squared": Column(title="η²", form="{:.2f}"),
        **({"above_random": Column(title="Above random")} if material.beside else {}),
        "p": Column(title="p", form=P_FORM),
        "p_corrected": Column(title="corrected", form=P_FORM),
    }
    yield Table(
        name="decoding",
        title="Share of each network's energy per token by domain; test over documents, p "
        "corrected by the false discovery rate.",
        frame=table,
        columns={
            "network": Column(title="No."),
            "name": Column(title="Name"),
            **{name: Column(title=name, form="{:.0%}") for name in material.atlas.domain_names},
            **(test_columns if domain_test is not None else {}),
            "follows": Column(title="Follows"),
        },
    )


def random_directions(material: Material) -> Iterator[Block]:
    """Yield statistics of networks beside those of random directions, or how to have them."""
    if not material.beside:
        what = "Networks were not compared with random directions."
        command = f"fnprune directions {material.atlas.id}"
        unread = material.unread_directions()
        yield from unread or (Missing(what=what, command=command, page="Networks"),)
        return
    yield Text(text=_beside_text(material))
    yield Table(
        name="random-directions",
        title="Statistics of networks (their median) beside those of random directions of the "
        "same number and shape, and the networks above the directions' 95th percentile. "
        + " ".join(f"{kind.capitalize()}: {text}" for kind, text in KINDS.items()),
        frame=pd.concat(
            [
                each.table().assign(statistic=STATISTICS[name].title)
                for name, each in material.beside.items()
            ],
            ignore_index=True,
        ),
        columns={
            "statistic": Column(title="Statistic"),
            "kind": Column(title="Random directions"),
            "networks": Column(title="Networks", form="{:.2f}"),
            "directions": Column(title="Directions", form="{:.2f}"),
            "difference": Column(title="Difference", form="{:+.2f}"),
            "limit": Column(title="95th percentile", form="{:.2f}"),
            "above": Column(title="Networks above"),
        },
    )
    totals = pd.DataFrame(material.totals).T.rename_axis("of").reset_index()
    yield Table(
        name="random-totals",
        title="The same questions asked of all networks, and of all random directions.",
        frame=totals,
        columns={
            "of": Column(title="Of"),
            **{key: column for key, column in _TOTALS.items() if key in totals},
        },
    )


def _beside_text(material: Material) -> str:
    """Return what random directions do of what networks do, in words."""
    if "domains" not in material.beside:
        return "Networks beside random directions of the same number and shape:"
    found, n = material.beside["domains"], material.atlas.n_networks
    differ = {kind: f"{each['differ']:.0f}" for kind, each in material.totals.items()}
    return (
        f"Domains explain {found.median:.2f} of a network's variance between documents, "
        f"{found.control_median():.2f} for random directions (95th percentile "
        f"{found.limit():.2f}); {int(found.is_above().sum())} of {n} networks are above it. The "
        f"test itself tells little: it finds a difference for {differ['networks']} of {n} networks "
        f"and for {differ['permuted']} of as many permuted, {differ['rotated']} rotated and "
        f"{differ['shifted']} shifted ones. Names after a domain hold for "
        f"{material.totals['networks']['hold']:.0f} networks, and for "
        f"{material.totals['permuted']['hold']:.0f}, {material.totals['rotated']['hold']:.0f} and "
        f"{material.totals['shifted']['hold']:.0f} of these."
    )


def decoding_lacks(material: Material) -> list[Missing]:
    """Return what to record, if domains cannot be compared."""
    if len(material.domains) >= 2 and material.n_documents > len(material.domains):
        return []
    return [
        Missing(
            what="Domains cannot be compared: this takes more documents than domains, and at "
            "least two domains.",
            command="fnprune record TEXTS --domain-column DOMAIN",
            page="Record",
        )
    ]


def domain_table(material: Material) -> pd.DataFrame:
    """Return one row per network: its energy by domain, the test, and trivial things it follows."""
    share = material.atlas.domain_share()
    table = pd.DataFrame({"network": np.arange(material.atlas.n_networks), "name": material.names})
    for number, name in enumerate(material.atlas.domain_names):
        table[name] = share[:, number]
    if material.domain_test is not None:
        table["eta_squared"] = material.domain_test.statistic
        if material.beside:
            is_above = material.beside["domains"].is_above()
            table["above_random"] = np.where(is_above, "yes", "no")
        table["p"] = material.domain_test.p_value
        table["p_corrected"] = material.domain_test.p_corrected
    table["follows"] = [_follows_text(tags) for tags in material.tags]
    return table


def _follows_text(tags: tuple[decoding.Tag, ...]) -> str:
    return ", ".join(f"{tag.name} ({tag.measure} {tag.value:.2g})" for tag in tags)


def connected(material: Material) -> Iterator[Block]:
    """Yield the section on how networks go together in time."""
    if material.atlas.n_networks < 2:
        yield Text(text="There is one network.")
        return
    r = connectome.connectivity(material.atlas)
    off_diagonal = np.where(np.eye(len(r), dtype=bool), 0.0, r)
    i, j = (
        int(k) for k in np.unravel_index(int(np.abs(off_diagonal).argmax()), off_diagonal.shape)
    )
    yield Text(
        text="Correlation of the networks' time courses over all tokens that count. Tokens are "
        "autocorrelated, so no p is given."
        + f" Strongest is the pair {material.number(min(i, j))} and {material.number(max(i, j))} "
        f"(r = {r[i, j]:.2f})."
    )
    if material.totals:
        silhouette, r_of = (
            [f"{each.get(name, np.nan):.2f}" for each in material.totals.values()]
            for name in ("silhouette", "mean_r")
        )
        yield Text(
            text=f"The best division into groups has a mean silhouette of {silhouette[0]}, and of "
            f"{', '.join(silhouette[1:])} for {', '.join(list(material.totals)[1:])} directions; "
            f"the mean |r| of pairs is {r_of[0]}, and {', '.join(r_of[1:])} for these."
        )
    yield Slot(figure="connectome")
    first, second = np.triu_indices(len(r), 1)
    names = np.array(material.names, dtype=object)
    table = pd.DataFrame(
        {
            "network": first,
            "name": names[first],
            "other": second,
            "other_name": names[second],
            "r": r[first, second],
        }
    )
    columns = {
        "network": Column(title="Network"),
        "name": Column(title="Name"),
        "other": Column(title="Other"),
        "other_name": Column(title="Name of the other"),
        "r": Column(title="r", form="{:.2f}"),
    }
    title = "Pairs of networks by |r|"
    try:
        interval = connectome.connectivity_interval(material.atlas)
    except SettingsError:
        title += "."
    else:
        table["low"], table["high"] = interval.low[first, second], interval.high[first, second]
        columns["low"] = Column(title="from", form="{:.2f}")
        columns["high"] = Column(title="to", form="{:.2f}")
        title += (
            f", with the {100 * interval.level:.0f} % interval of {interval.n_resamples:,} "
            f"resamples of {interval.n_documents} documents, of each pair by itself."
        )
    order = np.argsort(-np.abs(table["r"].to_numpy()), kind="stable")
    yield Table(
        name="connectome",
        title=title,
        frame=table.iloc[order].reset_index(drop=True),
        columns=columns,
        most=15,
    )
