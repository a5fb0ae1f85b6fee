"""Section on the plans, their measurements, and the texts that pruned models write."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from fnprune_core.evaluation.alike import alike
from fnprune_core.evaluation.expectation import expected_of
from fnprune_core.evaluation.history import Measurement, PlanRecord
from fnprune_core.evaluation.results import (
    DENSE,
    PairedDifference,
    Perplexity,
    paired_by_domain,
    paired_difference,
)
from fnprune_core.evaluation.rivals import comparable_plans
from fnprune_core.evaluation.verdict import given_up, verdict
from fnprune_core.export.model_card import ratio_text
from fnprune_core.plans import files
from fnprune_core.report.elsewhere import elsewhere_blocks
from fnprune_core.report.material import Material
from fnprune_core.report.parts import (
    Block,
    Column,
    Heading,
    Missing,
    Slot,
    Table,
    Text,
    frame_of,
)
from fnprune_core.report.references import uncited
from fnprune_core.scores.units import SCORES

_MOST_TEXTS = 3
_MOST_GENERATIONS = 4


def plans(material: Material) -> Iterator[Block]:
    """Yield the plans with their figures, the layers they cut, speed and generations."""
    yield from plans_lack(material)
    yield from material.left_out(
        [*material.all_plans.unreadable, *material.speeds[1], *material.generations[1]]
    )
    if not material.plans:
        return
    yield Table(
        name="plans",
        title="Plans; ratio is the share of all MLP units that goes.",
        frame=plan_table(material),
        columns={
            "plan": Column(title="Plan"),
            "score": Column(title="Score"),
            "units_removed": Column(title="Ratio", form="{:.1%}"),
            "parameters_removed": Column(title="of parameters", form="{:.1%}"),
            "preserved": Column(title="Networks kept"),
            "allocation": Column(title="Allocation"),
            "compensation": Column(title="Compensation"),
            "sink_units": Column(title="Sink units"),
        },
    )
    yield Slot(figure="layers")
    yield Table(
        name="kept-units",
        title="Units that stay in each layer, by plan.",
        frame=kept_units(material),
    )
    yield Table(
        name="expectations",
        title="What to expect of each plan, on the texts that it keeps. Agreement: the share of "
        "the dense model's own texts that it would write; repeats: the share of what each wrote.",
        frame=expectations(material),
        columns={
            "plan": Column(title="Plan"),
            "expect": Column(title="Expect"),
            "agreement": Column(title="Agreement", form="{:.0%}"),
            "repeats": Column(title="Repeats", form="{:.0%}"),
            "repeats_dense": Column(title="of dense", form="{:.0%}"),
        },
    )
    for number, text in enumerate(material.texts()[:_MOST_TEXTS]):
        yield from _perplexity_blocks(material, text, "" if number == 0 else f"-{number + 1}")
    if material.texts():
        yield from elsewhere_blocks(material, {plan.id: label(plan) for plan in material.plans})
    yield from _speed_blocks(material)
    yield from _generation_blocks(material)


def plans_lack(material: Material) -> list[Missing]:
    """Return how plans are made, or measured, if there are none or they were not."""
    if not material.plans:
        return [
            Missing(
                what="No plan was made with these networks.",
                command=f"fnprune plan {material.atlas.decomposition.recording_id} "
                f"--decomposition {material.atlas.id} --ratio 0.2",
                page="Prune",
            )
        ]
    if not material.texts():
        plan_options = " ".join(f"--plan {plan.id}" for plan in material.plans[:4])
        return [
            Missing(
                what="No plan was measured.",
                command=f"fnprune evaluate {plan_options}",
                page="Prune",
            )
        ]
    return []


def label(plan: PlanRecord) -> str:
    """Return a plan's label in the report: its name, else score and ratio; with its id."""
    score = SCORES.get(plan.settings.score)
    seed = f" seed {plan.settings.seed}" if score is not None and score.is_drawn else ""
    description = f"{plan.settings.score}{seed} {100 * plan.achieved_ratio:.0f} %"
    return f"{plan.name or description} ({plan.id[:6]})"


def plan_table(material: Material) -> pd.DataFrame:
    """Return one row per plan: its label, all its settings, and what goes."""
    rows = []
    for plan in material.plans:
        settings = {
            name: " ".join(map(str, value)) if isinstance(value, list | tuple) else value
            for name, value in plan.settings.to_json().items()
        }
        preserved = f"{plan.n_preserved} of {plan.n_networks}" if plan.n_preserved else ""
        rows.append(
            {
                "plan": label(plan),
                "id": plan.id,
                "created": plan.created,
                "recording": plan.recording_id,
                "decomposition": plan.decomposition_id,
                **settings,
                "preserved": preserved or "–",
                "networks_preserved": settings.get("preserved") or "",
                "units_removed": plan.achieved_ratio,
                "parameters_removed": plan.share_of_parameters,
                "kv_groups_removed": plan.n_removed_groups,
            }
        )
    return pd.DataFrame(rows)


def expectations(material: Material) -> pd.DataFrame:
    """Return one row per plan: what to expect of it, in words, and what it wrote."""
    rows = []
    for plan in material.plans:
        found = expected_of(material.workspace, plan.id)
        dense, pruned = found.repeated
        rows.append(
            {
                "plan": label(plan),
                "expect": found.title(),
                "agreement": found.agreement,
                "repeats": pruned,
                "repeats_dense": dense,
                "rests_on": " ".join(found.sentences()),
            }
        )
    return pd.DataFrame(rows)


def kept_units(material: Material) -> pd.DataFrame:
    """Return one row per layer: its units, and how many of them stay in each plan."""
    frame = pd.DataFrame(
        {
            "layer": range(material.atlas.layout.n_layers),
            "dense": list(material.atlas.layout.widths),
        }
    )
    for plan in material.plans:
        frame[label(plan)] = files.open_plan(material.workspace, plan.id).kept_widths
    return frame


def measurements(material: Material, text: str) -> dict[str, tuple[Measurement, Perplexity]]:
    """Return the measurements on a text by label, dense first, over windows that all have read.

    What has read other windows, or under another protocol, is left out (`alike`).
    """
    measured = _measured(material, text)
    together = alike({name: result for name, (_, result) in measured.items()}, first=DENSE)
    return {
        name: (measurement, together.results[name])
        for name, (measurement, _) in measured.items()
        if name in together.results
    }


def _measured(material: Material, text: str) -> dict[str, tuple[Measurement, Perplexity]]:
    measured_by_label: dict[str, Measurement] = {}
    if text in material.all_plans.dense:
        measured_by_label[DENSE] = material.all_plans.dense[text]
    for plan in material.plans:
        if (measurement := plan.on(text)) is not None:
            measured_by_label[label(plan)] = measurement
    return {
        name: (measurement, material.result(measurement.evaluation_id))
        for name, measurement in measured_by_label.items()
    }


def interval_text(paired: PairedDifference) -> str:
    """Return the 95 % interval of a difference, or that there is none."""
    if not np.isfinite(paired.standard_error):
        return f"none: {paired.sample.text()}"
    return "{:+.4f} to {:+.4f}".format(*paired.interval())


def perplexity_table(material: Material, text: str) -> pd.DataFrame:
    """Return one row per model: perplexity, the paired difference to dense, and their errors."""
    results = measurements(material, text)
    dense = results[DENSE][1] if DENSE in results else None
    rows = []
    for name, (measurement, result) in results.items():
        row: dict[str, Any] = {
            "model": name,
            "perplexity": result.perplexity,
            "standard_error": result.standard_error,
            "difference": np.nan,
            "difference_error": np.nan,
            "interval": "",
            "n_predictions": result.n_tokens,
            "n_documents": result.sample.n,
            "evaluation": measurement.evaluation_id,
        }
        if dense is not None and result is not dense:
            paired = paired_difference(result, dense)
            row["difference"] = paired.difference
            row["difference_error"] = paired.standard_error
            row["interval"] = interval_text(paired)
        rows.append(row)
    return pd.DataFrame(rows)


def domain_perplexities(material: Material, text: str) -> pd.DataFrame:
    """Return one row per model and domain, as `perplexity_table`; empty without domains."""
    results = measurements(material, text)
    dense = results[DENSE][1] if DENSE in results else None
    rows = []
    for name, (_, result) in results.items():
        differences = {} if dense is None or result is dense else paired_by_domain(result, dense)
        for domain, domain_result in result.by_domain().items():
            difference = differences.get(domain)
            rows.append(
                {
                    "model": name,
                    "domain": domain,
                    "perplexity": domain_result.perplexity,
                    "standard_error": domain_result.standard_error,
                    "difference": np.nan if difference is None else difference.difference,
                    "difference_error": np.nan if difference is None else difference.standard_error,
                    "interval": "" if difference is None else interval_text(difference),
                    "n_windows": len(domain_result.window_nll),
                    "n_documents": domain_result.sample.n,
                }
            )
    return frame_of(rows, ("model", "domain", "perplexity", "difference"))


def verdicts(material: Material, text: str) -> pd.DataFrame:
    """Return two rows per plan that gives domains up: the texts to keep, and those given up.

    Rivals are the other plans that differ from it in the score alone.
    """
    results = {name: result for name, (_, result) in measurements(material, text).items()}
    rows: list[dict[str, Any]] = []
    for plan in material.plans:
        name = label(plan)
        lost = given_up(material.workspace, files.open_plan(material.workspace, plan.id))
        if not lost or name not in results:
            continue
        rivals = comparable_plans(material.workspace, plan.id).values()
        chosen = {name, DENSE, *(label(other) for other in material.plans if other.id in rivals)}
        found = verdict(
            {each: result for each, result in results.items() if each in chosen}, lost, plan=name
        )
        if found is None or found.given_up is None:
            continue
        for texts, side in (("to keep", found.kept), ("given up", found.given_up)):
            row = {
                "plan": name,
                "texts": texts,
                "domains": ", ".join(side.domains),
                "perplexity": side.plan.perplexity,
                "rival": found.rival,
                "rival_perplexity": np.nan if side.rival is None else side.rival.perplexity,
                "difference": np.nan,
                "difference_error": np.nan,
                "interval": "",
            }
            if side.above_rival is not None:
                row["difference"] = side.above_rival.difference
                row["difference_error"] = side.above_rival.standard_error
                row["interval"] = interval_text(side.above_rival)
            rows.append(row)
    return pd.DataFrame(rows)


def window_losses(material: Material, text: str) -> pd.DataFrame:
    """Return one row per model and window: its loss, from which every error is computed."""
    frames = []
    for name, (_, result) in measurements(material, text).items():
        names = result.domain_names
        frames.append(
            pd.DataFrame(
                {
                    "model": name,
                    "window": result.windows,
                    "domain": [names[domain] if names else "" for domain in result.domains],
                    "document": result.groups,
                    "nll_sum": result.window_nll,
                    "n_predictions": result.window_tokens,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _perplexity_blocks(material: Material, text: str, suffix: str) -> Iterator[Block]:
    table = perplexity_table(material, text)
    results = measurements(material, text)
    result = next(iter(results.values()))[1]
    protocol = result.protocol
    yield Heading(text="Perplexity" if not suffix else f"Perplexity on text {suffix[1:]}")
    yield Text(
        text=f"{protocol.n_tokens:,} predictions in {protocol.n_windows} windows of "
        f"{protocol.window} tokens of text {protocol.text_sha256[:16]}, {protocol.dtype} on "
        f"{protocol.device}. Errors (SE) are one standard error over {result.sample.note()}. "
        "Differences are to the dense model, paired by window, in nats per token; their intervals "
        "are by t of one less than the documents."
    )
    apart = [uncited(name) for name in _measured(material, text) if name not in results]
    if apart:
        yield Text(
            text=f"Left out, for they were not read on the same windows: {', '.join(apart)}."
        )
    judged = verdicts(material, text)
    if len(judged):
        yield Table(
            name=f"kept-and-given-up{suffix}",
            title="Plans that give texts up: perplexity of those to keep and of those given up, "
            "beside the rival that is lowest on the former; differences in nats per token.",
            frame=judged,
            columns={
                "plan": Column(title="Plan"),
                "texts": Column(title="Texts"),
                "domains": Column(title="Domains"),
                "perplexity": Column(title="Perplexity", form="{:.2f}"),
                "rival": Column(title="Rival"),
                "rival_perplexity": Column(title="of the rival", form="{:.2f}"),
                "difference": Column(title="Above the rival", form="{:+.4f}"),
                "difference_error": Column(title="± SE", form="{:.4f}"),
                "interval": Column(title="95 % interval"),
            },
        )
    yield Slot(figure=f"perplexity{suffix}")
    yield Table(
        name=f"perplexity{suffix}",
        title="Perplexity, and nats per token above the dense model.",
        frame=table,
        columns={
            "model": Column(title="Model"),
            "perplexity": Column(title="Perplexity", form="{:.2f}"),
            "standard_error": Column(title="± SE", form="{:.2f}"),
            "difference": Column(title="Above dense", form="{:+.4f}"),
            "difference_error": Column(title="± SE", form="{:.4f}"),
            "interval": Column(title="95 % interval"),
            "n_documents": Column(title="Documents"),
        },
    )
    domains = domain_perplexities(material, text)
    if len(domains):
        yield Table(
            name=f"perplexity-by-domain{suffix}",
            title="The same by domain; too few documents of a domain give no error.",
            frame=domains,
            columns={
                "model": Column(title="Model"),
                "domain": Column(title="Domain"),
                "perplexity": Column(title="Perplexity", form="{:.2f}"),
                "standard_error": Column(title="± SE", form="{:.2f}"),
                "difference": Column(title="Above dense", form="{:+.4f}"),
                "difference_error": Column(title="± SE", form="{:.4f}"),
                "n_documents": Column(title="Documents"),
            },
        )
    yield Table(
        name=f"window-losses{suffix}",
        title="Loss of each window, from which every perplexity and error follows.",
        frame=window_losses(material, text),
    )


def _speed_blocks(material: Material) -> Iterator[Block]:
    names = {plan.id: label(plan) for plan in material.plans}
    rows, sentence = [], ""
    for plan_id, measured_speed in material.speeds[0]:
        sentence = sentence or measured_speed.sentence()
        rows += [
            {
                "plan": names[plan_id],
                "form": row["model"],
                "prefill": row["prefill_tokens_per_s"],
                "prefill_ratio": ratio_text(row, "prefill"),
                "decoding": row["decoding_tokens_per_s"],
                "decoding_ratio": ratio_text(row, "decoding"),
                "peak_bytes": row["peak_bytes"],
                "weight_bytes": row["parameter_bytes"],
                "peak_mb": row["peak_bytes"] / 1e6,
            }
            for row in measured_speed.rows()
        ]
    if not rows:
        return
    yield Heading(text="Speed and memory")
    yield Text(text=sentence)
    yield Table(
        name="speed",
        title="Tokens per second, times dense (median and range of rounds), peak memory.",
        frame=pd.DataFrame(rows),
        columns={
            "plan": Column(title="Plan"),
            "form": Column(title="Form"),
            "prefill": Column(title="Prefill", form="{:,.0f}"),
            "prefill_ratio": Column(title="× dense"),
            "decoding": Column(title="Decoding", form="{:,.0f}"),
            "decoding_ratio": Column(title="× dense"),
            "peak_mb": Column(title="Peak, MB", form="{:,.0f}"),
        },
    )


def _generation_blocks(material: Material) -> Iterator[Block]:
    names = {plan.id: label(plan) for plan in material.plans}
    rows = []
    for plan_id, generation in material.generations[0]:
        divergence = generation.expected["dense"].divergence
        rows.append(
            {
                "plan": names[plan_id],
                "prompt": generation.prompt.text,
                "dense": generation.text("dense"),
                "pruned": generation.text("pruned"),
                "mean_divergence": float(np.mean(divergence)) if len(divergence) else np.nan,
                "temperature": generation.sampling.temperature,
                "seed": generation.sampling.seed,
            }
        )
    if not rows:
        return
    yield Heading(text="What is written")
    yield Table(
        name="generations",
        title="The same prompt, continued by the dense and the pruned model; examples, not a "
        "measure. Divergence: nats per token between their expectations, on the dense text.",
        frame=pd.DataFrame(rows),
        columns={
            "plan": Column(title="Plan"),
            "prompt": Column(title="Prompt"),
            "dense": Column(title="Dense"),
            "pruned": Column(title="Pruned"),
            "mean_divergence": Column(title="Divergence", form="{:.2f}"),
        },
        most=_MOST_GENERATIONS,
    )
