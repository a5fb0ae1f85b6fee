"""The README of an export: what was removed, by what rule, and what was measured of it."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from fnprune_core.evaluation.elsewhere import WARNING
from fnprune_core.evaluation.expectation import Expectation
from fnprune_core.evaluation.intervals import DocumentSample, with_error
from fnprune_core.evaluation.results import DENSE
from fnprune_core.evaluation.side_by_side import PRUNED
from fnprune_core.export.forms import ExportForm, form_named
from fnprune_core.export.gguf.weights import gguf_name, weight_type
from fnprune_core.foreign_text import markdown_line, visible
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.modeling_per_layer import __name__ as _per_layer
from fnprune_core.plans.plan import PruningPlan

_MODELING_FILE = _per_layer.rpartition(".")[2] + ".py"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPerplexity:
    """A measured perplexity for the model card: its label, value and protocol."""

    label: str
    perplexity: float
    standard_error: float
    sample: DocumentSample
    protocol: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """Facts of an export beside its plan.

    Parameters
    ----------
    figures : sequence of MeasuredPerplexity
        Perplexities of this plan and of the dense model.
    unreadable : sequence of str
        Why others, and other measurements, cannot be read.
    expectation : Expectation, optional
        What to expect of it, in words.
    verdict : sequence of str
        Its perplexity beside the dense model and a rival; where it gives domains up, of these
        and of the others.
    elsewhere : str
        What was measured on the text that no choice saw, a sentence; empty if it was not.
    speeds : sequence of mapping
        Rows of a `Speed`, dense first.
    speed_protocol : str
        How these were measured, a sentence.
    difference : float
        Of the reloaded model's logits to the silenced model's, of their size; NaN if not checked.
    weights : str
        How the form gguf stores weights, a row of `WEIGHT_TYPES`.
    is_plain_gguf : bool
        Whether transformers reads that file, too.
    run_by : str
        How llama.cpp agrees with the weights in its file, a sentence; empty if it was not run.
    decisions : mapping, optional
        The log of decisions that led to the plan, as JSON values; written beside the card.
    with_refits : bool
        Whether the plan's refits lie beside it: by them it can be applied again without its
        recording.
    """

    figures: Sequence[MeasuredPerplexity] = ()
    unreadable: Sequence[str] = ()
    expectation: Expectation | None = None
    verdict: Sequence[str] = ()
    elsewhere: str = ""
    speeds: Sequence[Mapping[str, Any]] = ()
    speed_protocol: str = ""
    difference: float = math.nan
    weights: str = "F16"
    is_plain_gguf: bool = False
    run_by: str = ""
    decisions: Mapping[str, Any] | None = None
    with_refits: bool = False


def model_card(
    language_model: LanguageModel,
    plan: PruningPlan,
    *,
    form: str,
    facts: CardFacts | None = None,
) -> str:
    """Return the README of an export: what was removed, by what rule, and measured figures."""
    facts = facts or CardFacts()
    source = language_model.source
    export_form = form_named(form)
    is_hub_id = source.count("/") == 1 and not Path(source).expanduser().exists()
    data = ModelCardData(
        base_model=source if is_hub_id else None,
        library_name="gguf" if export_form.is_gguf else "transformers",
        pipeline_tag="text-generation",
        tags=["pruned", "fnprune"],
    )
    lines = [
        f"---\n{data.to_yaml()}\n---",
        f"# {markdown_line(language_model.name)}, pruned by functional networks",
        f"{plan.n_removed} of {plan.layout.n_units} MLP units ({100 * plan.achieved_ratio:.1f} %)"
        f"{_heads_text(plan)} are removed; "
        f"{100 * plan.share_of_parameters:.1f} % of all parameters. "
        f"Form: {form} ({export_form.description})."
        + (f" {_widths_text(plan)}" if export_form.is_smaller else ""),
        _use_text(export_form, form, facts.weights),
        *([] if facts.expectation is None else [_expected_text(facts.expectation)]),
        _choices_table(plan),
        _measured_text(facts),
        _elsewhere_text(facts),
        *([_speeds_text(facts)] if facts.speeds else []),
        *([_check_text(export_form, facts)] if math.isfinite(facts.difference) else []),
        f"Made with fnprune {metadata.version('fnprune')}; `plan.json` says which units, and can "
        f"be applied again{_REFITS_NOTE[facts.with_refits]}. Method: arXiv 2508.05239 and the "
        "sources named in fnprune's README.",
    ]
    return "\n\n".join(lines) + "\n"


_REFITS_NOTE = {
    True: ", with the refits beside it",
    False: " where its recording is, or with refits (export with them)",
}


def _heads_text(plan: PruningPlan) -> str:
    if not plan.n_removed_groups:
        return ""
    return (
        f" and {plan.n_removed_groups} of {sum(plan.group_counts)} KV groups of attention heads "
        f"({100 * plan.achieved_attention_ratio:.1f} %)"
    )


def _widths_text(plan: PruningPlan) -> str:
    dense, kept = plan.layout.widths, plan.kept_widths
    text = (
        f"Units per layer: {kept[0]} of {dense[0]}."
        if len(set(kept)) == len(set(dense)) == 1
        else f"Units per layer: {', '.join(map(str, kept))}."
    )
    if plan.n_removed_groups:
        groups = sorted(set(plan.kept_group_counts))
        counts = groups if len(groups) == 1 else plan.kept_group_counts
        text += f" KV groups a layer: {', '.join(map(str, counts))}."
    if plan.settings.multiple is not None:
        text += (
            f" Widths are rounded up to a multiple of {plan.settings.multiple}; "
            f"{100 * plan.settings.ratio:.1f} % were to go."
        )
    return text


def use_of(folder: Path | str, *, form: str, weights: str = "F16") -> dict[str, str]:
    """Return texts that use an export and can be run as they stand, by tool.

    Parameters
    ----------
    folder : Path or str
        Where it lies; the model card says FOLDER.
    """
    export_form, place = form_named(form), str(folder)
    if export_form.is_gguf:
        name = gguf_name(weights)
        path = shlex.quote(str(Path(place) / name))
        return {
            "llama.cpp": f'llama-cli -m {path} -p "Once upon a time" -n 64\nllama-bench -m {path}',
            "Python": "import xllamacpp\n\nparams = xllamacpp.CommonParams()\n"
            f"params.model.path = {str(Path(place) / name)!r}\n"
            "server = xllamacpp.Server(params)\n"
            'request = {"prompt": "Once upon a time", "max_tokens": 64}\n'
            'print(server.handle_completions(request)["choices"][0]["text"])',
        }
    trust = ", trust_remote_code=True" if export_form.brings_code else ""
    arguments = f"pretrained={place}{trust.replace(' ', '')}"
    return {
        "Python": "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f"model = AutoModelForCausalLM.from_pretrained({place!r}{trust})\n"
        f"tokenizer = AutoTokenizer.from_pretrained({place!r}{trust})",
        "lm-eval": f"lm_eval --model hf --model_args {shlex.quote(arguments)} "
        "--tasks arc_easy,piqa --batch_size 8",
    }


def _use_text(export_form: ExportForm, form: str, weights: str) -> str:
    snippets = use_of("FOLDER", form=form, weights=weights)
    languages = {"Python": "python", "lm-eval": "sh", "llama.cpp": "sh"}
    text = "\n\n".join(f"```{languages[tool]}\n{code}\n```" for tool, code in snippets.items())
    if export_form.is_gguf:
        text = f"Weights: {weights} ({weight_type(weights).description}).\n\n{text}"
    if export_form.brings_code:
        text += (
            f"\n\n`{_MODELING_FILE}` is the code that is trusted: it gives a stock model its "
            "widths."
        )
    return text


def _choices_table(plan: PruningPlan) -> str:
    settings = plan.settings
    return (
        "| choice | value |\n|---|---|\n"
        f"| score | {settings.score} |\n| allocation | {settings.allocation} |\n"
        f"| compensation | {settings.compensation} |\n"
        f"| sink units kept per layer | {settings.sink_units} |\n"
        f"| networks preserved | {len(plan.preserved)} of {plan.n_networks} |\n"
        f"| recording | {plan.recording_id} |\n| decomposition | {plan.decomposition_id} |\n"
        f"| model fingerprint | {plan.fingerprint} |"
    )


def _expected_text(expected: Expectation) -> str:
    text = f"## What to expect\n\n**{expected.title()}** "
    text += markdown_line(" ".join(expected.sentences()))
    for texts in expected.samples[:1]:
        for title, written in (
            ("A held-out text", texts.prompt.text),
            ("The dense model goes on", texts.text(DENSE)),
            ("This model goes on", texts.text(PRUNED)),
        ):
            lines = "\n".join(f"    {line}" for line in visible(written).splitlines())
            text += f"\n\n{title}:\n\n{lines}"
    return text


def _measured_text(facts: CardFacts) -> str:
    figures = facts.figures
    left_out = "".join(f"\n\nLeft out: {markdown_line(reason)}" for reason in facts.unreadable)
    if not figures:
        return f"## Measured\n\nThis plan was not evaluated before it was exported.{left_out}"
    rows = [
        f"| {markdown_line(figure.label)} | "
        f"{with_error(figure.perplexity, figure.standard_error, digits=2)} | {figure.sample.n} | "
        f"{figure.protocol['n_tokens']} | {figure.protocol['window']} | "
        f"{figure.protocol['dtype']} | `{figure.protocol['text_sha256'][:12]}` |"
        for figure in figures
    ]
    notes = ", or ".join(dict.fromkeys(figure.sample.note() for figure in figures))
    verdict = "".join(f"{markdown_line(sentence)}\n\n" for sentence in facts.verdict)
    return (
        f"## Measured\n\n{verdict}"
        "| model | perplexity ± standard error | documents | tokens | window | dtype | text |\n"
        "|---|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nErrors are over {notes}.{left_out}"
    )


def _elsewhere_text(facts: CardFacts) -> str:
    measured = facts.elsewhere or "This plan was not read on a text of other kinds."
    return f"## On other texts\n\n{measured} {WARNING}"


def _speeds_text(facts: CardFacts) -> str:
    rows = [
        f"| {markdown_line(row['model'])} | "
        + "".join(
            f"{row[f'{what}_tokens_per_s']:,.0f} | {ratio_text(row, what)} | "
            for what in ("prefill", "decoding")
        )
        + f"{row['peak_bytes'] / 1e6:,.0f} MB |"
        for row in facts.speeds
    ]
    return (
        "## Speed\n\n| model | prefill, tokens/s | times dense | decoding, tokens/s | "
        "times dense | peak memory |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\n{facts.speed_protocol}"
    )


def ratio_text(row: Mapping[str, Any], what: str) -> str:
    """Return a paired ratio with the interval of its median, from a row of a `Speed`."""
    low, high = row[f"{what}_ratio_interval"]
    return f"{row[f'{what}_ratio']:.2f} ({low:.2f} to {high:.2f})"


def _check_text(export_form: ExportForm, facts: CardFacts) -> str:
    text = (
        f"its logits differ from those of the model with these units silenced by "
        f"{facts.difference:.1e} of their size, and its tokenizer reads a text alike."
    )
    if not export_form.is_gguf or facts.is_plain_gguf:
        text = f"Loaded in a fresh process without fnprune: {text}"
    else:
        text = f"Its weights read back from the file: {text}"
    if export_form.is_gguf:
        text += f" {facts.run_by or 'llama.cpp was not there to run it.'}"
    return f"## Checked\n\n{text}"
