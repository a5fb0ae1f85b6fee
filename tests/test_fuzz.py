"""The fuzzer in brief; `benchmarks/fuzz.py` is the same at length."""

import fuzz
import pytest
from fuzz_targets import Target, command_target, file_targets, link_target
from hostile_inputs import make_materials

from fnprune_core.errors import FnpruneError

#: Attempts on each reader of files, and on those that load a model or run a command.
MANY, FEW = 60, 12
SLOW = ("config", "safetensors", "gguf", "refits")
FILES = (
    "txt", "jsonl", "csv", "tsv", "json", "file name", "parquet", "names", "localizer", "lists",
    "nifti", "sidecar", "plan", "refits", "config", "safetensors", "gguf",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny model, and what was made of it."""
    return make_materials(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def targets(made) -> dict[str, Target]:
    return file_targets(made)


def test_every_reader_is_tried(targets) -> None:
    assert tuple(targets) == FILES


@pytest.mark.parametrize("name", FILES)
def test_no_reader_ends_in_a_traceback_or_over_its_bounds(targets, name) -> None:
    attempts = FEW if name in SLOW else MANY
    counts = fuzz.run(targets[name], attempts=attempts, first_seed=0)
    assert counts.faults == {}
    assert counts.outcomes["refused"] > 0
    assert counts.outcomes["right"] + counts.outcomes["refused"] == attempts


@pytest.mark.parametrize(("target", "attempts"), [(command_target, 12), (link_target, 4)])
def test_no_option_and_no_link_breaks_anything(made, target, attempts) -> None:
    counts = fuzz.run(target(made), attempts=attempts, first_seed=0)
    assert counts.faults == {}
    assert sum(counts.outcomes.values()) == attempts


def test_the_fuzzer_counts_what_it_is_for() -> None:
    """A reader that breaks, one that refuses, and one that takes too long are told apart."""

    def read(number: int) -> None:
        if number % 3 == 0:
            raise KeyError(number)
        if number % 3 == 1:
            raise FnpruneError("no")

    counts = fuzz.Counts()
    for number in range(9):
        fuzz.attempt_one(Target(attempts=None, read=read), number, counts)
    assert counts.outcomes == {"traceback": 3, "refused": 3, "right": 3}
    assert all(place.startswith("KeyError at test_fuzz.py") for place in counts.faults)
    fuzz.attempt_one(Target(attempts=None, read=read, most_s=0, most_bytes=-(10**12)), 2, counts)
    assert (counts.outcomes["too slow"], counts.outcomes["too large"]) == (1, 1)
