"""How long `fnprune doctor` proves a model of random weights: 1.24 billion parameters by default.

Run: ``OMP_NUM_THREADS=2 python benchmarks/doctor.py [--kind qwen3 --layers 16 --rounds 3]``.
The model has the sizes of Llama 3.2 1B, lies in a temporary folder while it runs (2.5 GB), and its
weights are a block of random numbers repeated. Prints JSON: seconds of loading and of the proof.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import tiny
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from fnprune_core.machine import memory
from fnprune_core.models.loading import load_model
from fnprune_core.models.structure.proof import prove_model
from fnprune_core.storage.manifests import package_versions

_BLOCK = 1 << 20


def save_random(folder: Path, kind: str, n_layers: int) -> None:
    """Save a model of random weights in bfloat16, with a tokenizer of a few words."""
    config = CONFIG_MAPPING[kind](
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=n_layers, head_dim=64,
        num_attention_heads=32, num_key_value_heads=8, vocab_size=128_256, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model = model.to_empty(device="cpu")
    model.tie_weights()
    generator = torch.Generator().manual_seed(0)
    block = torch.randn(_BLOCK, generator=generator, dtype=torch.float32).mul_(0.02).bfloat16()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0)
                continue
            flat = parameter.view(-1)
            for start in range(0, len(flat), _BLOCK):
                part = flat[start : start + _BLOCK]
                part.copy_(block.roll(start % 9973)[: len(part)])
    model.save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)


def measure(folder: Path, dtype: str, n_rounds: int) -> dict[str, Any]:
    """Return the seconds of loading and of the proof, and what was proven, over rounds."""
    rounds = []
    for _ in range(n_rounds):
        start = time.perf_counter()
        model = load_model(str(folder), device="cpu", dtype=dtype)
        loaded = time.perf_counter()
        proof = prove_model(model.model, model.architecture)
        rounds.append(
            {"load_s": loaded - start, "proof_s": time.perf_counter() - loaded,
             "n_proven_layers": proof.n_proven_layers, "heads": proof.heads}
        )  # fmt: skip
    return {"n_parameters": model.anatomy().n_parameters, "rounds": rounds}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="llama")
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="bfloat16")
    options = parser.parse_args()
    memory.prefer_large_pages()
    with tempfile.TemporaryDirectory() as scratch, memory.kept():
        folder = Path(scratch) / "model"
        save_random(folder, options.kind, options.layers)
        found = measure(folder, options.dtype, options.rounds)
    facts = {
        "kind": options.kind,
        "dtype": options.dtype,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }
    print(json.dumps({**found, **facts, "versions": package_versions()}, indent=1))


if __name__ == "__main__":
    main()
