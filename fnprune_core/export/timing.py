"""Time models in a process of their own: ``python -m fnprune_core.export.timing JSON``.

Takes what to time as JSON and prints JSON lines. Nothing but torch, transformers and the saved
folders is in that process, so that neither a server nor the models that were loaded before it
disturb the clock or count as memory.
"""

import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedModel

from fnprune_core.models import modeling_per_layer
from fnprune_core.models.architectures import text_config
from fnprune_core.models.outputs import cache_arguments

CPU_FACTS = Path("/proc/cpuinfo")
MEMORY_FACTS = Path("/proc/self/status")
_SEED = 0


def load_folder(folder: Path, *, dtype: str, device: str) -> PreTrainedModel:
    """Return the model of an exported folder; code in the folder is not run, ours is."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    loader: Any = AutoModelForCausalLM
    if "auto_map" in config:
        name = config["auto_map"]["AutoModelForCausalLM"].rpartition(".")[2]
        loader = getattr(modeling_per_layer, name)
    model: PreTrainedModel = loader.from_pretrained(folder, dtype=getattr(torch, dtype))
    torch.nn.Module.to(model.eval(), device)
    return model


def seconds_of(
    model: PreTrainedModel,
    ids: torch.Tensor,
    *,
    n_decode: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Return the seconds that a model takes to read `ids` (1, tokens), and to write `n_decode`.

    As ``generate`` does it: the prompt in one pass with logits of its last token alone, then
    token by token, greedily, on the cache of keys and values.
    """

    def now() -> float:
        if ids.device.type == "cuda":
            torch.cuda.synchronize(ids.device)
        elif ids.device.type == "mps":
            torch.mps.synchronize()
        return clock()

    with torch.inference_mode():
        start = now()
        output = model(ids, use_cache=True, logits_to_keep=1)
        prompt_end = now()
        for _ in range(n_decode):
            token = output.logits[:, -1:].argmax(dim=-1)
            output = model(token, **cache_arguments(output), use_cache=True)
        decoding_end = now()
    return prompt_end - start, decoding_end - prompt_end


def time_interleaved(
    models: Mapping[str, PreTrainedModel],
    *,
    n_prefill: int,
    n_decode: int,
    n_rounds: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, list[tuple[float, float]]]:
    """Return (prefill, decoding) seconds of each model in each round, after one round to warm up.

    All models run in every round, in alternating order, so that what slows the machine slows
    them alike: pair them by round.
    """
    device = next(next(iter(models.values())).parameters()).device
    vocabulary = min(int(text_config(model).vocab_size) for model in models.values())
    generator = torch.Generator().manual_seed(_SEED)
    ids = torch.randint(vocabulary, (1, n_prefill), generator=generator).to(device)
    seconds: dict[str, list[tuple[float, float]]] = {label: [] for label in models}
    for round_index in range(n_rounds + 1):
        order = list(models) if round_index % 2 else list(models)[::-1]
        for label in order:
            model_seconds = seconds_of(models[label], ids, n_decode=n_decode)
            if round_index:
                seconds[label].append(model_seconds)
        report(round_index + 1, n_rounds + 1)
    return seconds


def facts_of(models: Mapping[str, PreTrainedModel]) -> dict[str, dict[str, int]]:
    """Return the number of parameters of each model, and their bytes."""
    facts = {}
    for label, model in models.items():
        parameters = {id(parameter): parameter for parameter in model.parameters()}.values()
        facts[label] = {
            "n_parameters": sum(parameter.numel() for parameter in parameters),
            "parameter_bytes": sum(
                parameter.numel() * parameter.element_size() for parameter in parameters
            ),
        }
    return facts


def machine(device: str) -> dict[str, Any]:
    """Return the facts that a time depends on: device, threads, versions."""
    name = platform.processor() or platform.machine()
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    elif CPU_FACTS.is_file():
        lines = CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines()
        model_names = [
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        ]
        name = next(iter(model_names), name)
    return {
        "device": device,
        "device_name": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def resident_bytes() -> int:
    """Return the most memory that this process has had so far.

    Linux hands ru_maxrss of the process that started this one down to it, so a large server
    would hide a small model: there the kernel's own mark of this program is read.
    """
    if MEMORY_FACTS.is_file():
        for line in MEMORY_FACTS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes, but on macOS


def _time_models(request: Mapping[str, Any]) -> dict[str, Any]:
    options = {"dtype": request["dtype"], "device": request["device"]}
    models = {
        label: load_folder(Path(folder), **options) for label, folder in request["folders"].items()
    }
    seconds = time_interleaved(
        models,
        n_prefill=request["n_prefill"],
        n_decode=request["n_decode"],
        n_rounds=request["n_rounds"],
        report=lambda done, total: _print_json({"done": done, "total": total}),
    )
    return {"seconds": seconds, "facts": facts_of(models), "machine": machine(request["device"])}


def _measure_memory(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the most memory that loading one model and using it once takes."""
    bytes_before, on_gpu = resident_bytes(), request["device"].startswith("cuda")
    [folder] = request["folders"].values()
    model = load_folder(Path(folder), dtype=request["dtype"], device=request["device"])
    time_interleaved(
        {"": model}, n_prefill=request["n_prefill"], n_decode=request["n_decode"], n_rounds=0
    )
    peak = torch.cuda.max_memory_allocated(request["device"]) if on_gpu else resident_bytes()
    return {"peak_bytes": peak, "bytes_before": 0 if on_gpu else bytes_before}


def _print_json(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the request in the first argument, JSON; print JSON lines, the last with the result."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    _print_json(
        {"result": (_measure_memory if request["what"] == "memory" else _time_models)(request)}
    )


if __name__ == "__main__":
    main()
