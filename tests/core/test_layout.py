"""Each module of the core that is worth a test has a file of its name here, or a reason."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
CORE = TESTS.parent / "fnprune_core"
MOST_LINES = 100  # a module of more has tests of its own

#: Modules without a file of their own: where they are tested, and why there.
COVERED_ELSEWHERE: dict[str, str] = {
    "atlas/search/effects.py": "What the search asks of a model: compared with the effects of "
    "each network and unit alone in core/atlas/search/test_find.py.",
    "commands/console.py": "What commands print, errors and JSON too: core/test_cli.py.",
    "commands/example.py": "Thin: the example is made in core/test_workflows.py, and the demo "
    "runs in core/commands/test_demo.py.",
    "commands/experiments/lesion.py": "Thin: called on the atlas and texts of "
    "core/lesions/test_run.py.",
    "commands/plan_options.py": "Each option is given to a command in core/commands/test_prune.py "
    "and core/commands/test_sweep.py, wrong ones in core/test_cli.py.",
    "commands/workspace.py": "Each of its commands is called in core/test_cli.py, on what "
    "core/storage/test_workspace.py tests.",
    "decomposition/numbering.py": "What refers to networks by their numbers, kind by kind: "
    "core/test_moved_networks.py.",
    "export/gguf/llama_cpp.py": "Every file is run by it in core/export/gguf/test_checks.py.",
    "export/gguf/tokenizer.py": "A part of a file: core/export/gguf/test_files.py.",
    "export/gguf/worker.py": "Run in a process of its own: core/export/gguf/test_checks.py.",
    "inputs/nifti_volumes.py": "What images are read by: "
    "core/atlas/images/test_volumes.py, and how much memory that takes in "
    "core/inputs/test_memory.py.",
    "lesions/reading.py": "Steps of a study, here and by workers: core/lesions/test_run.py and "
    "core/machine/test_workers.py.",
    "lesions/stored.py": "A study that was stopped, killed or taken over: "
    "core/lesions/test_run.py; one of networks that moved: core/test_moved_networks.py.",
    "localizers/results.py": "A result is what a run saves: its tables are compared with the run "
    "in core/localizers/test_run.py.",
    "models/attention_modules.py": "Data alone: every family is cut by it in "
    "core/pruning/test_head_slicing.py, and read by it in core/models/test_attention.py.",
    "models/mixtures/experts.py": "Experts are cut and read as the units of a layer: "
    "core/models/mixtures/test_units.py.",
    "models/structure/mixtures.py": "Each form of mixture that it finds: "
    "core/models/mixtures/test_units.py.",
    "models/projections.py": "Every kind of projection is read and cut in "
    "core/models/test_architectures.py and core/pruning/test_slicing.py.",
    "pruning/expert_widths.py": "The uniform form of each kind of mixture: "
    "core/models/mixtures/test_units.py.",
    "models/sources/examine.py": "A checkpoint before its weights: what is refused and "
    "what it takes, core/models/test_loading.py, core/models/sources/test_fits.py and "
    "core/models/sources/test_hub.py.",
    "models/sources/locate.py": "What a text names: each kind, and none, in "
    "core/models/test_loading.py.",
    "models/structure/proof.py": "What structure proposes is proven: "
    "core/models/structure/test_proposals.py.",
    "pruning/search/trials.py": "What two searches share: core/pruning/search/test_allocation.py "
    "and core/pruning/search/test_attention.py.",
    "recording/group_pca.py": "A step of group ICA, of resampling and of summaries: "
    "core/decomposition/test_group_ica.py, core/reliability/test_resampling.py, "
    "core/recording/test_summary.py.",
    "recording/moments.py": "What a recording knows without signals: "
    "core/recording/test_recording.py.",
    "report/limits.py": "A section of words: written and read in core/report/test_material.py and "
    "app/report/test_html_page.py.",
    "report/networks.py": "Sections of tables: each is compared with its CSV in "
    "core/report/test_parts.py.",
    "scores/inputs.py": "What scores read: all of it is compared between a recording, a brief "
    "lesion and a preview in core/scores/test_units.py and core/pruning/test_preview.py.",
    "scores/score.py": "What a row of the table of scores says: each is asked in "
    "core/scores/test_units.py.",
    "decomposition/decomposition.py": "What a decomposition is saved as: with the class that makes "
    "it, core/decomposition/test_group_ica.py.",
    "reliability/unmixing.py": "Each run is one of a measure's: core/reliability/test_measures.py, "
    "and by workers core/machine/test_workers.py.",
    "storage/folders.py": "Folders, locks and leftovers are tested with the workspace that they "
    "make: core/storage/test_workspace.py.",
    "evaluation/rivals.py": "What cannot be read: core/export/test_from_workspace.py; rivals of a "
    "plan: core/pruning/test_planner.py and app/pruning/test_plans.py.",
    "storage/json_files.py": "What cannot be read: core/storage/test_odd_items.py; checksums and "
    "whole writes: core/storage/test_checksums.py and core/storage/test_workspace.py.",
    "storage/manifests.py": "What each kind holds: core/storage/test_workspace.py; edited value by "
    "value: core/storage/test_checksums.py.",
}


def modules() -> set[str]:
    """Return the modules of the core that are worth a test."""
    return {
        path.relative_to(CORE).as_posix()
        for path in CORE.rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES
    }


def own_tests(module: str) -> Path:
    """Return the place of a module's own tests."""
    path = Path(module)
    return TESTS / "core" / path.parent / f"test_{path.name}"


def test_each_module_has_tests_or_a_reason() -> None:
    without = {module for module in modules() if not own_tests(module).is_file()}
    assert without <= COVERED_ELSEWHERE.keys(), "write tests, or say where they are"
    assert COVERED_ELSEWHERE.keys() <= without, "has tests of its own, is small, or is gone"


def test_each_reason_names_tests_that_exist() -> None:
    for module, reason in COVERED_ELSEWHERE.items():
        named = re.findall(r"[\w/]+/test_\w+\.py", reason)
        assert named, module
        assert all((TESTS / each).is_file() for each in named), reason
