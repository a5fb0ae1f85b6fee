"""What a machine can do at most: products, memory and disk; and ways to add a Gram matrix.

Run: ``python benchmarks/rates.py [--tokens 4096 --width 11008 --disk-gb 4]``. Prints JSON. The ways
add xᵀ x of a layer's signals to a matrix of units², each the best of some rounds by turns: by
numpy, which knows that the product is symmetric and then adds it; by BLAS's `ssyrk`, in place; by
torch, in place, all of it; and its upper triangle by blocks of rows, as `GramSums` does.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.linalg import blas

from fnprune_core.storage.manifests import package_versions

_BLOCKS = (256, 512, 1024, 2048)
_CHUNK = 64 << 20


def best_of(
    ways: dict[str, Callable[[], object]],
    n_rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return the fewest seconds of each way over rounds in which they take turns."""
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(n_rounds):
        for name, work in ways.items():
            start = clock()
            work()
            seconds[name] = min(seconds[name], clock() - start)
    return seconds


def gram_ways(n_tokens: int, width: int, *, n_rounds: int) -> dict[str, float]:
    """Return the seconds of each way to add xᵀ x, (width, width), to a matrix.

    Of processor time, all threads together: others on the machine count less.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n_tokens, width, generator=generator, dtype=torch.float32)
    sums = torch.zeros(width, width, dtype=torch.float32)
    x_array, sums_array = x.numpy(), sums.numpy()
    by_columns = np.asfortranarray(sums_array)

    def numpy_adds() -> None:
        np.add(sums_array, x_array.T @ x_array, out=sums_array)

    def ssyrk() -> None:
        blas.ssyrk(1.0, x_array.T, beta=1.0, c=by_columns, overwrite_c=1)

    def torch_whole() -> None:
        torch.addmm(sums, x.T, x, out=sums)

    def by_blocks(n_rows: int) -> Callable[[], None]:
        room = torch.zeros(n_rows * width, dtype=torch.float32)

        def add() -> None:
            for start in range(0, width, n_rows):
                rows = x[:, start : start + n_rows]
                stored = room[: rows.shape[1] * (width - start)].view(rows.shape[1], -1)
                torch.addmm(stored, rows.T, x[:, start:], out=stored)

        return add

    ways: dict[str, Callable[[], None]] = {
        "numpy, x.T @ x added": numpy_adds,
        "BLAS ssyrk, in place": ssyrk,
        "torch, whole, in place": torch_whole,
        **{f"torch, upper blocks of {n} rows": by_blocks(n) for n in _BLOCKS},
    }
    return best_of(ways, n_rounds, time.process_time)


def product_gflops(n_tokens: int, width: int, dtype: torch.dtype) -> float:
    """Return the billions of operations a second of a product (width, tokens) × (tokens, width)."""
    x = torch.ones(n_tokens, width, dtype=dtype)
    room = torch.zeros(width, width, dtype=dtype)
    seconds = best_of({"product": lambda: torch.mm(x.T, x, out=room)}, 3)["product"]
    return 2 * n_tokens * width**2 / seconds / 1e9


def copied_gb_s(n_bytes: int = 1 << 30) -> float:
    """Return the bytes read and written a second by a copy in memory, in GB."""
    source = torch.ones(n_bytes // 4, dtype=torch.float32)
    target = torch.zeros_like(source)
    return 2 * n_bytes / best_of({"copy": lambda: target.copy_(source)}, 5)["copy"] / 1e9


def disk_gb_s(n_gb: float) -> dict[str, float]:
    """Return the speed of a file that is written, made safe, forgotten and read, in GB/s."""
    n_chunks = max(1, int(n_gb * 1e9 / _CHUNK))
    chunk = np.random.default_rng(0).bytes(_CHUNK)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        start = time.perf_counter()
        with path.open("wb") as file:
            for _ in range(n_chunks):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            written = time.perf_counter() - start
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        start = time.perf_counter()
        with path.open("rb") as file:
            while file.read(_CHUNK):
                pass
        read = time.perf_counter() - start
    size = n_chunks * _CHUNK / 1e9
    return {"written": size / written, "read": size / read}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--disk-gb", type=float, default=0.5)
    options = parser.parse_args()
    result = {
        "tokens": options.tokens,
        "width": options.width,
        "gram_cpu_s": gram_ways(options.tokens, options.width, n_rounds=options.rounds),
        "product_gflops": {
            "float32": product_gflops(options.tokens, options.width, torch.float32),
            "float64": product_gflops(options.tokens, options.width, torch.float64),
        },
        "copied_gb_s": copied_gb_s(),
        "disk_gb_s": disk_gb_s(options.disk_gb),
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "versions": package_versions(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
