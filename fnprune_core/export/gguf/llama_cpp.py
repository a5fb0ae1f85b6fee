"""llama.cpp as a judge of GGUF files: what it writes, how sure it is, and how fast."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

import torch

from fnprune_core.errors import FnpruneError
from fnprune_core.progress import NEVER, Cancelled, CancelToken

_WORKER = Path(__file__).with_name("worker.py")
#: Python package that brings llama.cpp.
PACKAGE = "xllamacpp"


def is_installed() -> bool:
    """Whether llama.cpp is here, as the package xllamacpp."""
    return util.find_spec(PACKAGE) is not None


def version() -> str:
    """Return the version of llama.cpp's package."""
    return metadata.version(PACKAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """What llama.cpp writes after a prompt.

    Parameters
    ----------
    ids : tuple of int
        The likeliest token each time.
    likeliest : sequence of mapping
        For each of them, log-probabilities of the likeliest tokens there, by id.
    n_prompt : int
        Tokens of the prompt, as llama.cpp cuts it.
    """

    ids: tuple[int, ...]
    likeliest: Sequence[dict[int, float]]
    n_prompt: int


def plain_token(tokenizer: Any) -> int:
    """Return the id of a token that is a letter or word, of which llama.cpp tells all."""
    return int(tokenizer("a", add_special_tokens=False)["input_ids"][-1])


def continuations(
    path: Path,
    prompts: Sequence[Sequence[int]],
    *,
    plain: int,
    text: str = "",
    n_tokens: int,
    n_probs: int,
) -> list[Continuation]:
    """Return what llama.cpp writes after prompts of token ids.

    Parameters
    ----------
    plain : int
        A `plain_token`.
    text : str, optional
        The first prompt as text, which llama.cpp cuts itself.
    """
    tasks = [
        {"ids": list(ids), "text": "" if i else text, "n_tokens": n_tokens, "n_probs": n_probs}
        for i, ids in enumerate(prompts)
    ]
    context = 2 * max(map(len, prompts)) + n_tokens
    request = {"what": "greedy", "path": str(path), "tasks": tasks, "plain": plain}
    [answer] = run({**request, "context": context})
    return [
        Continuation(
            ids=tuple(task["ids"]),
            likeliest=[dict(map(tuple, step)) for step in task["likeliest"]],
            n_prompt=task["n_prompt"],
        )
        for task in answer["result"]
    ]


def run(request: dict[str, Any], *, cancel: CancelToken = NEVER) -> Iterator[dict[str, Any]]:
    """Yield what the worker says: parts of the work as they are done, and the result.

    Raises
    ------
    FnpruneError
        If llama.cpp ends without a result, saying why.
    """
    cancel.raise_if_cancelled()
    threads = torch.get_num_threads()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
        )
        is_done = False
        try:
            if process.stdin is not None:
                process.stdin.write(json.dumps({"threads": threads, **request}))
                process.stdin.close()
            for line in process.stdout or ():
                if cancel.is_cancelled:
                    raise Cancelled
                if line.startswith("{"):
                    value = json.loads(line)
                    is_done = is_done or "result" in value
                    yield value
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if is_done:
            return
        stderr.seek(0)
        lines = [line.strip() for line in stderr if line.strip()]
    raise FnpruneError(
        "llama.cpp ended without a result: "
        f"{(lines or [f'exit status {process.returncode}'])[-1].rstrip('.')}.",
        hint="Is there memory for the file once more? If it persists, report it.",
    )
