"""Measured speed and memory of the dense model and of a plan's copies, on this machine.

Every model is a folder that a fresh process loads (`timing`): speeds are compared within rounds,
in which all models run in alternating order, and memory is the peak of a process of its own.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import torch
from scipy.stats import quantile_test

from fnprune_core.errors import CorruptArtifactError, FnpruneError, PlanError, SettingsError
from fnprune_core.evaluation.results import DENSE
from fnprune_core.export.export import relative_difference
from fnprune_core.export.forms import form_named
from fnprune_core.inputs.numbers import check_most
from fnprune_core.inputs.records import record_of
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.files import stored_plan
from fnprune_core.progress import NEVER, Cancelled, CancelToken, Progress, ProgressEvent, ignore
from fnprune_core.pruning.slicing import prune
from fnprune_core.storage.checksums import MANIFEST, checked
from fnprune_core.storage.folders import check_free_space, new_folder, storage_errors
from fnprune_core.storage.json_files import read_json, write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SPEED_FILE = "speed.json"
_FEWEST_FOR_AN_INTERVAL = 6  # the chance that six of six lie on one side of the median is 2/64
_PACKAGE = Path(__file__).parents[2]
_ERROR = re.compile(r"[\w.]+(Error|Exception)\b")

What = Literal["prefill", "decoding"]
WHATS: tuple[What, ...] = ("prefill", "decoding")


#: Tokens or rounds of a measurement.
MOST_MEASURED = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedSettings:
    """Settings of a speed measurement.

    Parameters
    ----------
    n_prefill : int
        Tokens of the prompt, read in one pass.
    n_decode : int
        Tokens written after it, one by one, batch 1, on the cache of keys and values.
    n_rounds : int
        Rounds that count; one more warms up.
    """

    n_prefill: int = 512
    n_decode: int = 64
    n_rounds: int = 7

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            check_most(name, value, MOST_MEASURED)
            if value < 1:
                raise SettingsError(f"{name} must be 1 or more, got {value}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Dense seconds over this model's, paired by round: above 1 is faster than dense.

    `low` and `high` bound the median with 95 % confidence or a little more, whatever the
    distribution (order statistics); of fewer than six rounds they are the range.
    """

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpeed:
    """Seconds and memory of one model.

    Parameters
    ----------
    prefill_s, decoding_s : tuple of float
        Seconds in each round: of the prompt, and of all tokens written after it.
    peak_bytes : int
        Most memory of a process that loads the model and uses it once; on a GPU, of the device.
    bytes_before : int
        Of it, what the process had before it loaded the model (Python and torch).
    """

    prefill_s: tuple[float, ...]
    decoding_s: tuple[float, ...]
    peak_bytes: int
    bytes_before: int
    n_parameters: int
    parameter_bytes: int

    def seconds(self, what: What) -> tuple[float, ...]:
        """Return the seconds of each round."""
        return self.prefill_s if what == "prefill" else self.decoding_s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speed:
    """Speeds of several models measured together; the first is what the others are paired with.

    Parameters
    ----------
    models : mapping
        By label.
    protocol : mapping
        Tokens, rounds, dtype, device, threads and versions.
    """

    models: Mapping[str, ModelSpeed]
    protocol: Mapping[str, Any]

    def ratio(self, label: str, what: What) -> Ratio:
        """Return how many times as fast as the first model this one is."""
        first = next(iter(self.models.values())).seconds(what)
        pairs = [a / b for a, b in zip(first, self.models[label].seconds(what), strict=True)]
        low, high = min(pairs), max(pairs)
        if len(pairs) >= _FEWEST_FOR_AN_INTERVAL:
            interval: Any = quantile_test(pairs, p=0.5).confidence_interval(0.95)
            low, high = float(interval.low), float(interval.high)
        return Ratio(median=median(pairs), low=low, high=high)

    def tokens_per_second(self, label: str, what: What) -> float:
        """Return the tokens per second, the median over rounds."""
        n_tokens = self.protocol["n_prefill" if what == "prefill" else "n_decode"]
        return float(n_tokens / median(self.models[label].seconds(what)))

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per model, for tables and JSON."""
        rows = []
        for label, model_speed in self.models.items():
            row: dict[str, Any] = {"model": label}
            for what in WHATS:
                row[f"{what}_tokens_per_s"] = self.tokens_per_second(label, what)
                ratio = self.ratio(label, what)
                row[f"{what}_ratio"] = ratio.median
                row[f"{what}_ratio_interval"] = [ratio.low, ratio.high]
            rows.append(
                {
                    **row,
                    "peak_bytes": model_speed.peak_bytes,
                    "bytes_before": model_speed.bytes_before,
                    "n_parameters": model_speed.n_parameters,
                    "parameter_bytes": model_speed.parameter_bytes,
                }
            )
        return rows

    def sentence(self) -> str:
        """Return a sentence for people on how the speeds were measured."""
        protocol = self.protocol
        threads = "" if protocol["device"] != "cpu" else f", {protocol['threads']} threads"
        spread = "95 % interval" if protocol["n_rounds"] >= _FEWEST_FOR_AN_INTERVAL else "range"
        return (
            f"Prompt of {protocol['n_prefill']} tokens, then {protocol['n_decode']} written one by "
            "one (batch 1, with cache), "
            f"{protocol['dtype']} on {protocol['device_name']}{threads}, "
            f"torch {protocol['torch']}; {protocol['n_rounds']} rounds in alternating order, "
            f"ratios paired by round: median and {spread}. Memory: the peak of a fresh process."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the speeds as a JSON object."""
        models = {label: asdict(model_speed) for label, model_speed in self.models.items()}
        return {"models": models, "order": list(models), "protocol": dict(self.protocol)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Speed":
        """Return the speeds that `to_json` wrote."""
        models = record_of(dict[str, ModelSpeed], value["models"])
        return cls(
            models={label: models[label] for label in value["order"]}, protocol=value["protocol"]
        )


def time_folders(
    folders: Mapping[str, Path],
    *,
    dtype: torch.dtype,
    device: torch.device,
    settings: SpeedSettings | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> Speed:
    """Return the speed and memory of models in folders, measured in fresh processes.

    Parameters
    ----------
    folders : mapping
        Label to a folder with config and safetensors; the first is the reference of the ratios.

    Raises
    ------
    FnpruneError
        If a process ends without a result, saying why.
    """
    settings = settings or SpeedSettings()
    request = {
        "what": "time",
        "folders": {label: str(folder) for label, folder in folders.items()},
        "dtype": str(dtype).removeprefix("torch."),
        "device": str(device),
        "threads": torch.get_num_threads(),
        **asdict(settings),
    }
    memory = {}
    for done, (label, folder) in enumerate(folders.items()):
        event = ProgressEvent(stage="memory", done=done, total=len(folders), unit="models")
        progress(event)
        memory_request = {**request, "what": "memory", "folders": {label: str(folder)}}
        memory[label] = _run_timing(memory_request, lambda done, total: None, cancel)

    def report(done: int, total: int) -> None:
        progress(ProgressEvent(stage="speed", done=done, total=total, unit="rounds"))

    result = _run_timing(request, report, cancel)
    models = {
        label: ModelSpeed(
            prefill_s=tuple(prefill for prefill, _ in result["seconds"][label]),
            decoding_s=tuple(decoding for _, decoding in result["seconds"][label]),
            **memory[label],
            **result["facts"][label],
        )
        for label in folders
    }
    protocol = {**asdict(settings), "dtype": request["dtype"], **result["machine"]}
    return Speed(models=models, protocol=protocol)


def _run_timing(
    request: Mapping[str, Any], report: Callable[[int, int], None], cancel: CancelToken
) -> dict[str, Any]:
    """Return the result of `timing` in a process of its own, which a cancel ends."""
    cancel.raise_if_cancelled()
    path = os.pathsep.join(filter(None, (str(_PACKAGE), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "fnprune_core.export.timing", json.dumps(request)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": path, "TRANSFORMERS_VERBOSITY": "error"},
        )
        try:
            for line in process.stdout or ():
                if cancel.is_cancelled:
                    raise Cancelled
                value = json.loads(line)
                if "result" in value:
                    return dict(value["result"])
                report(value["done"], value["total"])
        finally:
            process.kill()
            process.communicate()
        stderr.seek(0)
        lines = [line.strip() for line in stderr if line.strip()]
        errors = [line for line in lines if _ERROR.match(line)]  # the rest may be advice
    raise FnpruneError(
        "The process that measures speed ended without a result: "
        f"{(errors or lines or [f'exit status {process.returncode}'])[-1].rstrip('.')}.",
        hint="Is there memory for all the models at once? Measure fewer forms together.",
    )


def speed_forms(is_uniform: bool) -> tuple[str, ...]:
    """Return the forms whose speed is worth measuring for a plan."""
    return ("masked", "uniform" if is_uniform else "per-layer")


def measure_speed(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    *,
    forms: Sequence[str] | None = None,
    settings: SpeedSettings | None = None,
    progress: Progress = ignore,
    cancel: CancelToken = NEVER,
) -> str:
    """Measure dense and a plan's copies together on this machine; return the result's id.

    Disk for a moment: the dense model and each copy. Measured anew each time: a machine has
    good and bad days, and the newest counts.

    Raises
    ------
    PlanError
        If a form does not take the plan.
    """
    settings = settings or SpeedSettings()
    stored = stored_plan(workspace, plan_id)
    plan, refits = stored.plan, stored.refits()
    language_model.check_fingerprint(plan.fingerprint, "plan")
    measured_forms = tuple(forms or speed_forms(plan.is_uniform))
    for form in measured_forms:
        if form_named(form).is_gguf:
            raise PlanError(
                f"The form {form} is for other tools, whose speed is not measured here.",
                hint="llama.cpp brings llama-bench for that.",
            )
    with storage_errors(workspace.root):
        workspace.root.mkdir(parents=True, exist_ok=True)
    needed_bytes = language_model.anatomy().parameter_bytes * (1 + len(measured_forms))
    check_free_space(workspace.root, needed_bytes)
    with (
        storage_errors(workspace.root),
        tempfile.TemporaryDirectory(prefix=".unfinished-speed-", dir=workspace.root) as scratch,
    ):
        folders = {DENSE: Path(scratch) / DENSE}
        with language_model.lock, storage_errors(Path(scratch)):
            language_model.model.save_pretrained(folders[DENSE])
        for form in measured_forms:
            folders[form] = Path(scratch) / form
            with storage_errors(Path(scratch)):
                form_named(form).build(language_model, plan, refits=refits).save_pretrained(
                    folders[form]
                )
        speed = time_folders(
            folders,
            dtype=language_model.dtype,
            device=language_model.device,
            settings=settings,
            progress=progress,
            cancel=cancel,
        )
    return save_speed(workspace, speed, cut_key=stored.cut_key, plan_id=stored.id)


def save_speed(workspace: Workspace, speed: Speed, *, cut_key: str, plan_id: str) -> str:
    """Store a measurement in the workspace; return its id."""
    inputs = {"cut_key": cut_key, "speed": speed.to_json()}
    id = artifact_id("speeds", inputs)
    facts = {"plan_id": plan_id, "cut_key": cut_key, "rows": speed.rows()}
    with new_folder(workspace.folder("speeds", id)) as folder:
        write_json(folder / SPEED_FILE, speed.to_json())
        write_json(folder / MANIFEST, manifest_of("speeds", {"cut_key": cut_key}, facts))
    return id


def open_speed(workspace: Workspace, id: str) -> Speed:
    """Return a stored measurement."""
    folder = workspace.existing("speeds", id)
    path = checked(folder, read_manifest(folder), SPEED_FILE)
    try:
        return Speed.from_json(read_json(path))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptArtifactError(f"{path} is missing or damaged.", hint="Measure again.") from (
            error
        )


def speeds_of(workspace: Workspace, plan_id: str) -> list[str]:
    """Return the measurements of a plan, or of one that cuts the same, newest first."""
    return speeds_of_cut(workspace, stored_plan(workspace, plan_id).cut_key)


def speeds_of_cut(workspace: Workspace, cut_key: str) -> list[str]:
    """Return the measurements of a cut, newest first."""
    entries = workspace.entries("speeds")
    return [entry.id for entry in entries if entry.manifest["cut_key"] == cut_key]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedCopy:
    """Comparison of a pruned copy with the dense model and the silenced one.

    Parameters
    ----------
    n_units_removed, n_parameters_dense, n_parameters_pruned : int
    speed_ups : tuple of float
        Seconds of a dense forward pass over those of a pruned one, for each repeat.
    logits_difference : float
        ‖pruned − silenced‖ / ‖silenced‖ of the logits.
    """

    n_units_removed: int
    n_parameters_dense: int
    n_parameters_pruned: int
    speed_ups: tuple[float, ...]
    logits_difference: float


def measure_pruned_copy(
    workspace: Workspace, language_model: LanguageModel, plan_id: str, *, n_repeats: int = 5
) -> PrunedCopy:
    """Prune a copy in memory, compare it with the silenced model, and time both."""
    stored = stored_plan(workspace, plan_id)
    plan, refits = stored.plan, stored.refits()
    dense, pruned = language_model.model, prune(language_model, plan, refits=refits)
    n_tokens = min(512, language_model.context_size or 512)
    generator = torch.Generator().manual_seed(0)
    vocabulary = language_model.anatomy().vocabulary_size
    ids = torch.randint(vocabulary, (1, n_tokens), generator=generator).to(language_model.device)

    def seconds(model: "PreTrainedModel") -> float:
        start = time.perf_counter()
        float(model(ids, use_cache=False).logits[0, -1, 0])  # waits for the device
        return time.perf_counter() - start

    with language_model.lock, torch.inference_mode():
        with silenced(language_model, plan.removed, refits=refits):
            expected = dense(ids, use_cache=False).logits
        difference = relative_difference(pruned(ids, use_cache=False).logits, expected)
        speed_ups = tuple(seconds(dense) / seconds(pruned) for _ in range(n_repeats))
    return PrunedCopy(
        n_units_removed=plan.n_removed,
        n_parameters_dense=dense.num_parameters(),
        n_parameters_pruned=pruned.num_parameters(),
        speed_ups=speed_ups,
        logits_difference=difference,
    )
