"""Models, texts and plans small enough for a test, made from configs and random numbers."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE, WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Phi3Config,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from fnprune_core.models import modeling_per_layer
from fnprune_core.models.architectures import feeding_modules, feeding_rows
from fnprune_core.models.language_model import LanguageModel, wrap_model
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.projections import weight_of
from fnprune_core.models.silencing import Refit
from fnprune_core.plans.plan import PlanSettings, PruningPlan
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

VOCABULARY = 64
# Id 0 is the unknown word; the others are "ab", "ac", …
WORDS = ("<unk>", *(f"{a}{b}" for a in "abcdefg" for b in "qrstuvwxy"))
_SHARED = {
    "vocab_size": VOCABULARY,
    "initializer_range": 0.25,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}
_GROUPED = {**_SHARED, **_SIZES, "num_key_value_heads": 2}
_GEMMA = {**_GROUPED, "head_dim": 8, "query_pre_attn_scalar": 8}
# A row for each family of `ARCHITECTURES`; the widths differ, so that none passes for another.
TINY_CONFIGS: dict[str, Callable[[], PretrainedConfig]] = {
    "Llama": lambda: LlamaConfig(**_GROUPED, intermediate_size=48),
    "Mistral": lambda: MistralConfig(**_GROUPED, intermediate_size=44),
    "Qwen2": lambda: Qwen2Config(**_GROUPED, intermediate_size=46),
    "Qwen3": lambda: Qwen3Config(**_GROUPED, head_dim=8, intermediate_size=41),
    "Gemma": lambda: GemmaConfig(**_GROUPED, head_dim=8, intermediate_size=42),
    "Gemma 2": lambda: Gemma2Config(**_GEMMA, intermediate_size=43),
    "Gemma 3": lambda: Gemma3TextConfig(**_GEMMA, intermediate_size=45),
    "Phi-3": lambda: Phi3Config(**_GROUPED, intermediate_size=47),
    "GPT-2": lambda: GPT2Config(
        **_SHARED, n_embd=32, n_layer=3, n_head=4, n_inner=40, n_positions=128
    ),
    "GPT-NeoX": lambda: GPTNeoXConfig(**_SHARED, **_SIZES, intermediate_size=38),
    "OPT": lambda: OPTConfig(**_SHARED, **_SIZES, init_std=0.25, ffn_dim=39),
}


#: One family of each kind: gated, with norms behind, with a fused gate, with transposed weights and
#: biases, and rectified. For what a family's row does not decide; rows are tested by `family`.
each_kind = pytest.mark.parametrize("family", ["Llama", "Gemma 2", "Phi-3", "GPT-2", "OPT"])


def tiny_model(
    family: str, *, seed: int = 0, config: PretrainedConfig | None = None
) -> PreTrainedModel:
    """Return a fresh 3-layer model in which every bias is random and no norm is trivial."""
    if config is None:
        if family not in TINY_CONFIGS:
            raise LookupError(
                f"The family {family!r} has no tiny config: add a row to TINY_CONFIGS in "
                "tests/tiny.py, so that the shared tests run on it."
            )
        config = TINY_CONFIGS[family]()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.5)
            elif parameter.ndim == 1:
                parameter.normal_(1, 0.3)
    return model.eval()


def toy_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows the 63 words of `WORDS`, separated by spaces."""
    core = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


def bpe_tokenizer(rule: pre_tokenizers.PreTokenizer | None = None) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE of 320 tokens with two special ones, as most real models have."""
    core = Tokenizer(BPE())
    core.pre_tokenizer = rule or pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=320,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(
        ["the quick brown fox, 1,234 foxes in 2024; don't she'll", "éà"], trainer
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|start|>", eos_token="<|end|>", pad_token="<|end|>"
    )


def tiny_language_model(
    family: str, *, seed: int = 0, config: PretrainedConfig | None = None
) -> LanguageModel:
    """Return a fresh tiny model of a family with the toy tokenizer."""
    return wrap_model(
        tiny_model(family, seed=seed, config=config), toy_tokenizer(), name=f"tiny-{family}"
    )


def toy_documents(
    *, n_per_domain: int = 3, n_words: int = 80, domains: Sequence[str] = ("prose", "code")
) -> list[Document]:
    """Return documents of random words; each domain prefers its own share of the vocabulary."""
    rng = np.random.default_rng(1)
    documents = []
    for domain, liked in zip(
        domains, np.array_split(np.arange(1, VOCABULARY), len(domains)), strict=True
    ):
        chances = np.full(VOCABULARY, 0.1)
        chances[0], chances[liked] = 0, 1
        for i in range(n_per_domain):
            ids = rng.choice(VOCABULARY, size=n_words, p=chances / chances.sum())
            text = " ".join(WORDS[i] for i in ids)
            documents.append(Document(text=text, domain=domain, name=f"{domain}-{i}"))
    return documents


def toy_windows(
    lengths: Sequence[int] = (32,) * 8,
    *,
    n_dummy_tokens: int = 2,
    seed: int = 0,
    n_documents: int = 4,
) -> Windows:
    """Return windows of random token ids; documents and two domains in contiguous stretches."""
    rng = np.random.default_rng(seed)
    document = np.arange(len(lengths)) * n_documents // len(lengths)
    domain = np.arange(len(lengths)) * 2 // len(lengths)
    return Windows(
        token_ids=rng.integers(1, VOCABULARY, sum(lengths)),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        document_index=np.repeat(document, lengths),
        domain_index=np.repeat(domain, lengths),
        document_names=tuple(f"document {i}" for i in np.unique(document)),
        domain_names=("prose", "code")[: len(np.unique(domain))],
        window=max(lengths),
        n_dummy_tokens=n_dummy_tokens,
    )


def random_ids(*, n_windows: int = 2, length: int = 16, seed: int = 0) -> torch.Tensor:
    """Return random token ids (n_windows, length)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCABULARY, (n_windows, length), generator=generator)


def ragged_removal(layout: UnitLayout, *, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return units to remove: a different number in every layer, none in the first."""
    rng = np.random.default_rng(seed)
    return tuple(
        np.sort(rng.choice(width, size=width * layer // (layout.n_layers + 1), replace=False))
        for layer, width in enumerate(layout.widths)
    )


def toy_plan(
    language_model: LanguageModel,
    removed: Sequence[np.ndarray] | None = None,
    *,
    settings: PlanSettings | None = None,
    fingerprint: str | None = None,
) -> PruningPlan:
    """Return a plan that removes the given units, ragged ones by default."""
    layout = language_model.layout
    removed = ragged_removal(layout) if removed is None else removed
    return PruningPlan(
        removed=tuple(np.asarray(part, dtype=np.int64) for part in removed),
        layout=layout,
        settings=settings or PlanSettings(score="flap", sink_units=0),
        fingerprint=fingerprint or language_model.fingerprint,
        model_name=language_model.name,
        recording_id="a-recording",
        decomposition_id="",
        share_of_parameters=0.1,
        thresholds=(0.0,) * layout.n_layers,
        sink_units=(),
        preserved=(),
        n_networks=0,
    )


def alike_plan(language_model: LanguageModel, n_removed: int = 8) -> PruningPlan:
    """Return a plan that keeps equally many units in every layer, but not the same units."""
    return toy_plan(
        language_model,
        [
            np.sort(np.random.default_rng(layer).choice(width, size=n_removed, replace=False))
            for layer, width in enumerate(language_model.layout.widths)
        ],
    )


def add_biases(language_model: LanguageModel) -> list[Refit]:
    """Return refits that add a bias to each layer's output, and nothing else."""
    return [Refit(bias=torch.full((32,), 0.5)) for _ in language_model.layout.widths]


def trained_refits(
    language_model: LanguageModel, plan: PruningPlan, refits: Sequence[Refit]
) -> list[Refit]:
    """Return refits whose rows that feed the kept units moved too, as `reconstruct` leaves them."""
    architecture = language_model.architecture
    generator = torch.Generator().manual_seed(0)
    trained = []
    for layer, (refit, kept) in enumerate(zip(refits, plan.kept, strict=True)):
        rows = feeding_rows(architecture, torch.from_numpy(kept), plan.layout.widths[layer])
        feeding = [
            weight_of(module).detach()[rows]
            for module in feeding_modules(language_model.model, architecture, layer)
        ]
        noisy = [each + 0.3 * torch.randn(each.shape, generator=generator) for each in feeding]
        trained.append(replace(refit, feeding=tuple(noisy)))
    return trained


def logits_of(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """Return the logits of a plain forward pass."""
    with torch.inference_mode():
        return model(ids, use_cache=False).logits


def reload_here(
    folder: Path,
    ids: torch.Tensor,
    text: str,
    *,
    dtype: str,
    device: str,
    gguf_file: str = "",
    digits_apart: bool = False,
) -> tuple[torch.Tensor, list[int]]:
    """Do what `reload_elsewhere` does, in this process: quicker, and less of a proof."""
    extra = {"gguf_file": gguf_file} if gguf_file else {}
    config = {} if gguf_file else json.loads((folder / "config.json").read_text())
    loader = AutoModelForCausalLM
    if "auto_map" in config:
        name = config["auto_map"]["AutoModelForCausalLM"].rpartition(".")[2]
        loader = getattr(modeling_per_layer, name)
    model = loader.from_pretrained(folder, dtype=getattr(torch, dtype), **extra).to(device)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **extra)
    if digits_apart:
        backend = tokenizer.backend_tokenizer
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])
    return logits_of(model.eval(), ids).float(), tokenizer(text)["input_ids"]


def lock_is_free(language_model: LanguageModel) -> bool:
    """Whether another thread can take the model's lock."""

    def can_take_lock() -> bool:
        taken = language_model.lock.acquire(blocking=False)
        if taken:
            language_model.lock.release()
        return taken

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(can_take_lock).result()


def is_idle(language_model: LanguageModel) -> bool:
    """Whether the model's lock is free and no hook is left on it."""
    return lock_is_free(language_model) and not any(
        module._forward_hooks or module._forward_pre_hooks
        for module in language_model.model.modules()
    )
