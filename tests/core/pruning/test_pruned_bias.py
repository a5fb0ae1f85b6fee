import numpy as np
import tiny
import torch

from fnprune_core.models.architectures import output_projections
from fnprune_core.models.projections import weight_of
from fnprune_core.pruning.pruned_bias import pruned_bias


@tiny.each_kind
def test_the_bias_is_what_the_removed_units_put_out_where_all_are_silenced(language_model) -> None:
    """By plain hooks: sessions of unequal length count once each, and no bias is added yet."""
    windows = tiny.toy_windows((12, 30, 9))
    removed = tiny.ragged_removal(language_model.layout)
    projections = output_projections(language_model.model, language_model.architecture)
    outputs = [[] for _ in projections]

    def hook_for(layer):
        gone = torch.from_numpy(removed[layer])

        def hook(module, args):
            x = args[0].clone()
            outputs[layer].append(x.reshape(-1, x.shape[-1])[:, gone].mean(dim=0))
            x[..., gone] = 0
            return (x,)

        return hook

    handles = [m.register_forward_pre_hook(hook_for(i)) for i, m in enumerate(projections)]
    for index in range(3):
        ids = torch.from_numpy(windows.window_ids(index).astype(np.int64))[None]
        tiny.logits_of(language_model.model, ids)
    for handle in handles:
        handle.remove()
    refits = pruned_bias(language_model, removed, windows)
    assert refits[0].bias is None  # nothing goes there
    for layer in (1, 2):
        mean = torch.stack(outputs[layer]).mean(dim=0)
        expected = weight_of(projections[layer]).detach()[:, removed[layer]] @ mean
        torch.testing.assert_close(refits[layer].bias, expected, rtol=1e-4, atol=1e-5)
    assert tiny.is_idle(language_model)
