"use strict";
(() => {
  document.documentElement.classList.add("js");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const held = (name) => {
    const found = document.getElementById(`held-${name}`);
    return found && JSON.parse(found.textContent);
  };

  // The body: its viewer is made when it comes near the screen.
  const place = document.getElementById("body-viewer");
  if (place) {
    const { shared, networks, first } = held("body");
    const picker = document.getElementById("body-network");
    window.fnpruneNiivue = Promise.resolve(window.niivue);
    picker.value = first;
    let isDrawn = false;
    let chosen = null;  // a threshold set here holds for the other networks, too
    const show = () => {
      isDrawn = true;
      const network = Number(picker.value);
      const own = networks[network];
      const threshold = { ...shared.threshold, value: chosen ?? shared.threshold.value };
      const still = document.querySelector(`#network-${network} .map img`);
      drawViewer({
        // The viewer adds its threshold to a picture's address, which one inside cannot heed.
        data: {
          ...shared, ...own, threshold, still: `${still.src}#`, mode: dark.matches ? "dark" : "light",
        },
        parentElement: place,
        setTriggerValue: (name, value) => { if (name === "threshold") chosen = value; },
      });
    };
    picker.addEventListener("change", show);
    dark.addEventListener("change", () => { if (isDrawn) show(); });
    for (const link of document.querySelectorAll(".to-body")) {
      link.addEventListener("click", () => {
        picker.value = link.dataset.network;
        show();
      });
    }
    new IntersectionObserver((seen, near) => {
      if (!seen.some((each) => each.isIntersecting)) return;
      near.disconnect();
      show();
    }, { rootMargin: "400px" }).observe(place);
  }

  // The connectome: what lies under the pointer is said below it, and a press goes there.
  const matrix = document.getElementById("matrix");
  const { networks: order, names, hundredths } = held("connectome");
  const cell = (event) => {
    const box = matrix.getBoundingClientRect();
    const at = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    return at.map((share) => Math.min(Math.max(Math.floor(share * order.length), 0), order.length - 1));
  };
  matrix.addEventListener("pointermove", (event) => {
    const [row, column] = cell(event);
    const r = (hundredths[row][column] / 100).toFixed(2).replace("-", "−");
    document.getElementById("matrix-said").textContent = `${names[row]} with ${names[column]}: r ${r}`;
  });
  matrix.addEventListener("click", (event) => {
    location.hash = `network-${order[cell(event)[0]]}`;
  });

  // The gallery: find and sort.
  const list = document.getElementById("tiles");
  const tiles = [...list.children];
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const tile of tiles) tile.hidden = !tile.dataset.words.includes(wanted);
  });
  document.getElementById("sort").addEventListener("change", (event) => {
    const by = event.target.value;
    const rising = by === "network" || by === "peak";
    tiles.sort((a, b) => {
      if (by === "domain") {
        return a.dataset.domain.localeCompare(b.dataset.domain) || a.dataset.network - b.dataset.network;
      }
      const first = parseFloat(a.dataset[by]), second = parseFloat(b.dataset[by]);
      return (rising ? first - second : second - first) || a.dataset.network - b.dataset.network;
    });
    list.append(...tiles);
  });

  // Arrow keys: to the network before or after the one on screen.
  const articles = [...document.querySelectorAll("article")];
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target.closest("input, select, .body-viewer")) return;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    let present = articles.findIndex((each) => each.getBoundingClientRect().bottom > 120);
    if (present < 0) present = articles.length - 1;
    const above = articles[present].getBoundingClientRect().top > 120;
    const next = above && step > 0 ? present : present + step;
    const target = articles[Math.min(Math.max(next, 0), articles.length - 1)];
    history.replaceState(null, "", `#${target.id}`);
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  });
})();
