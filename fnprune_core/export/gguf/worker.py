"""Run GGUF files by llama.cpp in a process of its own, apart from fnprune.

Run by its path (`python -I worker.py`) with a request of JSON on the standard input; prints lines
of JSON. It imports nothing of fnprune: what it says of a file is said by llama.cpp alone.
"""

import json
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_FORCED = 10_000.0  # added to a token's logit so that it is the next one
_MEMORY_FACTS = Path("/proc/self/status")


def serve(path: str, *, context: int, threads: int, n_slots: int = 1, is_exact: bool = True) -> Any:
    """Return llama.cpp's server of a file; its attention is in float32, or as it comes."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_parallel = n_slots
    params.n_ctx = context * n_slots
    params.n_batch = params.n_ubatch = max(32, min(512, context))
    params.kv_unified = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    if is_exact:
        disabled = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.flash_attn_type = disabled
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.fit_params = False
    params.warmup = False
    params.verbosity = -1
    params.ctx_shift = False
    params.n_gpu_layers = 0
    return xllamacpp.Server(params)


def complete(server: Any, prompt: Any, **options: Any) -> dict[str, Any]:
    """Return the answer to a completion, the likeliest token each time."""
    answer = server.handle_completions({"prompt": prompt, "temperature": 0.0, **options})
    value = answer if isinstance(answer, dict) else json.loads(answer)
    if "choices" not in value:
        raise RuntimeError(f"llama.cpp answered {json.dumps(value)[:300]}")
    return value


def forced(server: Any, prompt: Any, id: int, **options: Any) -> tuple[dict[str, Any] | None, int]:
    """Return what is known of a token that is forced to be the next, and the prompt's tokens.

    Log-probabilities are those of before it was forced. None where llama.cpp tells nothing: of a
    token that is a part of a character.
    """
    answer = complete(server, prompt, max_tokens=1, logit_bias=[[id, _FORCED]], **options)
    told = (answer["choices"][0]["logprobs"] or {"content": []})["content"]
    timings = answer["timings"]
    return next(iter(told), None), timings["prompt_n"] + timings["cache_n"]


def greedy(server: Any, task: dict[str, Any], plain: int) -> dict[str, Any]:
    """Return the likeliest tokens after a prompt, with log-probabilities of some.

    At each place a plain token is forced, as llama.cpp tells nothing of some others.
    """
    ids, likeliest, n_prompt = list(task["ids"]), [], 0
    for place in range(task["n_tokens"]):
        prompt = task["text"] if task["text"] and not place else ids
        step, n_read = forced(server, prompt, plain, n_probs=task["n_probs"], cache_prompt=True)
        if step is None:
            raise RuntimeError(f"nothing was told of token {plain}")
        likeliest.append([(top["id"], top["logprob"]) for top in step["top_logprobs"]])
        ids.append(likeliest[-1][0][0])
        n_prompt = n_prompt or n_read
    written = ids[len(task["ids"]) :]
    return {"ids": written, "likeliest": likeliest, "n_prompt": n_prompt}


def loss_of(server: Any, ids: list[int], slot: int, plain: int, n_vocabulary: int) -> float:
    """Return the sum of −log p of a window's predictions, in nats."""
    total = 0.0
    for place in range(1, len(ids)):
        options = {"cache_prompt": True, "id_slot": slot}
        step, _ = forced(server, ids[:place], ids[place], n_probs=1, **options)
        if step is None:
            told, _ = forced(server, ids[:place], plain, n_probs=n_vocabulary, **options)
            every = told["top_logprobs"] if told else []
            step = next(top for top in every if top["id"] == ids[place])
        if step["id"] != ids[place]:
            raise RuntimeError(f"token {ids[place]} was asked for, {step['id']} came")
        total -= step["logprob"]
    return total


def speed(servers: dict[str, Any], request: dict[str, Any]) -> dict[str, list[list[float]]]:
    """Return (prefill, decoding) seconds of each file in each round, after one to warm up."""
    ids, n_decode = request["ids"], request["n_decode"]
    seconds: dict[str, list[list[float]]] = {label: [] for label in servers}
    for round_index in range(request["n_rounds"] + 1):
        for label in list(servers) if round_index % 2 else list(servers)[::-1]:
            timings = complete(
                servers[label], ids, max_tokens=n_decode + 1, ignore_eos=True, cache_prompt=False
            )["timings"]
            if round_index:
                seconds[label].append([timings["prompt_ms"] / 1000, timings["predicted_ms"] / 1000])
        say({"done": round_index + 1, "total": request["n_rounds"] + 1})
    return seconds


def resident_bytes() -> int:
    """Return the most memory that this process has had so far."""
    if _MEMORY_FACTS.is_file():
        for line in _MEMORY_FACTS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def say(value: dict[str, Any]) -> None:
    """Print a line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def answer(request: dict[str, Any]) -> Any:
    """Return what is asked for of one file, or of several."""
    options = {"context": request["context"], "threads": request["threads"]}
    if request["what"] == "greedy":
        server = serve(request["path"], **options)
        return [greedy(server, task, request["plain"]) for task in request["tasks"]]
    if request["what"] == "losses":
        n_slots, windows = request["n_slots"], request["windows"]
        server = serve(request["path"], n_slots=n_slots, **options)

        def read(slot: int) -> None:
            for place in range(slot, len(windows), n_slots):
                loss = loss_of(
                    server, windows[place], slot, request["plain"], request["n_vocabulary"]
                )
                say({"window": place, "loss": loss})

        with ThreadPoolExecutor(n_slots) as pool:
            list(pool.map(read, range(n_slots)))
        return None
    bytes_before = resident_bytes()
    servers = {
        label: serve(path, is_exact=False, **options) for label, path in request["paths"].items()
    }
    seconds = speed(servers, request)
    return {"seconds": seconds, "bytes_before": bytes_before, "peak_bytes": resident_bytes()}


if __name__ == "__main__":
    say({"result": answer(json.load(sys.stdin))})
