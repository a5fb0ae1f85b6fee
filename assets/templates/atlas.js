"use strict";
(() => {
  document.documentElement.classList.add("js");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  // Charts: drawn when they come near the screen, and again when the mode changes.
  const draw = (place) => {
    const held = document.getElementById(`figure-${place.dataset.figure}`);
    const figure = JSON.parse(held.textContent)[dark.matches ? "dark" : "light"];
    Plotly.react(place, figure.data, figure.layout, {
      responsive: true, displayModeBar: false, scrollZoom: false,
    });
  };
  const near = new IntersectionObserver((seen) => {
    for (const each of seen) {
      if (!each.isIntersecting) continue;
      near.unobserve(each.target);
      each.target.dataset.drawn = "yes";
      draw(each.target);
    }
  }, { rootMargin: "400px" });
  const places = [...document.querySelectorAll("[data-figure]")];
  places.forEach((place) => near.observe(place));
  dark.addEventListener("change", () => {
    places.filter((place) => place.dataset.drawn).forEach(draw);
  });
  window.addEventListener("beforeprint", () => {
    places.filter((place) => !place.dataset.drawn).forEach(draw);
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
    if (event.target.closest("input, select, .plot")) return;
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
