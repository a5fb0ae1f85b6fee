import pytest
from study import BIAS

from fnprune_core.errors import CorruptArtifactError
from fnprune_core.plans.files import stored_plan


def test_damaged_refits_are_told(study) -> None:
    id = study.plan(BIAS)
    path = study.workspace.existing("plans", id) / "refits.safetensors"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(CorruptArtifactError, match=r"refits\.safetensors is missing or damaged"):
        stored_plan(study.workspace, id).refits()
