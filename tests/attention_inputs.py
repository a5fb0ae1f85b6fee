"""What the heads give, read by plain hooks, and what scores of groups look at."""

import numpy as np
import tiny
import torch

from fnprune_core.models.attention import attention_outputs
from fnprune_core.scores.head_statistics import attention_statistics
from fnprune_core.scores.heads import GroupInputs


def outputs_of(language_model):
    return attention_outputs(language_model.model, language_model.architecture)


def inputs_of(language_model, windows):
    """Read each window by itself: what goes into each layer's output, (tokens, dimensions)."""
    layers = [[] for _ in outputs_of(language_model)]
    handles = [
        output.register_forward_pre_hook(
            lambda module, args, seen=seen: seen.append(args[0].detach().double().reshape(-1, 32))
        )
        for output, seen in zip(outputs_of(language_model), layers, strict=True)
    ]
    for index in range(windows.n_windows):
        ids = torch.from_numpy(windows.window_ids(index).astype(np.int64))[None]
        tiny.logits_of(language_model.model, ids)
    for handle in handles:
        handle.remove()
    return [torch.cat(seen).numpy() for seen in layers]


def group_inputs(language_model, recording, weights, *, atlas=None, preserved=()):
    courses = None if atlas is None else atlas.time_courses
    return GroupInputs(
        language_model=language_model,
        recording=recording,
        statistics=attention_statistics(language_model, recording, weights, time_courses=courses),
        atlas=atlas,
        preserved=preserved,
    )
