"""A tiny random model of any kind that transformers knows."""

import tiny
import torch
from families import small_config
from transformers import AutoModelForCausalLM

from fnprune_core.models.language_model import LanguageModel, wrap_model


def small_model(kind: str) -> LanguageModel:
    """Return a tiny random model of a kind, with the toy tokenizer."""
    config = small_config(kind)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return wrap_model(model, tiny.toy_tokenizer(), name=kind)
