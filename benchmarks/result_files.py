"""Results of the benchmarks: one JSON file an evaluation, so that a rerun goes on where it stopped.

A row is a plan by name: settings of the library, nothing of its own. `Measurer` makes the plan,
cuts a copy, reads the windows and keeps the loss of each window with what gave it.
"""

import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.evaluation.results import Perplexity, Protocol, paired_difference
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.allocation import WEIGHTED
from fnprune_core.plans.files import stored_plan
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning.slicing import prune
from fnprune_core.storage.json_files import canonical_json, read_json, write_json
from fnprune_core.storage.manifests import package_versions
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

WINDOWS_A_SAVE = 40
SEARCHED = "searched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table.

    Parameters
    ----------
    name : str
    settings : mapping or None
        Fields of `PlanSettings`, the ratio aside; None for the dense model. The allocation may be
        `SEARCHED`: weights of the layers that a search found for the ratio.
    uses_networks : bool
        Whether the plan needs a decomposition.
    """

    name: str
    settings: Mapping[str, Any] | None
    uses_networks: bool = False

    @property
    def is_searched(self) -> bool:
        """Whether its allocation is searched."""
        return self.settings is not None and self.settings.get("allocation") == SEARCHED

    def at(self, ratio: float, *, weights: Sequence[float] = ()) -> PlanSettings:
        """Return the settings at a ratio, with the weights of a search where they need them."""
        settings: dict[str, Any] = {**(self.settings or {}), "ratio": ratio}
        if self.is_searched:
            settings |= {"allocation": WEIGHTED, "layer_weights": tuple(weights)}
        return PlanSettings(**settings)


def row_named(text: str, rows: Mapping[str, Row]) -> Row:
    """Return a row of the table, or the one that ``name={"score": …, …}`` spells out."""
    name, is_spelled, settings = text.partition("=")
    if not is_spelled:
        if text not in rows:
            raise SystemExit(
                f"There is no row {text!r}. Rows: {', '.join(rows)}; or name={{JSON}}."
            )
        return rows[text]
    chosen = json.loads(settings)
    known = {field.name for field in fields(PlanSettings)}
    unknown = sorted(set(chosen) - known)
    if unknown:
        raise SystemExit(
            f"A plan has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}."
        )
    for key, value in chosen.items():
        if isinstance(value, list):
            chosen[key] = tuple(value)
    return Row(name=name, settings=chosen, uses_networks="network" in chosen.get("score", ""))


class ResultFiles:
    """A folder of results; each file is written at once, and read again by a later run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: Mapping[str, Any]) -> Path:
        """Return the file of what `key` determines."""
        digest = hashlib.sha256(canonical_json(dict(key)).encode()).hexdigest()[:16]
        return self.folder / f"{digest}.json"

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what was stored for `key`, or None."""
        path = self.path(key)
        return dict(read_json(path)) if path.is_file() else None

    def put(self, key: Mapping[str, Any], value: Mapping[str, Any]) -> None:
        """Store a result with its key."""
        write_json(self.path(key), {"key": dict(key), **value})

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self.folder.glob("*.json")):
            yield dict(read_json(path))


def circumstances(language_model: LanguageModel) -> dict[str, Any]:
    """Return what stands with every figure: model, dtype, device, threads, versions."""
    return {
        "model": language_model.name,
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype).removeprefix("torch."),
        "device": language_model.device.type,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "versions": package_versions(),
    }


class Measurer:
    """Makes plans and reads windows with cut copies; what is stored is not measured again."""

    def __init__(
        self,
        workspace: Workspace,
        language_model: LanguageModel,
        results: ResultFiles,
        *,
        batch_size: int = 4,
    ) -> None:
        self.workspace, self.language_model = workspace, language_model
        self.results, self.batch_size = results, batch_size

    def losses(
        self, windows: Windows, plan_id: str | None, *, chosen: NDArray[np.int64] | None = None
    ) -> Perplexity:
        """Return the losses of the dense model (None) or of a plan.

        Parameters
        ----------
        chosen : ndarray, optional
            Numbers of the windows to read; all by default. What an earlier run has read of the
            same text is not read again.
        """
        wanted = np.arange(windows.n_windows) if chosen is None else np.asarray(chosen)
        key = self._key(windows, plan_id)
        stored = self.results.get(key) or {"window_nll": [None] * windows.n_windows, "seconds": 0}
        nll = stored["window_nll"]
        missing = [int(i) for i in wanted if nll[i] is None]
        model = self._model(plan_id if missing else None)
        for start in range(0, len(missing), WINDOWS_A_SAVE):
            part = missing[start : start + WINDOWS_A_SAVE]
            began = time.perf_counter()
            read = perplexity(model, windows.select(part), batch_size=self.batch_size)
            for i, loss in zip(part, read.window_nll.tolist(), strict=True):
                nll[i] = loss
            stored["seconds"] += time.perf_counter() - began
            stored["circumstances"] = circumstances(self.language_model)
            self.results.put(key, stored)
            note(f"{start + len(part)} of {len(missing)} windows, here {read.perplexity:.3f}")
        return perplexity_of(self.language_model, windows, nll, wanted)

    def _key(self, windows: Windows, plan_id: str | None) -> dict[str, Any]:
        cut = "dense"
        if plan_id is not None:
            cut = stored_plan(self.workspace, plan_id).cut_key
        return {
            "cut": cut,
            "fingerprint": self.language_model.fingerprint,
            "dtype": str(self.language_model.dtype),
            "device": self.language_model.device.type,
            "text_sha256": windows.text_sha256,
        }

    def _model(self, plan_id: str | None) -> PreTrainedModel:
        if plan_id is None:
            return self.language_model.model
        stored = stored_plan(self.workspace, plan_id)
        made = stored.plan
        refits = stored.refits()
        return prune(self.language_model, made, refits=refits)


def perplexity_of(
    language_model: LanguageModel,
    windows: Windows,
    nll: list[float | None],
    chosen: NDArray[np.int64],
) -> Perplexity:
    """Return stored losses of some windows of a text as the library's own result."""
    part = windows.select(chosen)
    return Perplexity(
        window_nll=np.array([nll[i] for i in chosen], dtype=np.float64),
        window_tokens=np.diff(part.starts) - 1,
        groups=part.document_index[part.starts[:-1]].astype(np.int64),
        protocol=Protocol(
            text_sha256=part.text_sha256,
            n_tokens=part.n_tokens - part.n_windows,
            n_windows=part.n_windows,
            window=part.window,
            adds_bos=part.adds_bos,
            dtype=str(language_model.dtype).removeprefix("torch."),
            device=language_model.device.type,
        ),
    )


def over_seeds(
    firsts: list[Perplexity], seconds: list[Perplexity]
) -> tuple[float, float, list[float]]:
    """Return a mean paired difference over seeds, its standard error, and each seed's difference.

    The windows are the same for each seed, so the losses are averaged over seeds window by
    window: the error is that over the text, for the mean over these seeds.
    """
    a, b = mean_over_seeds(firsts), mean_over_seeds(seconds)
    paired = paired_difference(a, b)
    each = [paired_difference(x, y).difference for x, y in zip(firsts, seconds, strict=True)]
    return paired.difference, paired.standard_error, each


def mean_over_seeds(results: list[Perplexity]) -> Perplexity:
    """Return losses averaged over results of the same windows."""
    first = results[0]
    return Perplexity(
        window_nll=np.mean([each.window_nll for each in results], axis=0),
        window_tokens=first.window_tokens,
        groups=first.groups,
        protocol=first.protocol,
    )


def summary(result: Perplexity) -> dict[str, Any]:
    """Return the figures of a result that a table shows, and how it was measured."""
    return {
        "perplexity": round(result.perplexity, 4),
        "standard_error": round(result.standard_error, 4),
        "nats_per_token": round(result.mean_nll, 5),
        "protocol": asdict(result.protocol),
    }


def note(text: str) -> None:
    """Tell on standard error how far it is: the JSON on standard output stays alone."""
    with suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)
