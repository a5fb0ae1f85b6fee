"""The options of a plan: declared once, taken by every command that makes plans."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fnprune_core.commands.options import numbers_in, shares_in, units_in
from fnprune_core.errors import SettingsError
from fnprune_core.inputs.files import shortened
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from fnprune_core.export.size import SizeGoal
    from fnprune_core.models.language_model import LanguageModel
    from fnprune_core.models.layout import UnitLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Options of a plan on the command line; a command takes some or all (`options.takes`)."""

    decomposition: Annotated[
        str | None, typer.Option("--decomposition", "-d", help="For scores of networks.")
    ] = None
    score: Annotated[str, typer.Option(help="What decides which units go; ? lists them.")] = (
        "network-energy"
    )
    ratio: Annotated[float, typer.Option(help="Share of all MLP units to remove.")] = 0.2
    preserve: Annotated[str | None, typer.Option(help='Networks to keep: "1,3,7-12".')] = None
    drop: Annotated[str | None, typer.Option(help="Networks not to keep.")] = None
    drop_domain: Annotated[
        str | None, typer.Option(help="Drop networks with over half their energy in a domain.")
    ] = None
    allocation: Annotated[
        str, typer.Option(help="How the cut is divided over layers; ? lists them.")
    ] = "protect-ends"
    layer_weights: Annotated[
        str | None,
        typer.Option(help='For weighted, what each layer gives: "0,0.5,1"; see search layers.'),
    ] = None
    compensation: Annotated[
        str, typer.Option(help="What makes up for what goes; ? lists them.")
    ] = "least-squares"
    intercept: Annotated[bool, typer.Option(help="Least squares with a bias.")] = False
    sink_units: Annotated[
        int | None,
        typer.Option(
            help="Units a layer that serve the first tokens and always stay; 4 where the score "
            "does not count those, else none."
        ),
    ] = None
    seed: Annotated[int, typer.Option(help="Of the random score.")] = 0
    multiple: Annotated[
        int | None,
        typer.Option(help="Keep more units, until each layer's number is a multiple of this."),
    ] = None
    keep_units: Annotated[
        str | None, typer.Option(help='Units that stay, as layer:index: "3:17,3:20".')
    ] = None
    remove_units: Annotated[
        str | None, typer.Option(help="Units that go, sink units and exempt layers too.")
    ] = None
    attention_ratio: Annotated[
        float, typer.Option(help="Share of all KV groups of attention heads to remove.")
    ] = 0.0

    def decomposition_id(self, workspace: Workspace) -> str | None:
        """Return the whole id of the decomposition, or None."""
        if not self.decomposition:
            return None
        return workspace.existing("decompositions", self.decomposition).name

    def settings(self, workspace: Workspace, layout: "UnitLayout") -> PlanSettings:
        """Return the settings of the plan, for a recording with units of this layout."""
        return PlanSettings(
            score=self.score,
            ratio=self.ratio,
            allocation=self.allocation,
            compensation=self.compensation,
            intercept=self.intercept,
            sink_units=self.sink_units,
            preserved=self._preserved(workspace),
            seed=self.seed,
            multiple=self.multiple,
            pinned_keep=units_in(self.keep_units, layout),
            pinned_remove=units_in(self.remove_units, layout),
            attention_ratio=self.attention_ratio,
            layer_weights=shares_in(self.layer_weights or ""),
        )

    def _preserved(self, workspace: Workspace) -> tuple[int, ...] | None:
        preserved = numbers_in(self.preserve)
        if self.drop is None and self.drop_domain is None:
            return preserved
        if self.decomposition is None:
            raise SettingsError(
                "Dropping networks needs a decomposition.", hint="Add --decomposition ID."
            )
        from fnprune_core.atlas import network_atlas

        atlas = network_atlas.open_atlas(workspace, self.decomposition)
        dropped = set(numbers_in(self.drop) or ())
        if self.drop_domain is not None:
            dropped |= set(atlas.networks_of_domain(self.drop_domain))
        for network in dropped:
            atlas.check_network(network)
        candidates = preserved if preserved is not None else range(atlas.n_networks)
        return tuple(k for k in candidates if k not in dropped)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeOptions:
    """A size as the goal of a plan, in place of a ratio of its units."""

    smaller: Annotated[
        str | None,
        typer.Option(help='In place of --ratio: share of all parameters to remove, "30%".'),
    ] = None
    parameters: Annotated[
        str | None, typer.Option(help='In place of --ratio: parameters to reach, "95M".')
    ] = None
    megabytes: Annotated[
        float | None,
        typer.Option(help="In place of --ratio: size to reach of the weights of --form."),
    ] = None
    form: Annotated[
        str | None,
        typer.Option(
            help="Plan for this export form: uniform needs layers that are alike, with "
            "widths that are multiples (--multiple)."
        ),
    ] = None
    weights: Annotated[str, typer.Option(help="How the form gguf stores weights.")] = "F16"

    def goal(self) -> "SizeGoal | None":
        """Return the size that is asked for; None where a ratio is."""
        from fnprune_core.export.size import SizeGoal

        if self.smaller is None and self.parameters is None and self.megabytes is None:
            return None
        return SizeGoal(
            smaller=None if self.smaller is None else _amount(self.smaller, {"%": 0.01}),
            n_parameters=None
            if self.parameters is None
            else round(_amount(self.parameters, {"K": 1e3, "M": 1e6, "B": 1e9})),
            n_bytes=None if self.megabytes is None else round(self.megabytes * 1e6),
            form=self.form or "per-layer",
            weights=self.weights,
        )


def sized(
    settings: PlanSettings, goal: "SizeGoal | None", language_model: "LanguageModel"
) -> PlanSettings:
    """Return the settings with the ratio by which a model becomes as small as asked."""
    from fnprune_core.export.size import ratio_for
    from fnprune_core.models.footprint import Dimensions

    if goal is None:
        return settings
    dimensions = Dimensions.of(language_model)
    return settings.with_(ratio=ratio_for(goal, dimensions, language_model.layout, settings))


def _amount(text: str, factors: Mapping[str, float]) -> float:
    """Return a number with one of some units behind it, or none."""
    stripped = text.strip().upper()
    factor = factors.get(stripped[-1:], 1.0)
    try:
        value = float(stripped.rstrip("".join(factors)))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise SettingsError(
            f"{shortened(text)!r} is not an amount of 0 or more.",
            hint=f"Write a number, as it is or with {' or '.join(factors)}.",
        )
    return value * factor
