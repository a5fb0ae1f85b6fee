"""Tasks without a network: the last word of LAMBADA, PIQA and ARC-easy, for dense and pruned.

Run: ``python benchmarks/zero_shot.py --data FOLDER``. Prints a table in Markdown and then JSON;
the answers to each item are saved (``--results``), and a rerun goes on with what is missing.

lm-evaluation-harness (``pip install 'fnprune[bench]'``) asks by its own prompts, with no examples
before them, and scores: ``acc`` of LAMBADA, whether every token of the last word is the likeliest;
of the others, whether the right answer has the highest log-likelihood (``acc``) or the highest for
its number of characters (``acc_norm``). The items, evenly spread over each file, are the same for
all; differences are paired by item, with the exact McNemar test.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
import quality
from held_out_texts import data_folder
from numpy.typing import NDArray
from result_files import ResultFiles, circumstances, note, row_named
from scipy.stats import binomtest
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fnprune_core.plans.files import open_plan, stored_plan
from fnprune_core.pruning.slicing import prune
from fnprune_core.storage.json_files import canonical_json
from fnprune_core.storage.manifests import read_manifest

HARNESS = "lm_eval"
Item = Mapping[str, Any]


def _task(file: str, *metrics: str, **config: str) -> tuple[str, dict[str, Any]]:
    """Return a file of items, and how the harness asks and scores them."""
    how = {"aggregation": "mean", "higher_is_better": True}
    return file, {**config, "metric_list": [{"metric": metric, **how} for metric in metrics]}


# The harness's tasks of these names, with the fields of our files in their prompts.
TASKS = {
    "lambada_openai": _task(
        "task_lambada_openai.jsonl",
        "acc",
        output_type="loglikelihood",
        doc_to_text="{{context}}",
        doc_to_target="{{' ' + continuation}}",
    ),
    "piqa": _task(
        "task_piqa.jsonl",
        "acc",
        "acc_norm",
        output_type="multiple_choice",
        doc_to_text="{{query}}Answer:",
        doc_to_target="gold",
        doc_to_choice="choices",
    ),
    "arc_easy": _task(
        "task_arc_easy.jsonl",
        "acc",
        "acc_norm",
        output_type="multiple_choice",
        doc_to_text="{{query}}\nAnswer:",
        doc_to_target="gold",
        doc_to_choice="choices",
    ),
}


def items(path: Path, n: int) -> list[Item]:
    """Return so many items, at even steps through the file; 0 for all."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    n = min(n, len(rows)) or len(rows)
    return [rows[i * len(rows) // n] for i in range(n)]


def check_harness() -> str:
    """Return the harness's version; without it the benchmark says so and ends well."""
    if util.find_spec(HARNESS) is None:
        print(json.dumps({"skipped": "lm-eval is absent: pip install 'fnprune[bench]'"}))
        raise SystemExit
    return metadata.version(HARNESS)


def task_config(task: str, asked: Sequence[Item]) -> dict[str, Any]:
    """Return a task as the harness takes it, with its items inside."""
    from datasets import Dataset

    rows = Dataset.from_list([dict(item) for item in asked])
    return {
        "task": task,
        **TASKS[task][1],
        "custom_dataset": lambda **_: {"test": rows},
        "test_split": "test",
    }


def answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, task: str, asked: Sequence[Item]
) -> dict[str, list[bool]]:
    """Return by metric whether each item was answered right.

    Log-likelihoods are summed in float32. The harness would sum them in the model's dtype, and in
    bfloat16 a sum of −676 has steps of 4: answers that differ by less would be ties.
    """
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    language_model = HFLM(
        pretrained=model, tokenizer=tokenizer, batch_size=16, softmax_dtype="float32"
    )
    found = simple_evaluate(
        model=language_model,
        tasks=[task_config(task, asked)],
        num_fewshot=0,
        bootstrap_iters=0,
        task_manager=TaskManager(include_defaults=False),  # the others need not be found
    )
    in_order = sorted(found["samples"][task], key=lambda answer: answer["doc_id"])
    metrics = [each["metric"] for each in TASKS[task][1]["metric_list"]]
    return {metric: [bool(answer[metric]) for answer in in_order] for metric in metrics}


def accuracy(right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the share of right answers and its standard error."""
    return float(right.mean()), float(right.std(ddof=1) / np.sqrt(len(right)))


def paired(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> dict[str, Any]:
    """Return how much more `a` has right than `b`: share, standard error, McNemar's exact p."""
    change = a.astype(np.float64) - b.astype(np.float64)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return {
        "difference": round(float(change.mean()), 4),
        "standard_error": round(float(change.std(ddof=1) / np.sqrt(len(change))), 4),
        "only_first_right": only_a,
        "only_second_right": only_b,
        "p": float(p),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return accuracies and paired differences of every row to the first and the second."""
    harness, data = check_harness(), data_folder(options)
    study = quality.Study(
        quality.parsed(
            ["--data", str(data), "--texts", "", "--dtype", options.dtype]
            + ["--model", options.model, "--n-tokens", str(options.n_tokens)]
            + (["--workspace", str(options.workspace)] if options.workspace else [])
        )
    )
    language_model = study.language_model
    table = quality.table_of_rows(options.best)
    rows = [row_named(text, table) for text in options.row]
    results = ResultFiles(options.results or study.workspace.root / "benchmarks" / "zero_shot")
    plans = study.plans(
        [(row, options.ratio) for row in rows], calibration=options.calibration, seed=options.seed
    )
    asked = {
        task: items(data / "tasks" / file, options.n_items) for task, (file, _) in TASKS.items()
    }
    right: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for row in rows:
        if (row.name, options.ratio) not in plans:
            continue
        plan_id = plans[row.name, options.ratio]
        model: PreTrainedModel | None = None
        for task, questions in asked.items():
            key = {
                "cut": _cut(study, plan_id),
                "fingerprint": language_model.fingerprint,
                "dtype": str(language_model.dtype),
                "task": task,
                "items": _hash(questions),
                HARNESS: harness,
            }
            stored = results.get(key)
            if stored is None:
                note(f"{row.name}: {task}, {len(questions)} items")
                if model is None:
                    model = _model(study, plan_id)
                stored = {"right": answers(model, language_model.tokenizer, task, questions)}
                results.put(key, stored)
            for metric, stored_answers in stored["right"].items():
                answered = np.array(stored_answers, dtype=bool)
                right.setdefault(f"{task} {metric}", {})[row.name] = answered
    return {
        "ratio": options.ratio,
        "calibration": f"{options.calibration}, seed {options.seed}, {options.n_tokens} tokens",
        "n_items": {task: len(questions) for task, questions in asked.items()},
        "figures": {metric: figures(by_row) for metric, by_row in right.items()},
        "circumstances": {**circumstances(language_model), HARNESS: harness},
    }


def figures(by_row: Mapping[str, NDArray[np.bool_]]) -> dict[str, Any]:
    """Return the accuracy of each row, and how much more each has right than the ones before."""
    found: dict[str, Any] = {}
    names = list(by_row)
    for i, name in enumerate(names):
        share, error = accuracy(by_row[name])
        found[name] = {
            "accuracy": round(share, 4),
            "standard_error": round(error, 4),
            "against": {other: paired(by_row[name], by_row[other]) for other in names[:i]},
        }
    return found


def _hash(questions: Sequence[Item]) -> str:
    return hashlib.sha256(canonical_json(list(questions)).encode()).hexdigest()


def _cut(study: quality.Study, plan_id: str | None) -> str:
    if plan_id is None:
        return "dense"
    return str(read_manifest(study.workspace.existing("plans", plan_id))["cut_key"])


def _model(study: quality.Study, plan_id: str | None) -> PreTrainedModel:
    if plan_id is None:
        return study.language_model.model
    refits = stored_plan(study.workspace, plan_id).refits()
    return prune(study.language_model, open_plan(study.workspace, plan_id), refits=refits)


def markdown(report: Mapping[str, Any]) -> str:
    """Return the accuracies as a Markdown table, in per cent."""
    metrics = report["figures"]
    names = list(next(iter(metrics.values())))
    lines = [
        "| plan | " + " | ".join(metrics) + " |",
        "|---|" + "---|" * len(metrics),
    ]
    for name in names:
        cells = [
            f"{100 * each[name]['accuracy']:.1f} ± {100 * each[name]['standard_error']:.1f}"
            for each in metrics.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=None, help="../shared/data by default")
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--results", type=Path, default=None)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--best", default="least-squares", help="compensation of our pipeline")
    parser.add_argument("--row", action="append", default=None, help="as in quality.py")
    parser.add_argument("--ratio", type=float, default=0.2)
    parser.add_argument("--calibration", choices=["wikitext2", "c4"], default="wikitext2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-tokens", type=int, default=16384, help="to calibrate on")
    parser.add_argument("--n-items", type=int, default=400, help="of each task; 0 for all")
    options = parser.parse_args(arguments)
    options.row = options.row or [quality.DENSE, "flap, as published", quality.OURS]
    return options


def main() -> None:
    """Measure and print."""
    report = measure(parsed())
    print(markdown(report))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
