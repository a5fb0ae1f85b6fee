"""A tiny Llama with a recording and an atlas, and plans made and measured with them."""

import warnings
from dataclasses import dataclass

import tiny

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.evaluation.compare import compare, evaluation_windows
from fnprune_core.models.language_model import LanguageModel
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.windows import Windows

DOCUMENTS = tiny.toy_documents(n_per_domain=4, n_words=130)
CALIBRATION = [*DOCUMENTS[:3], *DOCUMENTS[4:7]]
HELD_OUT = [DOCUMENTS[3], DOCUMENTS[7]]
RECORDING = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None)
NETWORKS = GroupICA(n_components=4, n_runs=1, fun="logcosh")
BIAS = PlanSettings(ratio=0.3, sink_units=2, compensation="bias")
LEAST_SQUARES = PlanSettings(ratio=0.3, sink_units=2)
NO_REFIT = PlanSettings(ratio=0.3, sink_units=2, compensation="none")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """A tiny Llama, its recording of some texts and its atlas, in a workspace of its own."""

    workspace: Workspace
    model: LanguageModel
    recording: str
    atlas: str

    @property
    def windows(self) -> Windows:
        """The windows on which perplexity is measured."""
        return evaluation_windows(self.model, HELD_OUT, window=32)

    def plan(self, settings: PlanSettings) -> str:
        """Make a plan; return its id."""
        return planner.plan(
            self.workspace,
            self.model,
            recording_id=self.recording,
            decomposition_id=self.atlas,
            settings=settings,
        )

    def plans(self, *settings: PlanSettings, **options) -> list[str]:
        """Make several plans at once; return their ids."""
        return planner.plans(
            self.workspace,
            self.model,
            recording_id=self.recording,
            decomposition_id=self.atlas,
            settings=settings,
            **options,
        )

    def compare(self, plan_ids, **options) -> dict[str, str]:
        """Evaluate plans by label; return evaluation ids."""
        return compare(self.workspace, self.model, self.windows, plan_ids=plan_ids, **options)


def begin(workspace: Workspace, model: LanguageModel) -> Study:
    recording = record_texts(workspace, model, CALIBRATION, settings=RECORDING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        atlas = group_ica.decompose(workspace, recording, settings=NETWORKS)
    return Study(workspace=workspace, model=model, recording=recording, atlas=atlas)


def forbid(*args, **options):
    raise AssertionError("This was done before, and should be found.")
