"""Tasks without a network: the last word of LAMBADA, PIQA and ARC-easy, for dense and pruned.

Run: ``python benchmarks/zero_shot.py --data FOLDER``. Prints a table in Markdown and then JSON;
the answers to each item are saved (``--results``), and a rerun goes on with what is missing.

As lm-evaluation-harness computes them: ``acc`` of LAMBADA, whether every token of the last word is
the likeliest; of the others, whether the right answer has the highest log-likelihood (``acc``) or
the highest for its number of characters (``acc_norm``). The items, evenly spread over each file,
are the same for all; differences are paired by item, with the exact McNemar test.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import quality
import torch
from held_out_texts import data_folder
from numpy.typing import NDArray
from result_files import ResultFiles, circumstances, note, row_named
from scipy.stats import binomtest
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fnprune_core.plans.files import open_plan, stored_plan
from fnprune_core.pruning.slicing import prune
from fnprune_core.storage import canonical_json, read_manifest

TASKS = {
    "lambada": ("task_lambada_openai.jsonl", ("acc",)),
    "piqa": ("task_piqa.jsonl", ("acc", "acc_norm")),
    "arc_easy": ("task_arc_easy.jsonl", ("acc", "acc_norm")),
}
WINDOW = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A context with its possible continuations, and which is right."""

    context: str
    choices: tuple[str, ...]
    gold: int

    @property
    def continuations(self) -> tuple[str, ...]:
        """What is scored after the context: each choice behind a space."""
        return tuple(f" {choice}" for choice in self.choices)


def item_of(row: Mapping[str, Any]) -> Item:
    """Return a task file's row as the harness asks it."""
    if "continuation" in row:
        return Item(context=row["context"], choices=(row["continuation"],), gold=0)
    question = row["query"].rstrip("\n")
    return Item(
        context=f"{question}\nAnswer:", choices=tuple(row["choices"]), gold=int(row["gold"])
    )


def items(path: Path, n: int) -> list[Item]:
    """Return so many items, at even steps through the file; 0 for all."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    n = min(n, len(rows)) or len(rows)
    return [item_of(rows[i * len(rows) // n]) for i in range(n)]


def encoded(
    tokenizer: PreTrainedTokenizerBase, context: str, continuation: str
) -> tuple[list[int], int]:
    """Return the tokens of both, cut to what the model reads, and how many are the continuation's.

    Tokenised together, as the harness does: the continuation is what follows the context's own.
    """
    whole = list(tokenizer(context + continuation, verbose=False)["input_ids"])
    before = len(tokenizer(context, verbose=False)["input_ids"])
    return whole[-WINDOW:], len(whole) - before


@torch.inference_mode()
def scored(
    model: PreTrainedModel, requests: Sequence[tuple[list[int], int]], *, batch_size: int = 16
) -> list[tuple[float, bool]]:
    """Return each continuation's log-likelihood, and whether each of its tokens is the likeliest.

    Parameters
    ----------
    requests : sequence of (token ids, number of tokens of the continuation)
    """
    order = sorted(range(len(requests)), key=lambda i: len(requests[i][0]))
    results: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        longest = max(len(requests[i][0]) for i in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, i in enumerate(batch):
            tokens = requests[i][0]
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        logits = model(
            ids.to(model.device), attention_mask=mask.to(model.device), use_cache=False
        ).logits
        for row, i in enumerate(batch):
            tokens, n_asked = requests[i]
            asked = slice(len(tokens) - n_asked - 1, len(tokens) - 1)
            log_p = logits[row, asked].float().log_softmax(dim=-1).cpu()
            targets = torch.tensor(tokens[-n_asked:])
            total = log_p.gather(1, targets[:, None]).double().sum()
            results[i] = (float(total), bool((log_p.argmax(dim=-1) == targets).all()))
    return results


def answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, asked: Sequence[Item]
) -> dict[str, list[bool]]:
    """Return by metric whether each item was answered right."""
    requests = [
        encoded(tokenizer, item.context, continuation)
        for item in asked
        for continuation in item.continuations
    ]
    found = iter(scored(model, requests))
    right: dict[str, list[bool]] = {"acc": [], "acc_norm": []}
    for item in asked:
        scores = [next(found) for _ in item.choices]
        if len(scores) == 1:
            right["acc"].append(scores[0][1])
            continue
        log_p = np.array([score for score, _ in scores])
        lengths = np.array([len(choice) for choice in item.choices])
        right["acc"].append(bool(np.argmax(log_p) == item.gold))
        right["acc_norm"].append(bool(np.argmax(log_p / lengths) == item.gold))
    return right


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
    data = data_folder(options)
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
            }
            stored = results.get(key)
            if stored is None:
                note(f"{row.name}: {task}, {len(questions)} items")
                if model is None:
                    model = _model(study, plan_id)
                stored = {"right": answers(model, language_model.tokenizer, questions)}
                results.put(key, stored)
            for metric in TASKS[task][1]:
                answered = np.array(stored["right"][metric], dtype=bool)
                right.setdefault(f"{task} {metric}", {})[row.name] = answered
    return {
        "ratio": options.ratio,
        "calibration": f"{options.calibration}, seed {options.seed}, {options.n_tokens} tokens",
        "n_items": {task: len(questions) for task, questions in asked.items()},
        "figures": {metric: figures(by_row) for metric, by_row in right.items()},
        "circumstances": circumstances(language_model),
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
    text = canonical_json([[item.context, *item.choices, item.gold] for item in questions])
    return hashlib.sha256(text.encode()).hexdigest()


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
    options.row = options.row or [quality.DENSE, "flap-published, bias", quality.OURS]
    return options


def main() -> None:
    """Measure and print."""
    report = measure(parsed())
    print(markdown(report))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
