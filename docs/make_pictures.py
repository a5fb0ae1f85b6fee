"""The pictures of README and docs: the app in headless Chromium, over a workspace of its own.

Run as ``make pictures``. The first run computes the workspace, about half an hour on two cores;
what is there already is found. Names after the command take only those pictures.
"""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from browsing import Browser, opened, served, wait_for
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from app import pages
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.plans.files import open_plan
from fnprune_core.storage.workspace import Workspace

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "assets" / "pictures"
FOLDER = Path(os.environ.get("FNPRUNE_PICTURES", ROOT / "build" / "pictures"))
WIDTH, HEIGHT = 1280, 900
TOUR_SIZE = (960, 675)
TOUR_MS = 20_000
FADE_MS, FADE_FRAMES = 60, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Ids of what the pictures show."""

    recording: str
    atlas: str
    other: str
    plans: tuple[str, ...]
    lesions: str
    generation: str

    def link(self, page: str, **parameters: object) -> str:
        """Return the address of a page on this study."""
        view = {"recording": self.recording, "atlas": self.atlas, "plan": self.plans[0]}
        place = "" if page == pages.WORK[0].url else page
        return f"/{place}?{urlencode({**view, **parameters})}"


def fnprune(*arguments: str) -> Any:
    """Run one command over the workspace, and return what it prints."""
    command = [sys.executable, "-m", "fnprune_core", *arguments]
    run = subprocess.run(
        [*command, "--workspace", str(FOLDER), "--json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(run.stdout)


def make_study() -> Study:
    """Compute the example and all that the pages show of it, or find it."""
    fnprune("example")
    workspace = Workspace(FOLDER)
    example = json.loads((FOLDER / "example.json").read_text())
    recording, atlas = example["recording_id"], example["decomposition_id"]
    other = fnprune("decompose", recording, "--k", "24", "--runs", "2")["id"]
    fnprune("trust", atlas, "--parts", "halves,seeds,sizes")
    fnprune("localize", atlas, "language", "--permutations", "200")
    fnprune("lesion", atlas, "--networks", "0-11", "--random", "1", "--max-windows", "4")
    base = ("plan", recording, "--decomposition", atlas, "--ratio", "0.3")
    plans = (
        fnprune(*base, "--drop-domain", "french")["id"],
        fnprune(*base, "--score", "flap", "--compensation", "bias")["id"],
        fnprune(*base, "--score", "random")["id"],
    )
    chosen = [word for plan in plans for word in ("--plan", plan)]
    fnprune("evaluate", *chosen, "--max-windows", "24")
    fnprune("generate", plans[0], "The heart pumps blood through", "--tokens", "48")
    return Study(
        recording=recording,
        atlas=atlas,
        other=other,
        plans=plans,
        lesions=workspace.existing("lesions", "latest").name,
        generation=workspace.existing("generations", "latest").name,
    )


# What is done on a page before it is photographed; a page that is not here is only opened.


def embed(person: Browser) -> None:
    """Compute the embedding if it is not there."""
    if "Compute the embedding" in person.text():
        person.press("Compute the embedding")
    person.read("Lasso")


def preview(person: Browser) -> None:
    """Prepare the preview if it is not there."""
    if "Prepare the preview" in person.text():
        person.press("Prepare the preview")
    person.read("Operations per token")  # a model at hand prepares it by itself


def name_folder(person: Browser) -> None:
    """Name a folder that stands on no machine in particular."""
    selector = "[class*=st-key-export-folder] input"
    field = person.driver.find_element(By.CSS_SELECTOR, selector)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("models/smollm2-30", Keys.ENTER)
    person.settle()


DOES: dict[str, Callable[[Browser], None]] = {
    "embedding": embed,
    "prune": preview,
    "export": name_folder,
}


def given_up(plan_id: str) -> list[int]:
    """Return the networks that a plan does not protect."""
    workspace = Workspace(FOLDER)
    plan = open_plan(workspace, plan_id)
    n_networks = open_atlas(workspace, plan.decomposition_id or "").n_networks
    return [k for k in range(n_networks) if k not in (plan.preserved or range(n_networks))]


def parameters(study: Study) -> dict[str, dict[str, object]]:
    """Return what the address of a page says beside the atlas, by page."""
    return {
        "atlas": {"network": 3},
        "unit": {"network": 3},
        "probe": {"network": 3, "text": "def add(a, b): return a + b  # La somme de deux nombres"},
        "live": {"session": 0, "token": 60, "show": "recorded"},
        "prune": {"drop": ".".join(map(str, given_up(study.plans[0])))},
        "compare": {"other": study.other},
        "plans": {"plans": "-".join(study.plans)},
        "generations": {"generation": study.generation},
        "lesions": {"study": study.lesions},
        "localizers": {"localizer": "language"},
    }


# Photographs -----------------------------------------------------------------------------------


def photograph(person: Browser) -> Image.Image:
    """Return what is on the screen."""
    time.sleep(1.0)  # charts fit themselves without telling anyone
    shot = person.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")


def save(picture: Image.Image, name: str) -> None:
    """Write a still picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    picture.save(PICTURES / f"{name}.webp", quality=82, method=6)


def see_bodies(person: Browser) -> None:
    """Wait until every viewer on the page has drawn what it shows."""
    script = """
        const states = []
        const seek = (root) => {
          for (const each of root.querySelectorAll('*')) {
            if (each.matches('.viewer')) states.push(each.dataset.state)
            if (each.shadowRoot) seek(each.shadowRoot)
          }
        }
        seek(document)
        return states.every((state) => state === 'drawn')
    """
    wait_for(lambda: person.driver.execute_script(script), "the bodies to be drawn")


def picture_of(person: Browser, study: Study, url: str) -> Image.Image:
    """Open a page on the study, do what shows it best, and return its picture."""
    person.open(study.link(url, **parameters(study).get(url, {})))
    DOES.get(url, lambda _: None)(person)
    person.settle()
    see_bodies(person)
    person.driver.execute_script("document.querySelector('[data-testid=stMain]').scrollTop = 0")
    return photograph(person)


def lab(person: Browser, study: Study) -> None:
    """Photograph the prune lab, with its preview."""
    person.look(WIDTH, "dark", height=1000)
    save(picture_of(person, study, "prune"), "lab")


def brain(person: Browser, study: Study) -> None:
    """Photograph one network on the body of the model."""
    person.look(WIDTH, "dark", height=820)
    person.open(study.link("atlas", network=3))
    see_bodies(person)
    save(photograph(person), "brain")


def tour(person: Browser, study: Study) -> None:
    """Photograph twenty seconds in the app, as one moving picture."""
    person.look(WIDTH, "dark")
    scenes: list[Image.Image] = []

    def scene() -> None:
        scenes.append(photograph(person).resize(TOUR_SIZE, Image.Resampling.LANCZOS))

    for network in (3, 7, 12):
        person.open(study.link("atlas", network=network))
        scene()
    for url in ("parcellation", "connectome", "probe", "embedding"):
        picture_of(person, study, url)
        scene()
    picture_of(person, study, "prune")
    scene()
    for _ in range(3):
        person.keys("p", Keys.ARROW_RIGHT)
        scene()
    for url in ("plans", "generations", "export"):
        picture_of(person, study, url)
        scene()
    write_tour(scenes)


def write_tour(scenes: list[Image.Image]) -> None:
    """Write the scenes one after another, each fading into the next."""
    frames: list[Image.Image] = []
    durations: list[int] = []
    stay = TOUR_MS // len(scenes) - FADE_MS * FADE_FRAMES
    for before, after in zip(scenes, [*scenes[1:], scenes[0]], strict=True):
        frames.append(before)
        durations.append(stay)
        for k in range(1, FADE_FRAMES + 1):
            frames.append(Image.blend(before, after, k / (FADE_FRAMES + 1)))
            durations.append(FADE_MS)
    frames[0].save(
        PICTURES / "tour.webp", save_all=True, append_images=frames[1:], duration=durations,
        loop=0, quality=60, method=6,
    )  # fmt: skip


def nilearn(_: Browser, study: Study) -> None:
    """Draw the exported images by nilearn, as the page *In other tools* says, and lay them out."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "images"
        fnprune("volumes", study.atlas, str(target))
        pictures = [draw_by_nilearn(name, target) for name in NILEARN]
    width = max(picture.width for picture in pictures)
    sheet = Image.new("RGB", (width, sum(p.height for p in pictures)), "black")
    top = 0
    for picture in pictures:
        sheet.paste(picture, ((width - picture.width) // 2, top))
        top += picture.height
    save(sheet, "nilearn")


NILEARN = ("stat_map", "mosaic", "prob_atlas", "roi", "glass_brain")


def draw_by_nilearn(name: str, folder: Path) -> Image.Image:
    """Return one picture of exported images."""
    from nilearn import image, plotting

    (maps,), (grey,), (labels,) = (
        list(folder.glob(f"*_{ending}.nii.gz"))
        for ending in ("stat-z_statmap", "desc-anatomy_T1w", "dseg")
    )
    network = image.smooth_img(image.index_img(str(maps), 3), fwhm=4)
    look = {"bg_img": str(grey), "black_bg": True}
    if name == "stat_map":
        display = plotting.plot_stat_map(network, **look, threshold=1.5, cmap="cold_hot")
    elif name == "mosaic":
        display = plotting.plot_stat_map(
            network, **look, threshold=1.5, cmap="cold_hot", display_mode="mosaic", cut_coords=5
        )
    elif name == "roi":
        display = plotting.plot_roi(str(labels), **look, draw_cross=False)
    elif name == "prob_atlas":
        several = image.smooth_img(image.index_img(str(maps), slice(0, 6)), fwhm=4)
        display = plotting.plot_prob_atlas(
            several, **look, view_type="filled_contours", draw_cross=False
        )
    else:
        display = plotting.plot_glass_brain(network, threshold=1.5, black_bg=True)
    stream = io.BytesIO()
    display.frame_axes.figure.savefig(stream, format="png", dpi=110, facecolor="black")
    display.close()
    return Image.open(stream).convert("RGB")


SPECIAL: dict[str, Callable[[Browser, Study], None]] = {
    "lab": lab,
    "brain": brain,
    "tour": tour,
    "nilearn": nilearn,
}


def main(names: list[str]) -> None:
    """Make the pictures of these names, or all."""
    programs = tuple(shutil.which(name) for name in ("chromium", "chromedriver"))
    if None in programs:
        raise SystemExit("Pictures need chromium and chromedriver on the path.")
    all_names = [*SPECIAL, *(view.url for view in pages.VIEWS)]
    for name in names:
        if name not in all_names:
            raise SystemExit(f"There is no picture {name!r}; choose from {', '.join(all_names)}.")
    study = make_study()
    log = FOLDER / "server.log"
    paths = (Path(str(programs[0])), Path(str(programs[1])))
    with served(FOLDER, log=log) as url, opened(paths, url) as person:
        for name in names or all_names:
            print(name, flush=True)
            if name in SPECIAL:
                SPECIAL[name](person, study)
            else:
                person.look(WIDTH, "dark", height=HEIGHT)
                save(picture_of(person, study, name), name)


if __name__ == "__main__":
    main(sys.argv[1:])
