"""Perplexity of plans at equal size: ours, what the field's training-free pruners give, controls.

Run: ``python benchmarks/quality.py --data FOLDER`` measures, for a first look the main rows, one
seed and 60 windows of each text; the whole is ``--all-rows --seeds 0,1,2
--calibrations wikitext2,c4 --n-windows 0``. Then it prints the table in Markdown and JSON. The
losses of each window are saved as they are read (``--results``), and a rerun, with more windows,
rows or seeds too, goes on with what is missing. ``--report`` only prints. What it needs in the
folder: see ``held_out_texts.py``.

Protocol: windows of 512. Calibration on 16,384 tokens, either of WikiText-2 validation or of the
first half of a C4 file; a seed is a draw of windows, and no two seeds share one. Evaluation on
WikiText-2 test and on the C4 file's second half. Differences are paired by window; their errors
are over documents, of the mean over seeds. bfloat16 unless said otherwise, dense too.

Our allocation is searched once for each ratio, on WikiText-2 train (`allocation_search`).
Each rival stands in the table twice: as published, with the allocation and the compensation that
its authors give it, and with all that ours has around its score. Ours is read against the second;
``flap`` with all of it is the matched control. ``--row 'name={"score": "flap", "compensation":
"…"}'`` adds any other plan; ``"allocation": "searched"`` is ours.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from held_out_texts import articles, data_folder, drawn, packed, web_pages
from numpy.typing import NDArray
from result_files import (
    SEARCHED,
    Measurer,
    ResultFiles,
    Row,
    circumstances,
    mean_over_seeds,
    note,
    over_seeds,
    row_named,
    summary,
)

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import FnpruneError
from fnprune_core.evaluation import compare
from fnprune_core.evaluation.results import Perplexity
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.pruning.search.allocation import AllocationOrder
from fnprune_core.pruning.search.trials import search
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.scores.units import PUBLISHED
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

WINDOW = 512
SEARCH_WINDOWS = 24
DENSE = "dense"
CONTROL = "flap, all of ours"
OURS = "ours"
RIVALS = ("flap", "wanda", "taylor", "surgeon", "seed-paper", "magnitude", "random")
MAIN_ROWS = (DENSE, OURS, CONTROL, *(f"{rival}, as published" for rival in RIVALS))


def table_of_rows(best: str) -> dict[str, Row]:
    """Return the rows by name; `best` is the compensation of our pipeline."""
    pipeline = {"allocation": SEARCHED, "compensation": best}
    ours = {"score": "network-energy", **pipeline}
    settings: dict[str, dict[str, Any] | None] = {
        DENSE: None,
        OURS: ours,
        **{f"{rival}, as published": {"score": f"{rival}{PUBLISHED}"} for rival in RIVALS},
        **{f"{rival}, all of ours": {"score": rival, **pipeline} for rival in RIVALS},
        "membership, all of ours": {"score": "network-membership", **pipeline},
        # One part left out, or put in, at a time.
        "ours with 4 sink units": {**ours, "sink_units": 4},
        "ours, ends protected": {**ours, "allocation": "protect-ends"},
        "ours, uniform": {**ours, "allocation": "uniform"},
        "ours, bias": {**ours, "compensation": "bias"},
        "ours, none": {**ours, "compensation": "none"},
    }
    if best != "least-squares":
        settings["ours, least-squares"] = {**ours, "compensation": "least-squares"}
    return {
        name: Row(
            name=name,
            settings=each,
            uses_networks=each is not None and each["score"].startswith("network"),
        )
        for name, each in settings.items()
    }


class Study:
    """Texts, recordings and plans of the whole comparison."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.workspace = Workspace(options.workspace) if options.workspace else Workspace.default()
        self.language_model = load_model(options.model, dtype=options.dtype)
        folder = options.results or self.workspace.root / "benchmarks" / "quality"
        self.losses = ResultFiles(folder / "losses")
        self.cells = ResultFiles(folder / "cells")
        self.measurer = Measurer(self.workspace, self.language_model, self.losses)
        data = data_folder(options)
        pages = web_pages(data / "c4_train_first1000.jsonl")
        first, second = pages[: len(pages) // 2], pages[len(pages) // 2 :]
        valid = articles(data / "wikitext2" / "wiki.valid.raw")
        test = articles(data / "wikitext2" / "wiki.test.raw")
        cut = self._cut
        self.calibrations = {"wikitext2": (valid, "WikiText-2 validation"), "c4": (first, "C4")}
        self.texts: dict[str, Windows] = {
            name: cut(documents)
            for name, documents in {"wikitext2": test, "c4": second}.items()
            if name in options.texts
        }
        self._train = data / "wikitext2" / "wiki.train.head1M.raw"
        self.searches = ResultFiles(folder / "searches")
        self._recordings: dict[tuple[str, int], str] = {}
        self._kept = planner.KeptScores()

    def _cut(self, documents: Any, *, n_dummy: int = 0) -> Windows:
        return packed(self.language_model, documents, window=WINDOW, n_dummy=n_dummy)

    def recording(self, calibration: str, seed: int) -> str:
        """Return the recording of a seed's draw of a calibration text."""
        key = (calibration, seed)
        if key not in self._recordings:
            windows = drawn(
                self._cut(self.calibrations[calibration][0], n_dummy=4),
                self.options.n_tokens // WINDOW,
                seed=seed,
            )
            id = record(
                self.workspace,
                self.language_model,
                windows,
                settings=RecordingSettings(max_tokens=None),
            )
            recording = open_recording(self.workspace, id)
            for text in self.texts.values():
                compare.check_overlap(recording, text)
            self._recordings[key] = id
        return self._recordings[key]

    def decomposition(self, recording_id: str) -> str:
        """Return the networks of a recording."""
        settings = GroupICA(n_components=self.options.n_networks, n_runs=1)
        return group_ica.decompose(self.workspace, recording_id, settings=settings)

    def weights(self, ratio: float) -> tuple[float, ...]:
        """Return the layers' weights for a ratio: searched once, on WikiText-2 train.

        By plans of FLAP's score with least squares, calibrated on WikiText-2, seed 0; every
        calibration and seed then takes them.
        """
        windows = self._cut(articles(self._train))
        steps = np.linspace(0, windows.n_windows, SEARCH_WINDOWS, endpoint=False)
        windows = windows.select(steps.astype(np.int64))
        base = PlanSettings(score="flap", ratio=ratio, allocation="protect-ends")
        order = AllocationOrder(
            recording_id=self.recording("wikitext2", 0),
            base=base,
            shift=0.12 if ratio < 0.3 else 0.15,
        )
        key = {"order": asdict(order), "text": windows.text_sha256}
        found = self.searches.get(key)
        if found is None:
            n_plans = order.n_plans(self.language_model.layout.n_layers)
            note(f"search of the allocation, {ratio:.0%}: {n_plans} plans")
            made = search(self.workspace, self.language_model, windows, order=order)
            self.searches.put(
                key,
                {
                    "weights": list(made.best.settings.layer_weights),
                    "shares": made.best.shares.tolist(),
                    "gain": [made.gain.difference, made.gain.standard_error],
                },
            )
            return made.best.settings.layer_weights
        return tuple(found["weights"])

    def settings(self, row: Row, ratio: float) -> PlanSettings:
        """Return a row's settings at a ratio."""
        return row.at(ratio, weights=self.weights(ratio) if row.is_searched else ())

    def chosen(self, windows: Windows) -> NDArray[np.int64]:
        """Return the windows to read: all, or so many at even steps."""
        n = self.options.n_windows
        if not 0 < n < windows.n_windows:
            return np.arange(windows.n_windows)
        return np.linspace(0, windows.n_windows, n, endpoint=False).astype(np.int64)

    def measure(self, rows: Sequence[Row]) -> None:
        """Measure every cell that is missing, a whole seed before the next, and keep it."""
        for seed in self.options.seeds:
            for calibration in self.options.calibrations:
                missing = [
                    (row, ratio)
                    for ratio in self.options.ratios
                    for row in rows
                    if self.cells.get(self.key(row, calibration, seed, ratio)) is None
                ]
                plan_ids = self.plans(missing, calibration=calibration, seed=seed)
                for row, ratio in missing:
                    if (row.name, ratio) not in plan_ids:
                        continue
                    note(f"{row.name}, {calibration}, seed {seed}, {ratio:.0%}")
                    self._measure(
                        self.key(row, calibration, seed, ratio), plan_ids[row.name, ratio]
                    )

    def _measure(self, key: Mapping[str, Any], plan_id: str | None) -> None:
        if self.cells.get(key) is not None:  # the dense model stands at every ratio
            return
        found = {
            name: self.measurer.losses(windows, plan_id, chosen=self.chosen(windows))
            for name, windows in self.texts.items()
        }
        self.cells.put(
            key,
            {
                "texts": {name: result.to_json() for name, result in found.items()},
                "circumstances": circumstances(self.language_model),
            },
        )

    def plans(
        self, wanted: Sequence[tuple[Row, float]], *, calibration: str, seed: int
    ) -> dict[tuple[str, float], str | None]:
        """Return the plan of each row and ratio; None for dense, none where the library refuses.

        All are made in one call, because they share scores and the calibration's pass.
        """
        made: dict[tuple[str, float], str | None] = {
            (row.name, ratio): None for row, ratio in wanted if row.settings is None
        }
        members = [(row, ratio) for row, ratio in wanted if row.settings is not None]
        if not members:
            return made
        note(f"{len(members)} plans, {calibration}, seed {seed}")
        recording_id = self.recording(calibration, seed)
        uses_networks = any(row.uses_networks for row, _ in members)
        try:
            ids = planner.plans(
                self.workspace,
                self.language_model,
                recording_id=recording_id,
                decomposition_id=self.decomposition(recording_id) if uses_networks else None,
                settings=[self.settings(row, ratio).with_(seed=seed) for row, ratio in members],
                kept=self._kept,
            )
        except FnpruneError as error:  # which one it was, and the others without it
            if len(members) == 1:
                note(f"  {members[0][0].name} is refused: {error}")
                return made
            for one in members:
                made |= self.plans([one], calibration=calibration, seed=seed)
            return made
        return made | {(row.name, ratio): id for (row, ratio), id in zip(members, ids, strict=True)}

    def key(self, row: Row, calibration: str, seed: int, ratio: float) -> dict[str, Any]:
        """Return what a cell is found by."""
        dense = row.settings is None
        texts = {name: text.text_sha256 for name, text in self.texts.items()}
        return {
            "row": row.name,
            "settings": None if dense else dict(row.settings or {}),
            "ratio": 0.0 if dense else ratio,
            "calibration": "" if dense else calibration,
            "seed": 0 if dense else seed,
            "n_tokens": 0 if dense else self.options.n_tokens,
            "n_windows": self.options.n_windows,
            "texts": texts,
            "dtype": str(self.language_model.dtype),
            "fingerprint": self.language_model.fingerprint,
        }

    def report(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return the tables of what is there, one for each calibration and ratio."""
        tables = []
        for calibration in self.options.calibrations:
            for ratio in self.options.ratios:
                for text in self.texts:
                    tables.append(
                        {
                            "calibration": calibration,
                            "ratio": ratio,
                            "text": text,
                            "rows": self._lines(rows, calibration, ratio, text),
                        }
                    )
        return {"tables": tables, "circumstances": circumstances(self.language_model)}

    def _lines(
        self, rows: Sequence[Row], calibration: str, ratio: float, text: str
    ) -> list[dict[str, Any]]:
        found: dict[str, dict[int, Perplexity]] = {}
        for row in rows:
            for seed in self.options.seeds:
                cell = self.cells.get(self.key(row, calibration, seed, ratio))
                if cell is not None:
                    result = Perplexity.from_json(cell["texts"][text])
                    found.setdefault(row.name, {})[seed] = result
        return table_lines(found, dense=DENSE, compared_with=(self.options.ours, CONTROL))


def table_lines(
    found: Mapping[str, Mapping[int, Perplexity]], *, dense: str, compared_with: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a line a row: perplexity by seed, and paired differences to some rows.

    Parameters
    ----------
    found : mapping
        Row to seed to losses on the same windows.
    """
    lines = []
    for name, by_seed in found.items():
        results = list(by_seed.values())
        line: dict[str, Any] = {
            "row": name,
            "n_seeds": len(results),
            "by_seed": {seed: round(each.perplexity, 3) for seed, each in by_seed.items()},
            **summary(mean_over_seeds(results)),
        }
        if dense in found:
            reference = next(iter(found[dense].values()))
            line["times_dense"] = round(line["perplexity"] / reference.perplexity, 4)
        for other in compared_with:
            if other == name or other not in found or name == dense:
                continue
            shared = [seed for seed in by_seed if seed in found[other]]
            if shared:
                difference, error, each = over_seeds(
                    [by_seed[seed] for seed in shared], [found[other][seed] for seed in shared]
                )
                line[f"minus {other}"] = {
                    "nats": round(difference, 5),
                    "standard_error": round(error, 5),
                    "by_seed": [round(value, 5) for value in each],
                }
        lines.append(line)
    return lines


def markdown(report: Mapping[str, Any], *, compared_with: str) -> str:
    """Return the report as Markdown: rows, and for each ratio and text perplexity and difference.

    A table for each calibration; a difference is to `compared_with`, nats per token.
    """
    blocks = []
    for calibration in dict.fromkeys(each["calibration"] for each in report["tables"]):
        parts = [each for each in report["tables"] if each["calibration"] == calibration]
        names = list(dict.fromkeys(line["row"] for part in parts for line in part["rows"]))
        heads = [f"{part['ratio']:.0%}, {part['text']}" for part in parts]
        lines = [
            f"Calibrated on {calibration}; in brackets nats per token above “{compared_with}”, "
            "paired, ± standard error.",
            "",
            "| plan | " + " | ".join(heads) + " |",
            "|---|" + "---|" * len(parts),
        ]
        for name in names:
            cells = [
                _cell(next((x for x in part["rows"] if x["row"] == name), None), compared_with)
                for part in parts
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _cell(line: Mapping[str, Any] | None, compared_with: str) -> str:
    if line is None:
        return "–"
    text = f"{line['perplexity']:.2f}"
    if "times_dense" in line and line["row"] != DENSE:
        text += f" (×{line['times_dense']:.3f})"
    pair = line.get(f"minus {compared_with}")
    if pair and math.isnan(pair["standard_error"]):  # of too few documents there is none
        return f"{text} [{pair['nats']:+.3f}]"
    return text + (f" [{pair['nats']:+.3f} ± {pair['standard_error']:.3f}]" if pair else "")


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def names(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> list[int]:
        return [int(each) for each in text.split(",")]

    def shares(text: str) -> list[float]:
        return [float(each) for each in text.split(",")]

    parser.add_argument("--data", type=Path, default=None, help="../shared/data by default")
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--results", type=Path, default=None)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--best", default="least-squares", help="compensation of our pipeline")
    parser.add_argument("--ours", default=OURS, help="the row that others are compared with")
    parser.add_argument(
        "--row", action="append", default=[], help="a row's name, or name={JSON}; may be repeated"
    )
    parser.add_argument("--all-rows", action="store_true", help="the whole table, and --row")
    parser.add_argument("--calibrations", type=names, default=["wikitext2"])
    parser.add_argument("--texts", type=names, default=["wikitext2", "c4"])
    parser.add_argument("--seeds", type=numbers, default=[0])
    parser.add_argument("--ratios", type=shares, default=[0.2, 0.4])
    parser.add_argument("--n-tokens", type=int, default=16384, help="to calibrate on")
    parser.add_argument("--n-networks", type=int, default=64)
    parser.add_argument("--n-windows", type=int, default=60, help="of each text; 0 for all")
    parser.add_argument("--report", action="store_true", help="only print what is there")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure and print."""
    options = parsed()
    rows = table_of_rows(options.best)
    names = [*(rows if options.all_rows else () if options.row else MAIN_ROWS), *options.row]
    wanted = [row_named(text, rows) for text in names]
    study = Study(options)
    if not options.report:
        study.measure(wanted)
    report = study.report(wanted)
    print(markdown(report, compared_with=options.ours))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
