"""The networks, what drives them, and how they go together."""

import shlex
from collections.abc import Iterator

import numpy as np
import pandas as pd

from fnprune_core.atlas import connectome, decoding, files
from fnprune_core.errors import SettingsError
from fnprune_core.report.material import Material
from fnprune_core.report.parts import Block, Column, Missing, Section, Slot, Table, Text

_SIGNIFICANT = 0.05


def networks(m: Material) -> Section:
    """Return the parcellation, the table of networks, and the chosen ones in full."""
    return Section(key="networks", title="Networks", blocks=tuple(_networks(m)))


def _networks(m: Material) -> Iterator[Block]:
    labels = m.atlas.parcellation(z=m.z)
    inside = labels >= 0
    sizes = np.bincount(labels[inside], minlength=m.atlas.n_networks)
    largest = int(sizes.argmax())
    yield Text(
        text=f"{inside.mean():.0%} of the {m.atlas.layout.n_units:,} units have |z| above {m.z:g} "
        f"in at least one of {m.atlas.n_networks} networks. By their strongest network, the "
        f"largest is {largest} ({m.names[largest]}) with {int(sizes[largest]):,} units."
    )
    yield from networks_lack(m)
    yield Slot(figure="parcellation")
    yield Slot(figure="gallery")
    yield Table(
        name="networks",
        title="Networks, strongest first.",
        frame=files.networks_table(m.atlas, m.names, m.said, z=m.z),
        columns={
            "network": Column(title="No."),
            "name": Column(title="Name"),
            "top_domain": Column(title="Domain"),
            "top_domain_share": Column(title="of energy", form="{:.0%}"),
            "peak_layer": Column(title="Peak layer"),
            f"units_above_{m.z:g}": Column(title="Units"),
            "variance_alone": Column(title="Variance alone", form="{:.2%}"),
            "variance_left_out": Column(title="left out", form="{:.2%}"),
            "run_agreement": Column(title="Agreement of runs", form="{:.2f}"),
        },
    )
    if m.n_detailed:
        yield Slot(figure="in-full")
    yield Table(
        name="members",
        title=f"Members of each network, |z| above {m.z:g}: network, layer, unit, z.",
        frame=files.members_table(m.atlas, z=m.z),
    )


def networks_lack(m: Material) -> list[Missing]:
    """Return how the cortex is laid out, if it is not."""
    if m.cortex is not None:
        return []
    code = (
        "from fnprune_core.atlas.cortex import lay_out; "
        "from fnprune_core.storage import Workspace; "
        f"lay_out(Workspace.default(), {m.atlas.id!r})"
    )
    return [
        Missing(
            what="The cortex is not laid out, so maps are drawn over layers × units.",
            command=f"python -c {shlex.quote(code)}",
            page="Networks",
        )
    ]


def decoded(m: Material) -> Section:
    """Return what drives the networks: domains with their test, and trivial things."""
    return Section(key="decoding", title="Decoding", blocks=tuple(_decoded(m)))


def _decoded(m: Material) -> Iterator[Block]:
    found = m.domain_test
    if found is None:
        yield from decoding_lacks(m)
    else:
        n = int((found.p_corrected < _SIGNIFICANT).sum())
        yield Text(
            text=f"Domains differ in the strength of {n} of {m.atlas.n_networks} networks (p, "
            f"corrected for the networks, below {_SIGNIFICANT}; {found.n_documents} documents, "
            f"{found.n_permutations:,} permutations, so that no p is below "
            f"{1 / (found.n_permutations + 1):.2g}). A difference says what drives a network, "
            "not what needs it."
        )
    yield Slot(figure="domains")
    table = domain_table(m)
    test = {
        "eta_squared": Column(title="η²", form="{:.2f}"),
        "p": Column(title="p", form="{:.2g}"),
        "p_corrected": Column(title="corrected", form="{:.2g}"),
    }
    yield Table(
        name="decoding",
        title="Share of each network's energy per token by domain; test over documents, p "
        "corrected by the false discovery rate.",
        frame=table,
        columns={
            "network": Column(title="No."),
            "name": Column(title="Name"),
            **{name: Column(title=name, form="{:.0%}") for name in m.atlas.domain_names},
            **(test if found is not None else {}),
            "follows": Column(title="Follows"),
        },
    )


def decoding_lacks(m: Material) -> list[Missing]:
    """Return what to record, if domains cannot be compared."""
    if len(m.domains) >= 2 and m.n_documents > len(m.domains):
        return []
    return [
        Missing(
            what="Domains cannot be compared: this takes more documents than domains, and at "
            "least two domains.",
            command="fnprune record TEXTS --domain-column DOMAIN",
            page="Record",
        )
    ]


def domain_table(m: Material) -> pd.DataFrame:
    """Return one row a network: its energy by domain, the test, and trivial things it follows."""
    share = m.atlas.domain_share()
    table = pd.DataFrame({"network": np.arange(m.atlas.n_networks), "name": m.names})
    for number, name in enumerate(m.atlas.domain_names):
        table[name] = share[:, number]
    if m.domain_test is not None:
        table["eta_squared"] = m.domain_test.statistic
        table["p"] = m.domain_test.p_value
        table["p_corrected"] = m.domain_test.p_corrected
    table["follows"] = [_follows(each) for each in m.tags]
    return table


def _follows(tags: tuple[decoding.Tag, ...]) -> str:
    return ", ".join(f"{tag.name} ({tag.measure} {tag.value:.2g})" for tag in tags)


def connected(m: Material) -> Section:
    """Return how networks go together in time."""
    return Section(key="connectome", title="Connectome", blocks=tuple(_connected(m)))


def _connected(m: Material) -> Iterator[Block]:
    if m.atlas.n_networks < 2:
        yield Text(text="There is one network.")
        return
    r = connectome.connectivity(m.atlas)
    off = np.where(np.eye(len(r), dtype=bool), 0.0, r)
    i, j = (int(k) for k in np.unravel_index(int(np.abs(off).argmax()), off.shape))
    yield Text(
        text="Correlation of the networks' time courses over all tokens that count. Tokens are "
        "autocorrelated, so no p is given."
        + f" Strongest is the pair {min(i, j)} and {max(i, j)} (r = {r[i, j]:.2f})."
    )
    yield Slot(figure="connectome")
    first, second = np.triu_indices(len(r), 1)
    table = pd.DataFrame({"network": first, "other": second, "r": r[first, second]})
    shown = {
        "network": Column(title="Network"),
        "other": Column(title="Other"),
        "r": Column(title="r", form="{:.2f}"),
    }
    title = "Pairs of networks by |r|"
    try:
        bounds = connectome.connectivity_interval(m.atlas)
    except SettingsError:
        title += "."
    else:
        table["low"], table["high"] = bounds.low[first, second], bounds.high[first, second]
        shown["low"] = Column(title="from", form="{:.2f}")
        shown["high"] = Column(title="to", form="{:.2f}")
        title += (
            f", with the {bounds.level:.0%} interval of {bounds.n_resamples:,} resamples of "
            f"{bounds.n_documents} documents, of each pair by itself."
        )
    order = np.argsort(-np.abs(table["r"].to_numpy()), kind="stable")
    yield Table(
        name="connectome",
        title=title,
        frame=table.iloc[order].reset_index(drop=True),
        columns=shown,
        most=15,
    )
