import pytest
import tiny

from fnprune_core.errors import CorruptArtifactError, FingerprintMismatchError
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import preview_files
from fnprune_core.pruning.preview_files import (
    has_preview,
    open_preview,
    prepare_preview,
    preview_id,
)


def test_a_preview_needs_the_model_only_once(workspace, preview, llama, atlas) -> None:
    assert has_preview(workspace, atlas.id)
    assert preview.dimensions.n_parameters == llama.anatomy().n_parameters
    other = tiny.tiny_language_model("Llama", seed=1)
    with pytest.raises(FingerprintMismatchError):
        prepare_preview(workspace, other, atlas.id)


def test_checks_are_those_of_the_exact_plans(preview) -> None:
    for score in ("network-energy", "network-context"):
        drops = [check.n_dropped for check in preview.checks if check.score == score]
        assert drops[::2] == [1, 1, 2, 3]
    assert min(check.agreement for check in preview.checks) > 0.99  # a token is a group here
    nearest = preview.expected_agreement(PlanSettings(preserved=(1,), ratio=0.35))
    assert (nearest.n_dropped, nearest.ratio) == (3, 0.4)
    context = preview.expected_agreement(PlanSettings(score="network-context", preserved=(1,)))
    assert context.score == "network-context"


def test_checks_tell_a_coarse_preview(workspace, llama, atlas) -> None:
    prepare_preview(workspace, llama, atlas.id, n_groups=1)
    checks = open_preview(workspace, atlas.id).checks
    assert min(check.agreement for check in checks) < 0.97


def test_a_damaged_preview_says_so(workspace, preview, atlas) -> None:
    folder = workspace.folder("previews", preview_id(atlas.id))
    (folder / preview_files._GROUPS).write_bytes(b"no")
    with pytest.raises(CorruptArtifactError, match="damaged"):
        open_preview(workspace, atlas.id)
