"""Cached data of the search: the index of an atlas, what a model adds to it, and the lists."""

from dataclasses import dataclass

from app.shell import resources, view_state
from app.shell.caching import cached
from fnprune_core.atlas.lists import lists
from fnprune_core.atlas.naming import promoted
from fnprune_core.atlas.search import effects as effects_of
from fnprune_core.atlas.search import find as search
from fnprune_core.atlas.search.effects import EffectsIndex
from fnprune_core.atlas.search.find import Hit, Said
from fnprune_core.atlas.search.index import Index, build_index
from fnprune_core.models.language_model import LanguageModel

#: Units × hidden² up to which a page waits for the spread of every unit's logits: about a second.
_MOST_WORK = 1e11


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a query found: networks and units, best first, and whether promoted tokens were asked.

    Parameters
    ----------
    knows_promoted : bool
        Whether units were looked for by the tokens that they promote, which needs the model.
    """

    networks: list[Hit]
    units: list[Hit]
    knows_promoted: bool


def find(id: str, query: str) -> Found:
    """Return the networks and units of an atlas that a query finds."""
    atlas = resources.atlas(id)
    model = _model_of(id)
    networks, units = search.find(
        atlas,
        resources.recording(atlas.decomposition.recording_id),
        _index(id),
        query,
        Said(
            names=resources.network_names(id),
            annotations=resources.annotations(id),
            promoted=promoted.read_promoted(resources.workspace(), atlas),
        ),
        model=None if model is None else (model, _effects(id, model)),
    )
    return Found(networks=networks, units=units, knows_promoted=model is not None)


def _model_of(id: str) -> LanguageModel | None:
    """Return the model in memory, if it is the atlas's and small enough to wait for."""
    model = resources.language_model(view_state.view().model)
    layout, fingerprint = resources.atlas(id).layout, resources.atlas(id).decomposition.fingerprint
    if model is None or model.fingerprint != fingerprint:
        return None
    return model if layout.n_units * int(model.config.hidden_size) ** 2 < _MOST_WORK else None


@cached(max_entries=2, spinner="Reading the texts for the search, once", made_of=resources.made_ns)
def _index(id: str) -> Index:
    atlas = resources.atlas(id)
    return build_index(atlas, resources.recording(atlas.decomposition.recording_id))


@cached(
    max_entries=2,
    spinner="Reading the model's weights for the search, once",
    made_of=lambda id, _: resources.atlas(id).rule(),
)
def _effects(id: str, model: LanguageModel) -> EffectsIndex:
    atlas = resources.atlas(id)
    std = resources.recording(atlas.decomposition.recording_id).std
    promoted.keep_promoted(resources.workspace(), model, atlas, std)
    return effects_of.build_effects(model, atlas, std)


def _lists_read(id: str) -> object:
    return resources.changed(lists.path_of(resources.workspace(), id)), resources.made_ns(id)


@cached(max_entries=8, made_of=_lists_read)
def lists_of(id: str) -> lists.Lists:
    """Return an atlas's lists; a small file, read anew when it was changed."""
    return lists.read_lists(resources.workspace(), id)
