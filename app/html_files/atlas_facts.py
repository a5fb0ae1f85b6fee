"""Facts of the atlas file: names, numbers, passages and provenance, as plain values."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.figures.markup import visible
from app.html_files.network_facts import NetworkFacts
from fnprune_core.atlas import decoding
from fnprune_core.atlas.annotation_files import Annotations
from fnprune_core.atlas.annotations import read_annotations
from fnprune_core.atlas.chance.beside import explained_sentence
from fnprune_core.atlas.chance.directions import open_directions
from fnprune_core.atlas.membership import HIGH, MARK, MARK_SAYS
from fnprune_core.atlas.naming import suggestions
from fnprune_core.atlas.network_atlas import DEFAULT_THRESHOLD, NetworkAtlas
from fnprune_core.errors import FnpruneError
from fnprune_core.matching.dual_regression import applied_note
from fnprune_core.recording.sessions import document_codes
from fnprune_core.reliability import assess
from fnprune_core.storage.manifests import read_manifest
from fnprune_core.storage.workspace import Workspace

#: Said once on each page that shows the body.
PLACES = (
    "Units have no place of their own: the layout is computed. Layers lie in order, the first "
    "at the bottom, and units of one network lie together."
)
N_PASSAGES, N_WORDS, N_TOGETHER = 6, 12, 5
#: Column of the table of networks → its title and format, where it is there.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "peak_layer": ("Peak layer", "{:.0f}"),
    "units": ("Units ({rule})", "{:,.0f}"),
    "variance_alone": ("Alone explains", "{:.2%}"),
    "variance_left_out": ("Lost when left out", "{:.2%}"),
    "reproducibility": ("Split-half |r|", "{:.2f}"),
}


class AtlasFacts:
    """Facts on an atlas and on each of its networks."""

    def __init__(
        self, workspace: Workspace, atlas: NetworkAtlas, *, threshold: float | None
    ) -> None:
        self._workspace, self.atlas, self._z = workspace, atlas, threshold
        self._manifest = read_manifest(workspace.existing("decompositions", atlas.id))
        self._recording = read_manifest(
            workspace.existing("recordings", atlas.decomposition.recording_id)
        )
        self._tags = decoding.trivial_tags(atlas)
        self.connectivity = atlas.functional_connectivity()
        self._notes: Annotations | None = None
        with suppress(FnpruneError):  # damaged notes must not keep the atlas from being written
            self._notes = read_annotations(workspace, atlas.id)

    @cached_property
    def names(self) -> list[str]:
        """Name of each network: by hand, else the suggested one; with a mark if it recurs not."""
        suggested = suggestions.names_of(self._workspace, self.atlas)
        return [
            visible(self._given(k, "name") or each.text) + ("" if self.recurs[k] else f" {MARK}")
            for k, each in enumerate(suggested)
        ]

    def _given(self, network: int, field: str) -> Any:
        return getattr(self._notes.of(network), field) if self._notes is not None else None

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per network: the atlas's own numbers and what was measured of trust in them."""
        table = self.atlas.table()
        table["units"] = self.atlas.membership(z=self._z).sum(axis=1)
        if assess.assessment_ids(self._workspace, self.atlas.id):
            assessment = assess.open_assessment(self._workspace, self.atlas.id)
            table = table.join(assessment.columns())
        return table

    @property
    def recurs(self) -> NDArray[np.bool_]:
        """Which networks come back in halves of the documents; all while it is not known: (K,)."""
        r = self.table.get("reproducibility")
        return np.ones(len(self.table), dtype=bool) if r is None else (r >= HIGH).to_numpy()

    @cached_property
    def by_domain(self) -> list[int]:
        """Networks by their strongest domain, strongest first; those that recur stand before."""
        share = self.atlas.domain_share()
        order = np.lexsort((-share.max(axis=1), share.argmax(axis=1), ~self.recurs))
        return [int(k) for k in order]

    def network(self, network: int) -> NetworkFacts:
        """Return the facts on one network."""
        row = self.table.iloc[network]
        values = {k: float(row[k]) for k in COLUMNS if k in row and not pd.isna(row[k])}
        course = np.abs(self.atlas.time_courses[network, ~self.atlas.is_dummy])
        r = self.connectivity[network].copy()
        r[network] = 0.0
        correlated = [k for k in np.argsort(-np.abs(r), kind="stable").tolist() if k != network]
        tags = [f"follows {t.name}: {t.value:.2g} ({t.measure})" for t in self._tags[network]]
        if not self.recurs[network]:
            tags.insert(0, f"does not recur ({MARK_SAYS.removesuffix('.')})")
        share = self.atlas.domain_share()[network]
        return NetworkFacts(
            number=network,
            name=self.names[network],
            note=str(self._given(network, "note") or ""),
            tags=[*(self._given(network, "tags") or ()), *tags],
            domain=str(row["top_domain"]),
            units=int(row["units"]),
            numbers={
                self._title(k): COLUMNS[k][1].format(v).replace("%", " %")
                for k, v in values.items()
            },
            values=values,
            profile=self.atlas.depth_profile(network, z=self._z),
            domains=list(zip(self.atlas.domain_names, share.tolist(), strict=True)),
            passages=self.atlas.top_passages(network, n=N_PASSAGES),
            limit=float(np.quantile(course, 0.995)) or 1.0,
            words=self.atlas.top_tokens(network, n=N_WORDS),
            together=[(k, float(r[k])) for k in correlated[:N_TOGETHER]],
        )

    def _title(self, column: str) -> str:
        return COLUMNS[column][0].format(rule=self.atlas.rule(self._z))

    def connectome_note(self) -> str:
        """Return a sentence on the matrix of networks."""
        if self.atlas.n_networks < 2:
            return "There is one network."
        r = np.where(np.eye(len(self.connectivity), dtype=bool), 0.0, self.connectivity)
        i, j = np.unravel_index(int(np.abs(r).argmax()), r.shape)
        return (
            "Correlation of the networks' time courses over all tokens that count, networks "
            f"sorted by domain; strongest between {min(i, j)} and {max(i, j)} (r = {r[i, j]:.2f})."
        )

    def parcellation_note(self, *, is_in_body: bool) -> str:
        """Return a sentence on the parcellation.

        Parameters
        ----------
        is_in_body : bool
            Whether it is shown in the body, where it is smoothed.
        """
        what = "Each place, smoothed for the eye," if is_in_body else "Each unit"
        labels = self.atlas.parcellation(z=self._z)
        sizes = np.bincount(labels[labels >= 0], minlength=self.atlas.n_networks)
        return (
            f"{what} in the colour of its strongest network; {100 * (labels >= 0).mean():.0f} % of "
            f"{len(labels):,} units belong to one ({self.atlas.rule(self._z)}), the largest "
            f"is network {int(sizes.argmax())} with {int(sizes.max()):,}. "
            "A network's colour is the dot beside its name."
        )

    def page(self, *, is_in_body: bool = True) -> dict[str, Any]:
        """Return the facts on the atlas as a whole, for the template.

        Parameters
        ----------
        is_in_body : bool
            Whether maps are shown in the body, in place of layers × units.
        """
        d, layout = self.atlas.decomposition, self.atlas.layout
        directions = None
        with suppress(FnpruneError):  # damaged ones
            directions = open_directions(self._workspace, self.atlas)
        model = Path(str(self._recording["model_name"])).name
        n_tokens = int((~self.atlas.is_dummy).sum())
        return {
            "title": f"Functional networks of {model}",
            "summary": (
                f"{self.atlas.n_networks} networks of {layout.n_units:,} MLP units in "
                f"{layout.n_layers} layers, {'measured' if applied_note(d) else 'found'} in "
                f"{n_tokens:,} tokens of "
                f"{', '.join(self.atlas.domain_names)}. "
                f"{explained_sentence(self.atlas, directions)}"
            ),
            "gallery_note": self._gallery_note(is_in_body=is_in_body),
            "table": self._table(),
            "method": self._method(n_tokens),
            "texts": self._texts(),
            "provenance": [{"label": k, "value": v} for k, v in self._provenance().items()],
            "command": f"fnprune atlas {self.atlas.id} atlas.html"
            + ("" if self._z is None else f" --z {self._z:g}"),
        }

    def _gallery_note(self, *, is_in_body: bool) -> str:
        seen = (
            "Each network where it is strongest: that layer from above, with what is beyond "
            f"|z| {self._z or DEFAULT_THRESHOLD:g} after smoothing for the eye. {PLACES}"
            if is_in_body
            else f"Units with |z| above {self._z or DEFAULT_THRESHOLD:g}: layers (last on top) × "
            "units, grouped by network."
        )
        return (
            f"{seen} Warm and cold units are active together with opposite signs. z is over the "
            "units of a map, not a test over subjects."
        )

    def _table(self) -> dict[str, Any]:
        measured = [k for k in COLUMNS if k in self.table and self.table[k].notna().any()]
        rows = [
            [k, self.names[k], *(
                "" if pd.isna(row[c]) else COLUMNS[c][1].format(row[c]) for c in measured
            ), f"{row['top_domain']} {100 * row['top_domain_share']:.0f} %"]
            for k, (_, row) in enumerate(self.table.iterrows())
        ]  # fmt: skip
        titles = ["Network", "Name", *(self._title(c) for c in measured), "Most energy in"]
        return {"columns": titles, "rows": rows}

    def _method(self, n_tokens: int) -> list[str]:
        d = self.atlas.decomposition
        s = d.settings
        scope = "each layer by itself" if s.get("scope") == "layer" else "the whole model"
        note = applied_note(d)
        method_text = (
            f"{note} There was no ICA on these texts. A time course is the least-squares strength "
            "of the template's map at each token."
            if note
            else f"Group ICA of {scope}: principal components of each session, then of all, then "
            f"spatial ICA ({s.get('algorithm')}, {s.get('fun')}) into {s.get('n_components')} "
            f"networks; {int(d.converged.sum())} of {len(d.converged)} runs converged, and the "
            "best of them is shown. A time course is the least-squares strength of a map at "
            "each token."
        )
        scaling_text = (
            "within each session" if s.get("normalize") == "session" else "over the recording"
        )
        return [
            f"Every MLP unit's activation, as it enters its layer's output projection, was "
            f"recorded while the model read the texts below: {n_tokens:,} tokens, without the "
            f"first ones of each session (attention sinks). Units were scaled {scaling_text}.",
            method_text,
            "Each layer is laid out as a sheet so that units of the same network lie together, at "
            "the same place in all layers, and sheets are stacked from the first to the last. "
            "Names are the domain with over half of a network's energy and its strongest "
            "tokens, unless a person gave one. That a network is strong somewhere does not say "
            "that the model needs it there.",
        ]

    def _texts(self) -> list[list[str]]:
        tokens = self.atlas.tokens
        grouped = tokens.assign(document=document_codes(tokens)).groupby("domain", observed=True)
        return [
            [str(name), f"{tokens_of_domain['session'].nunique():,}", f"{len(tokens_of_domain):,}",
             f"{tokens_of_domain['document'].nunique():,}"]
            for name, tokens_of_domain in grouped
        ]  # fmt: skip

    def _provenance(self) -> dict[str, str]:
        m = self._manifest
        return {
            "Model": str(self._recording["model_name"]),
            "Model fingerprint": str(m["fingerprint"]),
            "Atlas": f"{self.atlas.id}, made {m['created']}",
            "Recording": f"{m['recording_id']}, made {self._recording['created']}",
            "Settings": ", ".join(f"{k} {v}" for k, v in m["settings"].items()),
            "Versions": ", ".join(f"{k} {v}" for k, v in m["versions"].items()),
        }
