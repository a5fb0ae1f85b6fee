import numpy as np
import tiny
import torch

from fnprune_core.models.attention import attention_outputs
from fnprune_core.models.projections import weight_of

IDS = tiny.random_ids()


def heads_of(language_model, layer):
    """What each head makes of `IDS`, computed by taking all other columns away."""
    seen = []
    output = attention_outputs(language_model.model, language_model.architecture)[layer]
    handle = output.register_forward_pre_hook(lambda m, args: seen.append(args[0].detach()))
    tiny.logits_of(language_model.model, IDS)
    handle.remove()
    return seen[0]


def test_a_group_s_dimensions_hang_on_its_own_rows_alone(language_model):
    """Rows of queries, keys and values that belong to one group fill its dimensions, no others."""
    layout, architecture = language_model.attention, language_model.architecture
    before = heads_of(language_model, 0).reshape(-1, 32)
    layer = language_model.model.get_submodule(architecture.layers)[0]
    gone = np.array([1])
    with torch.no_grad():
        for feeding in architecture.attention.feeding:
            module = layer.get_submodule(feeding.path)
            rows = layout.rows(feeding, gone, layout.groups.widths[0])
            weight_of(module)[rows] = torch.randn(len(rows), 32)
    after = heads_of(language_model, 0).reshape(-1, 32)
    changed = (before - after).abs().amax(dim=0) > 1e-3
    assert np.flatnonzero(changed.numpy()).tolist() == layout.dimensions(gone).tolist()
