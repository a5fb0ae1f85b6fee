"""What a lesion costs: a forward pass under it over a bare one, on the same tokens.

Run: ``python benchmarks/lesion_cost.py [--model embedded] [--windows 4] [--rounds 12]``. The units
are drawn at random, as many in each layer as a network has; passes alternate within a round, in
random order, so that what else the machine does falls on all alike. A ratio is the median over
rounds, of the thread's CPU time and of the clock; the quartiles stand beside it. Prints JSON.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch

from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.loading import load_model
from fnprune_core.models.silencing import silenced
from fnprune_core.storage.manifests import package_versions

_SHARE = 0.016  # of all units, as beyond |z| = 3 in a network of the example
Context = Callable[[], AbstractContextManager[Any]]


def conditions(model: LanguageModel, share: float, seed: int) -> dict[str, Context]:
    """Return the passes that are compared, the bare one first."""
    rng = np.random.default_rng(seed)
    removed = [
        np.sort(rng.choice(width, size=max(1, round(share * width)), replace=False))
        for width in model.layout.widths
    ]
    centre = rng.standard_normal(model.layout.n_units).astype(np.float32)
    return {
        "bare": nullcontext,
        "bare again": nullcontext,
        "silenced": partial(silenced, model, removed),
        "halved": partial(silenced, model, removed, factor=0.5),
        "towards the mean": partial(silenced, model, removed, centre=centre),
    }


def measured(
    model: LanguageModel, ids: torch.Tensor, found: Mapping[str, Context], n_rounds: int, seed: int
) -> dict[str, Any]:
    """Return seconds of each pass by round, as ratios to the bare pass of the round."""
    rng = np.random.default_rng(seed)
    names = list(found)
    cpu, wall = np.empty((2, n_rounds, len(names)))
    for name in names:  # warm up
        _pass(model, ids, found[name])
    for i in range(n_rounds):
        for j in rng.permutation(len(names)):
            cpu[i, j], wall[i, j] = _pass(model, ids, found[names[j]])
    return {
        name: {"cpu": _ratio(cpu, j), "clock": _ratio(wall, j)} for j, name in enumerate(names) if j
    } | {"bare seconds of CPU": float(np.median(cpu[:, 0]))}


def _pass(model: LanguageModel, ids: torch.Tensor, context: Context) -> tuple[float, float]:
    start, clock = time.thread_time(), time.perf_counter()
    with torch.inference_mode(), context():
        float(model.model(ids, use_cache=False).logits[0, -1, 0])
    return time.thread_time() - start, time.perf_counter() - clock


def _ratio(seconds: np.ndarray, j: int) -> dict[str, float]:
    low, median, high = np.quantile(seconds[:, j] / seconds[:, 0], [0.25, 0.5, 0.75])
    return {"median": round(median, 4), "quartiles": [round(low, 4), round(high, 4)]}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_model(options.model)
    generator = torch.Generator().manual_seed(options.seed)
    shape = (options.windows, options.window)
    ids = torch.randint(model.anatomy().vocabulary_size, shape, generator=generator)
    found = conditions(model, _SHARE, options.seed)
    result = measured(model, ids.to(model.device), found, options.rounds, options.seed)
    setting = {"dtype": str(model.dtype), "device": str(model.device), **vars(options)}
    print(json.dumps({"ratios to a bare pass": result, **setting, "versions": package_versions()}))


if __name__ == "__main__":
    main()
