"""Atlases: how far to trust one, apply it elsewhere, match two, write one as images."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fnprune_core.commands.console import print_facts, print_table
from fnprune_core.commands.options import (
    CommonOptions,
    with_model,
    with_workers_alone,
    with_workspace,
)
from fnprune_core.errors import SettingsError, TextError

if TYPE_CHECKING:
    import pandas as pd

    from fnprune_core.atlas.chance.beside import Beside
    from fnprune_core.atlas.chance.directions import Directions
    from fnprune_core.matching.atlases import Likeness, Match
    from fnprune_core.matching.identities import Carried
    from fnprune_core.reliability.results import Assessment

BASES = {"auto": None, "maps": "maps", "courses": "time courses"}


@with_workspace
def apply(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition.")],
    recording: Annotated[str, typer.Argument(help="Id of a recording of the same model.")],
    keep_maps: Annotated[
        bool,
        typer.Option("--keep-maps", help="Show the atlas's own maps, not those of stage 2."),
    ] = False,
    *,
    common: CommonOptions,
) -> None:
    """Apply a saved atlas to another recording of its model by dual regression."""
    from fnprune_core.atlas import network_atlas
    from fnprune_core.matching.dual_regression import applied_note, apply_atlas
    from fnprune_core.matching.identities import read_identities

    workspace = common.workspace
    with common.progress() as progress:
        id = apply_atlas(
            workspace,
            atlas,
            recording,
            maps="template" if keep_maps else "refitted",
            progress=progress,
        )
    decomposition = network_atlas.open_atlas(workspace, id).decomposition
    r = [identity.r for _, identity in sorted(read_identities(workspace, id).items())]
    facts = {
        "id": id,
        "applied_from": decomposition.settings["applied_from"],
        "recording": decomposition.recording_id,
        "networks": decomposition.n_networks,
        "variance_explained": decomposition.variance_explained,
        "median_r_of_maps": sorted(r)[len(r) // 2] if r else None,
        "note": applied_note(decomposition),
    }
    if not common.wrote_json({**facts, "r_of_maps": r}):
        print_facts("Applied atlas", facts)


@with_workspace
def match(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition.")],
    other: Annotated[str, typer.Argument(help="Id of another, earlier one or of another model.")],
    by: Annotated[
        str, typer.Option(help="maps, courses (time courses on the same texts), or auto.")
    ] = "auto",
    threshold: Annotated[
        float, typer.Option(help="Smallest |r| of maps of one and the same network.")
    ] = 0.7,
    carry: Annotated[
        bool, typer.Option("--carry", help="Carry names, notes and identity over from OTHER.")
    ] = False,
    null: Annotated[
        int, typer.Option(help="Draws of the null of likeness; 0 leaves it out.", min=0)
    ] = 199,
    seed: Annotated[int, typer.Option(help="Of the null.", min=0)] = 0,
    *,
    common: CommonOptions,
) -> None:
    """Pair the networks of two atlases, and say how alike they are on the same texts."""
    from fnprune_core.atlas import network_atlas
    from fnprune_core.atlas.chance.directions import open_directions
    from fnprune_core.matching import atlases
    from fnprune_core.matching.identities import carry_over

    if by not in BASES:
        raise SettingsError(f"--by must be one of {', '.join(BASES)}, got {by!r}.")
    workspace = common.workspace
    first, second = (network_atlas.open_atlas(workspace, id) for id in (atlas, other))
    pairing = atlases.match(first, second, by=BASES[by])  # type: ignore[arg-type]  # from the table
    identities = pairing.identities(threshold=threshold)
    beside = atlases.match_beside(
        first, second, pairing, directions=open_directions(workspace, first)
    )
    likeness, reason = None, ""
    if null:
        try:
            with common.progress() as progress:
                likeness = atlases.likeness(
                    first, second, n_null=null, seed=seed, progress=progress
                )
        except TextError as error:
            reason = str(error)
    carried = carry_over(workspace, first, second, pairing, threshold=threshold) if carry else None
    if common.wrote_json(
        {"atlas": first.id, "other": second.id, "threshold": threshold}
        | _match_facts(pairing, identities)
        | {"random_directions": beside.table().to_dict("records")}
        | {"likeness": _likeness_facts(likeness), "carried": _carried_facts(carried)}
    ):
        return
    _print_match(pairing, identities, f"{first.id} and {second.id}", threshold)
    typer.echo(f"|r| of pairs: {beside.sentence(threshold)}")
    typer.echo(likeness.sentence() if likeness else reason)
    if carried:
        typer.echo(carried.sentence())


def _match_facts(pairing: "Match", identities: dict[int, tuple[int, float]]) -> dict[str, Any]:
    pairs = pairing.table()
    pairs["is_same"] = pairs["network"].isin(list(identities)) & (pairing.by == "maps")
    return {
        "by": pairing.by,
        "basis": pairing.basis,
        "pairs": pairs.to_dict(orient="records"),
        "unmatched": list(pairing.unmatched(0)),
        "unmatched_other": list(pairing.unmatched(1)),
    }


def _likeness_facts(likeness: "Likeness | None") -> dict[str, Any] | None:
    if likeness is None:
        return None
    names = (
        "score", "p", "chance_rho", "n_above_chance", "n_published", "n_sessions", "basis", "seed",
    )  # fmt: skip
    facts = {name: getattr(likeness, name) for name in names}
    return facts | {"null": likeness.null.tolist(), "n_pairs": len(likeness.pairs)}


def _carried_facts(carried: "Carried | None") -> dict[str, Any] | None:
    if carried is None:
        return None
    return {
        "n_identities": len(carried.identities),
        "n_names": carried.n_names,
        "left_behind": list(carried.left_behind),
    }


def _print_match(
    pairing: "Match", identities: dict[int, tuple[int, float]], title: str, threshold: float
) -> None:
    rows = (
        pairing.table().round(3).astype({"network": object, "partner": object}).to_numpy().tolist()
    )
    print_table(
        f"{title}, by {pairing.by} over {pairing.basis}",
        ("network", "partner", "r", "next best |r|"),
        rows,
    )
    meaning = ": the same network" if pairing.by == "maps" else ""
    typer.echo(
        f"{len(identities)} of {len(rows)} pairs have |r| of at least {threshold:g}{meaning}."
    )
    for side, name in enumerate(("first", "second")):
        unmatched = pairing.unmatched(side)
        if unmatched:
            typer.echo(f"Unmatched in the {name}: {', '.join(map(str, unmatched))}.")


#: Columns that people read; the rest is in the JSON.
SHOWN = (
    "network",
    "variance_alone",
    "variance_left_out",
    "kurtosis",
    "reproducibility",
    "reproducibility_sd",
    "members",
    "again_bootstrap",
    "again_seeds",
)


@with_workers_alone
def trust(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition.")],
    parts: Annotated[
        str | None,
        typer.Option(
            help="Which measures, with commas: halves, rotated, members, seeds, bootstrap, sizes, "
            "gaussian, shift, shifted_members; all."
        ),
    ] = None,
    *,
    common: CommonOptions,
) -> None:
    """Measure how far each network can be trusted; what is there already is found."""
    from fnprune_core.atlas import network_atlas
    from fnprune_core.reliability import assess

    names = tuple(assess.PARTS)
    if parts is not None:
        names = assess.check_parts([name.strip() for name in parts.split(",") if name.strip()])
    workspace = common.workspace
    opened_atlas = network_atlas.open_atlas(workspace, atlas)
    with common.progress() as progress:
        outcome = assess.assess(workspace, opened_atlas.id, parts=names, progress=progress)
    assessment = assess.open_assessment(workspace, opened_atlas.id)
    table = assess.trust_table(opened_atlas, assessment)
    if common.wrote_json(
        {**asdict(outcome), **_summary(assessment), "networks": table.to_dict("records")}
    ):
        return
    shown_table = table[[name for name in table if name in SHOWN]]
    print_table(
        "Trust in each network", shown_table.columns.tolist(), shown_table.to_numpy().tolist()
    )
    if assessment.halves is not None:
        typer.echo(assessment.recurrence_sentence())
        if assessment.rotated is None and "rotated" not in outcome.skipped:
            typer.echo(f"To measure them: fnprune trust {opened_atlas.id} --parts rotated.")
    for reason in sorted(set(outcome.skipped.values())):
        skipped = [
            assess.PARTS[name].title
            for name, skip_reason in outcome.skipped.items()
            if skip_reason == reason
        ]
        print_facts("Left out", {"what": ", ".join(skipped), "why": reason})
    if assessment.sizes is not None:
        sizes = assessment.sizes.table()
        print_table(
            f"Numbers of networks; suggested: {assessment.sizes.suggested() or 'none'}",
            sizes.columns.tolist(),
            sizes.to_numpy().tolist(),
        )
    if assessment.limits():
        print_facts("95th percentile of data without networks", _limits(assessment))


def _limits(assessment: "Assessment") -> dict[str, float]:
    return {
        f"{null} null, {figure}": limit for (null, figure), limit in assessment.limits().items()
    }


def _summary(assessment: "Assessment") -> dict[str, Any]:
    sizes_table: pd.DataFrame | None = (
        None if assessment.sizes is None else assessment.sizes.table()
    )
    recurrence = assessment.recurrence
    return {
        "limits": _limits(assessment),
        "recurrence": None if recurrence is None else recurrence.table().to_dict("records")[0],
        "sizes": [] if sizes_table is None else sizes_table.to_dict("records"),
        "suggested_k": None if assessment.sizes is None else assessment.sizes.suggested(),
    }


@with_workspace
def chance(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition.")],
    z: Annotated[float, typer.Option("-z", help="A threshold to judge.", min=0.0)] = 3.0,
    *,
    common: CommonOptions,
) -> None:
    """Measure what of an atlas's maps is chance: the calibrated threshold of each network."""
    import numpy as np

    from fnprune_core.atlas.chance.calibration import calibrated
    from fnprune_core.atlas.network_atlas import open_atlas

    workspace = common.workspace
    with common.progress() as progress:
        found = calibrated(workspace, atlas, progress=progress)
    maps = np.abs(open_atlas(workspace, atlas).maps)
    rows = [
        {
            "network": k,
            "threshold": float(found.threshold[k]),
            "units": int((maps[k] > found.threshold[k]).sum()),
            "units_beyond_z": int((maps[k] > z).sum()),
            "by_chance": found.chance_at(k, z),
            "agreement": float(found.agreement[k]),
        }
        for k in range(len(maps))
    ]
    n_safe = found.n_safe(z)
    if common.wrote_json({"z": z, "n_safe": n_safe, "networks": rows}):
        return
    print_table(
        f"Calibrated thresholds: at most 5 % of the units beyond them covary with a network's time "
        f"course by chance; |z| > {z:g} keeps to that in {n_safe} of {len(rows)} networks. It is "
        "not membership (fnprune trust ATLAS --parts members). By chance: units shifted in time "
        "by themselves that lie beyond it; agreement: r of the maps of two halves of the documents",
        list(rows[0]),
        [list(row.values()) for row in rows],
    )


@with_model
def directions(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition, or latest.")],
    seed: Annotated[int, typer.Option(help="Of the random directions.", min=0)] = 0,
    over_time: Annotated[
        bool, typer.Option("--over-time", help="Windows and states, too; about 10 s.")
    ] = False,
    heads: Annotated[
        bool, typer.Option("--heads", help="Attention heads, too; the model reads the texts.")
    ] = False,
    *,
    common: CommonOptions,
) -> None:
    """Set statistics of networks beside those of random directions of the same number and shape."""
    from fnprune_core.atlas.chance import beside
    from fnprune_core.atlas.chance import over_time as windows
    from fnprune_core.atlas.chance.directions import KINDS, make_directions

    workspace = common.workspace
    with common.progress() as progress:
        found = make_directions(workspace, atlas, seed=seed, progress=progress)
    statistics = beside.tables(found)
    titles = {name: each.title for name, each in beside.STATISTICS.items()}
    if heads:
        titles["heads"] = "Largest share in one attention head"
        statistics["heads"] = _heads_beside(found, common).table()
    atlases = {"networks": found.atlas, **{kind: found.of(kind) for kind in KINDS}}
    totals = {
        name: beside.counts(each) | (windows.figures(each) if over_time else {})
        for name, each in atlases.items()
    }
    parcels = beside.parcels(found.atlas, seed=seed)
    if common.wrote_json(
        {
            "seed": seed,
            "statistics": {name: each.to_dict("records") for name, each in statistics.items()},
            "totals": totals,
            "parcels": parcels,
        }
    ):
        return
    for name, table in statistics.items():
        rows = table.round(3).to_numpy().tolist()
        print_table(titles[name], table.columns.tolist(), rows)
    of = list(totals["networks"])
    rows = [[kind, *(each.get(name, "") for name in of)] for kind, each in totals.items()]
    print_table("Of all networks, and of all random directions", ["of", *of], rows)
    typer.echo(beside.explained_sentence(found.atlas, found))
    typer.echo(f"{beside.parcels_sentence(parcels)} ({found.atlas.rule()})")


def _heads_beside(directions: "Directions", common: CommonOptions) -> "Beside":
    """Return the largest share of networks in one head, stored beside the atlas or read now."""
    from fnprune_core.recording.recording import open_recording
    from fnprune_core.scores.network_heads import network_heads, read_heads, store_heads

    atlas, workspace = directions.atlas, common.workspace
    found = read_heads(workspace, atlas.id)
    if found is None:
        recording = open_recording(workspace, atlas.decomposition.recording_id)
        language_model = common.load()
        with common.progress() as progress:
            found = network_heads(language_model, directions, recording, progress=progress)
        store_heads(workspace, atlas, found)
    return found.largest


@with_workspace
def volumes(
    atlas: Annotated[str, typer.Argument(help="Id of a decomposition, or latest.")],
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    z: Annotated[
        float | None,
        typer.Option(help="Parcels by |z| above this (default: members).", min=0.0),
    ] = None,
    *,
    common: CommonOptions,
) -> None:
    """Write maps and parcellation as NIfTI images, with a sidecar from voxel to unit."""
    from fnprune_core.atlas import files

    paths = files.write_volumes(common.workspace, atlas, target, z=z)
    sizes = {path.name: path.stat().st_size for path in paths}
    if common.wrote_json({"folder": str(target), "files": sizes}):
        return
    rows = [(name, f"{size / 1e6:.2f} MB") for name, size in sizes.items()]
    print_table(str(target), ("file", "size"), rows)
