"""Loading of an export as strangers do it: in a fresh process that cannot import fnprune."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from fnprune_core.errors import PlanError
from fnprune_core.models.modeling_per_layer import __name__ as _per_layer

# Code in the export is our own file, so it is imported by its path, not trusted as remote code.
_PER_LAYER_FILE = _per_layer.rpartition(".")[2]
_SCRIPT = f"""
import importlib.util, json, sys
sys.modules["fnprune_core"] = None
sys.dont_write_bytecode = True  # nothing is added to the folder
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
request = json.loads(sys.argv[1])
folder, gguf = request["folder"], request["gguf_file"]
extra = {{"gguf_file": gguf}} if gguf else {{}}
auto_map = None
if not gguf:
    with open(folder + "/config.json", encoding="utf-8") as file:
        auto_map = json.load(file).get("auto_map")
loader = AutoModelForCausalLM
if auto_map:
    path = folder + "/{_PER_LAYER_FILE}.py"
    spec = importlib.util.spec_from_file_location("{_PER_LAYER_FILE}", path)
    module = sys.modules["{_PER_LAYER_FILE}"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loader = getattr(module, auto_map["AutoModelForCausalLM"].rpartition(".")[2])
model = loader.from_pretrained(folder, dtype=getattr(torch, request["dtype"]), **extra)
model = model.to(request["device"]).eval()
with torch.inference_mode():
    logits = model(torch.tensor(request["ids"], device=request["device"]), use_cache=False).logits
save_file({{"logits": logits.float().cpu().contiguous()}}, request["target"])
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **extra)
if request["digits_apart"]:
    from tokenizers import pre_tokenizers
    backend = tokenizer.backend_tokenizer
    digits = pre_tokenizers.Digits(individual_digits=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])
print(json.dumps(tokenizer(request["text"])["input_ids"]))
"""


def reload_elsewhere(
    folder: Path,
    ids: Tensor,
    text: str,
    *,
    dtype: str,
    device: str,
    gguf_file: str = "",
    digits_apart: bool = False,
) -> tuple[Tensor, list[int]]:
    """Return an exported folder's logits and its reading of a text, in a fresh process.

    Parameters
    ----------
    ids : Tensor (n_windows, tokens)
    dtype, device : str
        As torch names them.
    gguf_file : str, optional
        Name of the file in the folder, where that is the export.
    digits_apart : bool, optional
        Read the text with each digit by itself: a rule of GGUF files that transformers' reader
        does not know, and leaves out.

    Returns
    -------
    logits : Tensor (n_windows, tokens, vocabulary)
        Float32 on the CPU.
    token_ids : list of int
        The text as the exported tokenizer reads it.

    Raises
    ------
    PlanError
        If it cannot be loaded there, saying why.
    """
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "logits.safetensors"
        request = {
            "folder": str(folder),
            "ids": ids.tolist(),
            "text": text,
            "dtype": dtype,
            "device": device,
            "target": str(target),
            "gguf_file": gguf_file,
            "digits_apart": digits_apart,
        }
        process = subprocess.run(
            [sys.executable, "-I", "-c", _SCRIPT, json.dumps(request)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if process.returncode != 0:
            raise PlanError(
                "The exported model could not be loaded in a fresh process: "
                f"{_error_line(process.stderr) or f'exit status {process.returncode}'}; "
                "nothing was written.",
                hint="Is there memory for a second copy of the model? If it persists, report it.",
            )
        token_ids: list[int] = json.loads(process.stdout.splitlines()[-1])
        return load_file(target)["logits"], token_ids


def _error_line(stderr: str) -> str:
    """Return the line that names the last exception, else the last line."""
    lines = stderr.strip().splitlines()
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (errors or lines or [""])[-1].rstrip(" .:")
