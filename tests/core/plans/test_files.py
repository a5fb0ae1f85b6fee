from dataclasses import replace

import pytest
from study import BIAS

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.plans.files import cut_key, stored_plan


def test_damaged_refits_are_told(study) -> None:
    id = study.plan(BIAS)
    path = study.workspace.existing("plans", id) / "refits.safetensors"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(CorruptArtifactError, match=r"refits\.safetensors has 100 bytes"):
        stored_plan(study.workspace, id).refits()


def test_refits_have_a_key_in_any_precision(study) -> None:
    stored = stored_plan(study.workspace, study.plan(BIAS))
    refits = stored.refits()
    assert cut_key(stored.plan, refits) == stored.cut_key
    halves = [replace(refit, bias=refit.bias.bfloat16()) for refit in refits]
    assert cut_key(stored.plan, halves) != stored.cut_key
