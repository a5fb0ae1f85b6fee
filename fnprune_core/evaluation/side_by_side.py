"""Texts that the dense model and a plan write from one prompt, side by side."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.evaluation.generation import (
    Condition,
    Disagreement,
    Generation,
    Prompt,
    Sampling,
    disagreement,
    encode,
    first_difference,
    generate_stream,
    generate_together,
)
from fnprune_core.evaluation.results import DENSE
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.models.silencing import silenced
from fnprune_core.plans.files import StoredPlan, stored_plan
from fnprune_core.progress import NEVER, CancelToken
from fnprune_core.storage.array_results import save_arrays
from fnprune_core.storage.checksums import MANIFEST, checked, damage_told
from fnprune_core.storage.folders import new_folder
from fnprune_core.storage.json_files import read_json, write_json
from fnprune_core.storage.manifests import artifact_id, manifest_of, read_manifest
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.token_pieces import pieces_of

PRUNED = "pruned"
BOTH = (DENSE, PRUNED)
_TEXTS, _ARRAYS = "texts.json", "arrays.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SideBySide:
    """Two texts from one prompt, with both models' predictions on each.

    Parameters
    ----------
    prompt_ids : ndarray (n_prompt_tokens,)
    written : mapping
        By `DENSE` and `PRUNED`: the text of each model.
    expected : mapping
        By whose text is read: what both models expect at each of its tokens.
    pieces : mapping
        By whose text: what each token adds to it (see `pieces_of`).
    words : mapping
        Text of each token that occurs anywhere, by itself.
    plan_id : str
        The plan that was given; another with the same cut writes the same.
    """

    prompt: Prompt
    sampling: Sampling
    prompt_ids: NDArray[np.int64]
    written: Mapping[str, Generation]
    expected: Mapping[str, Disagreement]
    pieces: Mapping[str, tuple[str, ...]]
    words: Mapping[int, str]
    plan_id: str
    model_name: str

    @property
    def first_difference(self) -> int | None:
        """The first place at which the texts differ, or one has ended; None if they are alike."""
        return first_difference(self.written[DENSE], self.written[PRUNED])

    def text(self, whose: str) -> str:
        """Return a text as one string."""
        return "".join(self.pieces[whose])

    def save(self, folder: Path) -> None:
        """Write arrays and texts into a folder."""
        arrays: dict[str, NDArray[Any]] = {"prompt_ids": self.prompt_ids}
        for whose in BOTH:
            for result in (self.written[whose], self.expected[whose]):
                for name, values in _arrays_of(result).items():
                    arrays[f"{whose}.{type(result).__name__}.{name}"] = values
        save_arrays(arrays, folder / _ARRAYS)
        texts = {
            "prompt": asdict(self.prompt),
            "sampling": asdict(self.sampling),
            "pieces": {whose: list(self.pieces[whose]) for whose in BOTH},
            "stop": {whose: self.written[whose].stop for whose in BOTH},
            "words": {str(id): word for id, word in self.words.items()},
            "plan_id": self.plan_id,
            "model_name": self.model_name,
        }
        write_json(folder / _TEXTS, texts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the texts that `save` wrote."""
        manifest = read_manifest(folder)
        with damage_told(folder, "Delete it and write again."):
            arrays = load_file(checked(folder, manifest, _ARRAYS))
            texts = read_json(checked(folder, manifest, _TEXTS))
            return cls(
                prompt=Prompt(**texts["prompt"]),
                sampling=Sampling(**texts["sampling"]),
                prompt_ids=arrays["prompt_ids"],
                written={
                    whose: Generation(
                        **_read_fields(arrays, whose, Generation), stop=texts["stop"][whose]
                    )
                    for whose in BOTH
                },
                expected={
                    whose: Disagreement(**_read_fields(arrays, whose, Disagreement))
                    for whose in BOTH
                },
                pieces={whose: tuple(texts["pieces"][whose]) for whose in BOTH},
                words={int(id): word for id, word in texts["words"].items()},
                plan_id=texts["plan_id"],
                model_name=texts["model_name"],
            )


def _arrays_of(result: Generation | Disagreement) -> dict[str, NDArray[Any]]:
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _read_fields(
    arrays: Mapping[str, NDArray[Any]], whose: str, result_type: type
) -> dict[str, Any]:
    prefix = f"{whose}.{result_type.__name__}."
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def generate(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    prompt: Prompt,
    *,
    sampling: Sampling = Sampling(),  # noqa: B008 - frozen
    on_token: Callable[[str, Generation], None] = lambda whose, written: None,
    cancel: CancelToken = NEVER,
) -> str:
    """Let the dense model and a plan continue a prompt, token by token in turn; return the id.

    Found again by prompt, sampling, model and cut; the dense text is taken from an earlier plan's
    result with the same prompt and sampling.

    Parameters
    ----------
    on_token : callable
        Called with `DENSE` or `PRUNED` and the text so far, after each token of it.

    Raises
    ------
    TextError, SettingsError
        As `encode` does.
    FingerprintMismatchError
        If the plan is for another model.
    """
    stored = stored_plan(workspace, plan_id)
    language_model.check_fingerprint(stored.plan.fingerprint, "plan")
    inputs = _inputs(language_model, stored, prompt, sampling)
    id = artifact_id("generations", inputs)
    if workspace.has("generations", id):
        return id
    texts = side_by_side(
        language_model, prompt, _pruned(language_model, stored), sampling=sampling,
        dense_text=_dense_text(workspace, inputs), on_token=on_token, cancel=cancel,
    )  # fmt: skip
    _store(workspace, inputs, replace(texts, plan_id=stored.id))
    return id


def generate_samples(
    workspace: Workspace,
    language_model: LanguageModel,
    plan_id: str,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int,
    sample_of: str,
    cancel: CancelToken = NEVER,
) -> None:
    """Let the dense model and a plan go on from prompts of equal length; what exists is found.

    As `generate` without sampling, but all prompts together, which is several times as fast.

    Parameters
    ----------
    prompts : sequence of Prompt
        All have the same number of tokens.
    sample_of : str
        Hash of the held-out text that the prompts begin.
    """
    sampling, stored = Sampling(max_new_tokens=max_new_tokens), stored_plan(workspace, plan_id)
    language_model.check_fingerprint(stored.plan.fingerprint, "plan")
    pruned, start = _pruned(language_model, stored), time.perf_counter()
    keyed = {
        prompt: _inputs(language_model, stored, prompt, sampling, sample_of=sample_of)
        for prompt in prompts
    }
    missing = {
        prompt: _dense_text(workspace, inputs)
        for prompt, inputs in keyed.items()
        if not workspace.has("generations", artifact_id("generations", inputs))
    }

    def write(some: Sequence[Prompt], condition: Condition | None) -> dict[Prompt, Generation]:
        if not some:
            return {}
        ids = [encode(language_model, prompt) for prompt in some]
        texts = generate_together(
            language_model, ids, max_new_tokens=max_new_tokens, condition=condition, cancel=cancel
        )
        return dict(zip(some, texts, strict=True))

    new_dense = write([prompt for prompt, text in missing.items() if text is None], None)
    pruned_texts = write(list(missing), pruned)
    for prompt, dense_text in missing.items():
        written = {DENSE: dense_text or new_dense[prompt], PRUNED: pruned_texts[prompt]}
        texts = _compared(
            language_model, prompt, pruned, sampling=sampling, written=written, cancel=cancel
        )
        _store(workspace, keyed[prompt], replace(texts, plan_id=stored.id))
    n_written = sum(text.n_tokens for texts in (new_dense, pruned_texts) for text in texts.values())
    language_model.pace.note("writing", n_written, time.perf_counter() - start)


def _inputs(
    language_model: LanguageModel,
    stored: StoredPlan,
    prompt: Prompt,
    sampling: Sampling,
    *,
    sample_of: str = "",
) -> dict[str, Any]:
    """Return what decides the id of two texts.

    Parameters
    ----------
    sample_of : str
        Hash of the held-out text that the prompt begins, where it is a sample by which the plan
        is judged; a person's own prompts are not.
    """
    return {
        "fingerprint": language_model.fingerprint,
        "dtype": str(language_model.dtype),
        "device": language_model.device.type,
        "prompt": asdict(printable(prompt)),
        "sampling": asdict(canonical_sampling(sampling)),
        "cut_key": stored.cut_key,
        **({"sample_of": sample_of} if sample_of else {}),
    }


def _pruned(language_model: LanguageModel, stored: StoredPlan) -> Condition:
    return partial(silenced, language_model, stored.plan.removed, refits=stored.refits())


def _store(workspace: Workspace, inputs: Mapping[str, Any], texts: SideBySide) -> None:
    facts = {"plan_id": texts.plan_id, "model_name": texts.model_name}
    id = artifact_id("generations", inputs)
    with new_folder(workspace.folder("generations", id)) as target:
        texts.save(target)
        write_json(target / MANIFEST, manifest_of("generations", inputs, facts))


def side_by_side(
    language_model: LanguageModel,
    prompt: Prompt,
    pruned: Condition,
    *,
    sampling: Sampling,
    dense_text: Generation | None = None,
    on_token: Callable[[str, Generation], None] = lambda whose, written: None,
    cancel: CancelToken = NEVER,
) -> SideBySide:
    """Return what the dense and the pruned model write, with both's predictions on both texts.

    Parameters
    ----------
    pruned : callable
        Returns the context of a forward pass that holds the model's lock, such as `silenced`.
    dense_text : Generation, optional
        The dense text, where it was written before.
    """
    sampling, prompt_ids = canonical_sampling(sampling), encode(language_model, prompt)
    written = _write_both(
        language_model, prompt_ids, pruned, sampling=sampling, dense_text=dense_text,
        on_token=on_token, cancel=cancel,
    )  # fmt: skip
    return _compared(
        language_model, prompt, pruned, sampling=sampling, written=written, cancel=cancel
    )


def _compared(
    language_model: LanguageModel,
    prompt: Prompt,
    pruned: Condition,
    *,
    sampling: Sampling,
    written: Mapping[str, Generation],
    cancel: CancelToken,
) -> SideBySide:
    """Return two written texts with both models' predictions on both."""
    prompt_ids = encode(language_model, prompt)
    expected = _expectations(language_model, prompt_ids, written, pruned, cancel=cancel)
    return SideBySide(
        prompt=printable(prompt),
        sampling=sampling,
        prompt_ids=np.asarray(prompt_ids, dtype=np.int64),
        written=written,
        expected=expected,
        pieces={
            whose: text_pieces(language_model, prompt_ids, generation.token_ids)
            for whose, generation in written.items()
        },
        words=_words(language_model, written, expected),
        plan_id="",
        model_name=language_model.name,
    )


def open_generation(workspace: Workspace, generation_id: str) -> SideBySide:
    """Return two texts of the workspace; the id may be an unambiguous beginning."""
    return SideBySide.load(workspace.existing("generations", generation_id))


def text_pieces(
    language_model: LanguageModel,
    prompt_ids: Sequence[int],
    token_ids: Sequence[int] | NDArray[np.int64],
) -> tuple[str, ...]:
    """Return the text that each token adds after a prompt."""
    ids = [prompt_ids[-1], *(int(i) for i in token_ids)]
    return pieces_of(language_model.tokenizer, ids)[1:]


def canonical_sampling(sampling: Sampling) -> Sampling:
    """Return the sampling without settings that play no part: equal texts have equal ids."""
    return replace(sampling, top_p=1.0, seed=0) if sampling.temperature == 0 else sampling


def printable(prompt: Prompt) -> Prompt:
    """Return a prompt that can be written to a file: without lone halves of pairs."""
    text, system = (
        string.encode("utf-8", "replace").decode("utf-8") for string in (prompt.text, prompt.system)
    )
    return replace(prompt, text=text, system=system if prompt.is_chat else "")


def _dense_text(workspace: Workspace, inputs: Mapping[str, Any]) -> Generation | None:
    """Return the dense model's text from another plan's result on the same prompt, if any."""
    for entry in workspace.entries("generations"):
        if {**entry.manifest["inputs"], "cut_key": inputs["cut_key"]} == inputs:
            try:
                return SideBySide.load(entry.path).written[DENSE]
            except CorruptArtifactError:
                continue
    return None


def _write_both(
    language_model: LanguageModel,
    prompt_ids: Sequence[int],
    pruned: Condition,
    *,
    sampling: Sampling,
    dense_text: Generation | None,
    on_token: Callable[[str, Generation], None],
    cancel: CancelToken,
) -> dict[str, Generation]:
    """Return both models' texts, written a token each in turn; a known dense text comes whole."""
    streams = {
        whose: generate_stream(
            language_model, prompt_ids, sampling=sampling, condition=condition, cancel=cancel
        )
        for whose, condition in ((DENSE, None), (PRUNED, pruned))
    }
    if dense_text is not None:
        streams[DENSE] = iter((dense_text,))
    written: dict[str, Generation] = {}
    while streams:
        for whose in list(streams):
            try:
                written[whose] = next(streams[whose])
            except StopIteration:
                del streams[whose]
                continue
            on_token(whose, written[whose])
    return written


def _expectations(
    language_model: LanguageModel,
    prompt_ids: Sequence[int],
    written: Mapping[str, Generation],
    pruned: Condition,
    *,
    cancel: CancelToken,
) -> dict[str, Disagreement]:
    """Return both models' predictions on both texts."""
    expected = {}
    for whose, generation in written.items():
        cancel.raise_if_cancelled()
        expected[whose] = disagreement(
            language_model, prompt_ids, generation.token_ids, pruned=pruned
        )
    return expected


def _words(
    language_model: LanguageModel,
    written: Mapping[str, Generation],
    expected: Mapping[str, Disagreement],
) -> dict[int, str]:
    """Return the text of each token by itself: those written, and the most probable ones."""
    id_arrays = [generation.token_ids for generation in written.values()]
    for results in (written, expected):
        id_arrays += [result.top_ids.ravel() for result in results.values()]
    ids = np.unique(np.concatenate(id_arrays))
    return {int(id): str(language_model.tokenizer.decode([int(id)])) for id in ids}
