"""A workspace in which every name and text is an attack, and what a reader may find of it.

Scripts, pictures and links of another server in the names of domains, documents, networks,
plans, models, conditions, in tokens, prompts, notes and reasons.
"""

import json
import re
import warnings
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import tiny
from google.protobuf.message import Message
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from fnprune_core.atlas import annotations, cortex, network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.evaluation import compare, side_by_side
from fnprune_core.evaluation.generation import Prompt, Sampling
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import Lesion, LesionSettings, domain_stimuli
from fnprune_core.localizers.decoding import DecodingSettings
from fnprune_core.localizers.run import localize
from fnprune_core.localizers.stimuli import Item, localizer_of
from fnprune_core.models.loading import load_model
from fnprune_core.plans import decision_log
from fnprune_core.plans.plan import PlanSettings
from fnprune_core.pruning import planner
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import Document

SERVER = "planted.example"
#: Short, for a name has 80 characters; longer where there is room.
PICTURE = f"![p](http://{SERVER}/p)"
TAG = f'<img src="http://{SERVER}/t">'
SCRIPT = f"<script src=//{SERVER}></script>"
LINK = f"[l](//{SERVER})"
ADDRESS = f"http://{SERVER}/a"
ANCHOR = f'<a href="http://{SERVER}">z</a>'
ALL = f"{PICTURE} {LINK} {ADDRESS} www.{SERVER} a@{SERVER} {TAG} {SCRIPT} {ANCHOR} :red[w] **b**"
#: Names of folders hold no slash.
FOLDER = f"tiny ![p](data:x) [l](mailto:a@{SERVER}) www.{SERVER} <img src=x> :red[w] **b**"
_WORDS = (PICTURE, TAG.replace(" ", "/"), LINK, ADDRESS, f"www.{SERVER}", ANCHOR.replace(" ", "/"))
SETTINGS = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """The workspace and the ids of what is in it."""

    root: Path
    model: str
    texts: Path
    view: dict[str, str] = field(default_factory=dict)


def planted_word(word: str) -> str:
    """Return the word of our vocabulary in the place of a toy word."""
    place = tiny.WORDS.index(word)
    return _WORDS[place % len(_WORDS)] + word if place % 4 == 1 else word


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows the toy words, every fourth of which is an attack."""
    words = {planted_word(word): i for i, word in enumerate(tiny.WORDS)}
    core = Tokenizer(WordLevel(words, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


def documents() -> list[Document]:
    """Return the toy documents with planted words, names and domains."""
    return [
        Document(
            text=" ".join(planted_word(word) for word in document.text.split()),
            domain=f"{document.domain} {PICTURE} {ADDRESS} {TAG}",
            name=f"{document.name} {ALL}",
        )
        for document in tiny.toy_documents(n_per_domain=4, n_words=130)
    ]


def plant(root: Path) -> Planted:
    """Make the workspace below `root`, with a recording, an atlas and all that is made of them."""
    folder = root / FOLDER
    tiny.tiny_model("Llama").save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    workspace, model, texts = Workspace(root / "workspace"), load_model(str(folder)), documents()
    recording = record.record_texts(workspace, model, [*texts[:3], *texts[4:7]], settings=SETTINGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        ica = GroupICA(n_components=4, n_runs=2, max_iter=60)
        made = group_ica.decompose(workspace, recording, settings=ica)
    cortex.lay_out(workspace, made)
    atlas = network_atlas.open_atlas(workspace, made)
    for network, name in enumerate((PICTURE + ADDRESS, LINK + TAG, SCRIPT, ANCHOR)):
        annotation = Annotation(name=name[:80], note=ALL, tags=(f"www.{SERVER}", ":red[w]**b**"))
        annotations.annotate(workspace, atlas, network, annotation)
    held_out = [texts[3], texts[7]]
    plans = planner.plans(
        workspace, model, recording_id=recording, decomposition_id=made,
        settings=[
            PlanSettings(ratio=0.3, sink_units=0, compensation="none", preserved=(0, 2, 3)),
            PlanSettings(ratio=0.3, sink_units=0, compensation="none", score="magnitude"),
        ],
    )  # fmt: skip
    windows = compare.evaluation_windows(model, held_out, window=32)
    compare.compare(workspace, model, windows, plan_ids={"dense": None, PICTURE: plans[0]})
    decision_log.name_plan(workspace, plans[0], PICTURE + LINK + ADDRESS)
    decision_log.name_plan(workspace, plans[1], SCRIPT + TAG)
    decision_log.add_decisions(
        workspace, plans[0], [decision_log.decision((), (1,), what=ALL, reason=ALL)]
    )
    prompt = Prompt(text=f"{planted_word(tiny.WORDS[1])} {planted_word(tiny.WORDS[5])}")
    generation = side_by_side.generate(
        workspace, model, plans[0], prompt, sampling=Sampling(max_new_tokens=8)
    )
    items = [
        Item(condition=f"{side} {PICTURE} {ADDRESS}", template=f"{t}", text=f"{word} {o} {LINK}")
        for side, word in (("up", "aq"), ("down", "gy"))
        for t in range(6)
        for o in tiny.WORDS[10 + t : 50 : 8]
    ]
    localizer = localize(
        workspace, model, made, localizer_of(items, name="own-planted", has_templates=True),
        settings=DecodingSettings(n_permutations=49),
    )  # fmt: skip
    study = lesion_study(
        workspace, model, domain_stimuli(compare.evaluation_windows(model, held_out, window=16)),
        order=LesionOrder(
            decomposition_id=made,
            lesions=(Lesion(networks=(0,)), Lesion(networks=(1, 2))),
            settings=LesionSettings(z=1.5, sink_units=1, n_random=2),
        ),
    )  # fmt: skip
    rows = [json.dumps({"text": d.text, "topic": d.domain, "id": d.name}) for d in texts]
    path = root / "texts.jsonl"
    path.write_text("\n".join(rows))
    view = {
        "model": str(folder), "recording": recording, "atlas": made, "plan": plans[0],
        "generation": generation, "study": study, "localizer": localizer,
        "plans": ".".join(plans), "network": "1", "unit": "3", "session": "0", "token": "5",
        "other": made, "text": ALL, "prompt": prompt.text, "drop": "1",
    }  # fmt: skip
    return Planted(root=root, model=str(folder), texts=path, view=view)


# Readers -----------------------------------------------------------------------------------------

_ACTIVE = {"script", "iframe", "object", "embed", "link", "base", "form", "meta"}
_LEADING = {
    "src",
    "href",
    "srcset",
    "action",
    "data",
    "xlink:href",
    "poster",
    "background",
    "style",
}


def _leads(value: str) -> bool:
    """Whether an address or a style leads to the planted server, not only names it in a query."""
    return SERVER in value.partition("?")[0] or value.lower().startswith(("javascript:", "data:t"))


class _Tags(HTMLParser):
    """The tags of a text that lead to the planted server or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        leads = any(_leads(value or "") for name, value in attrs if name in _LEADING)
        runs = any(name.startswith("on") for name, _ in attrs)
        if leads or runs or tag in _ACTIVE:
            self.found.append(f"<{tag} {attrs}>")


def tags(text: str) -> list[str]:
    """Return what of the attack is a tag of the HTML."""
    return _Tags(text).found


#: Of Markdown: a picture, a link, HTML, a bare address, a colour; where no backslash is before it.
_MARKDOWN = re.compile(
    r"(?<!\\)\]\((?:http|//|data:|mailto:)|(?<!\\)<(?:img|script|a)\b|https?://planted"
    r"|www\.planted|www\\\.planted|https?\\:\\?/\\?/planted|(?<!\\):red\[w|(?<!\\)\*\*b\*\*"
    r"|a@planted"
)


def read_as_markdown(text: str) -> list[str]:
    """Return what of the attack a reader of Markdown would make something of."""
    without_code = re.sub(r"(?<!\\)(`+).*?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)
    return [found.group() for found in _MARKDOWN.finditer(without_code)]


def read_by_plotly(text: str) -> list[str]:
    """Return what of the attack a chart would make a link of: it knows a few tags of HTML."""
    return re.findall(r"<(?:a|img|script)\b[^>]*", text)


#: Fields that are shown as they are, or not at all: (message, field), by protobuf's names.
PLAIN = {
    ("Text", "body"), ("Code", "code_text"), ("Selectbox", "options"), ("MultiSelect", "options"),
    ("Selectbox", "default_option"), ("TextInput", "default"), ("TextInput", "value"),
    ("TextArea", "default"), ("TextArea", "value"), ("TextInput", "placeholder"),
    ("Arrow", "data"), ("Arrow", "alt"), ("PlotlyChart", "alt"), ("Image", "alt"),
    ("BidiComponent", "json"), ("PageLink", "query_string"), ("IFrame", "alt"),
    ("Selectbox", "raw_value"), ("MultiSelect", "raw_values"), ("Table", "alt"),
}  # fmt: skip
_IDS = {"id", "url", "key", "form_id", "page_script_hash", "widget_id"}


def strings_of(message: Message) -> list[tuple[str, str, str]]:
    """Return each string of a message and of those in it, with message and field."""
    found = []
    for descriptor, value in message.ListFields():
        values = value if descriptor.is_repeated else [value]
        if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
            values = [value[key] for key in value]
        for each in values:
            if isinstance(each, Message):
                found += strings_of(each)
            elif isinstance(each, str):
                found.append((message.DESCRIPTOR.name, descriptor.name, each))
    return found


def read_of(name: str, field_name: str, text: str) -> list[str]:
    """Return what of the attack the browser would make something of, in one field."""
    if field_name in _IDS or (name, field_name) in PLAIN:
        return []
    if name == "Html":
        return tags(text)
    if name == "IFrame":
        return [tag for tag in tags(text) if SERVER in tag]
    if name == "PlotlyChart":
        return [tag for each in _texts(json.loads(text)) for tag in read_by_plotly(each)]
    return read_as_markdown(text)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return []
