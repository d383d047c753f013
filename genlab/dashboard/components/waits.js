// Which pixels wait for which: several grids on one clock, a step at a time. A pixel lights up at the step at which it can be computed.

const STEPS_A_SECOND = 6;
const REST = 8; // steps that the finished pictures stand still before all begins anew
const SVG = "http://www.w3.org/2000/svg";

export default mounts(createWaits);

function createWaits(root) {
  const part = (name) => root.querySelector(`.${name}`);
  let shown = null;
  let grids = [];
  let step = 0;
  const player = createPlayer(part("play"), {
    begin: () => {
      if (step >= shown.last) step = 0;
    },
    advance: (seconds) => {
      step += STEPS_A_SECOND * seconds;
      if (step > shown.last + REST) step = 0;
      paint();
    },
  });

  function show(data) {
    if (shown?.id === data.id) return;
    shown = { ...data, last: Math.max(...data.groups.flatMap(({ panels }) => panels.map((panel) => panel.steps))) };
    grids = [];
    part("groups").replaceChildren(...data.groups.flatMap(createGroup));
    part("scrub").max = shown.last;
    step = player.wantsRest() ? shown.last : 0;
    player.play(!player.wantsRest());
    paint();
  }

  function paint() {
    const now = Math.min(Math.floor(step), shown.last);
    part("scrub").value = now;
    part("step").textContent = `step ${now}`;
    for (const { panel, pixels, numbers } of grids) {
      panel.at.forEach((at, pixel) => {
        pixels[pixel].classList.toggle("done", at < now);
        for (const element of [pixels[pixel], numbers[pixel]]) element.classList.toggle("now", at === now);
      });
    }
  }

  function createGroup({ title, panels }) {
    const heading = document.createElement("h2");
    heading.textContent = title;
    const row = document.createElement("div");
    row.className = "panels";
    const made = panels.map(createGrid);
    row.append(...made.map((grid) => grid.figure));
    grids.push(...made);
    return [heading, row];
  }

  function createGrid(panel) {
    const figure = document.createElement("figure");
    figure.innerHTML = '<svg role="img"></svg><figcaption><strong></strong><span class="count"></span> <span class="words"></span></figcaption>';
    const svg = figure.querySelector("svg");
    svg.setAttribute("viewBox", `-0.05 -0.05 ${panel.width + 0.1} ${panel.height + 0.1}`);
    svg.setAttribute("aria-label", [`${panel.title}: ${panel.count}`, panel.words].filter(Boolean).join(" "));
    figure.querySelector("strong").textContent = panel.title;
    figure.querySelector(".count").textContent = panel.count;
    figure.querySelector(".words").textContent = panel.words;
    const pixels = panel.at.map((_, pixel) => add(svg, "rect", { x: pixel % panel.width, y: Math.floor(pixel / panel.width), width: 1, height: 1 }));
    const numbers = panel.at.map((at, pixel) => {
      const number = add(svg, "text", { x: (pixel % panel.width) + 0.5, y: Math.floor(pixel / panel.width) + 0.52 });
      number.textContent = at;
      return number;
    });
    pixels.forEach((element, pixel) => {
      element.classList.add("pixel");
      element.addEventListener("pointerenter", () => ask(panel, pixels, numbers, pixel));
    });
    svg.addEventListener("pointerleave", () => ask(panel, pixels, numbers, null));
    return { figure, panel, pixels, numbers };
  }

  function ask(panel, pixels, numbers, asked) {
    const awaited = new Set(asked === null ? [] : panel.waits[asked]);
    pixels.forEach((element, pixel) => {
      element.classList.toggle("asked", pixel === asked);
      for (const each of [element, numbers[pixel]]) each.classList.toggle("awaited", awaited.has(pixel));
    });
  }

  part("scrub").oninput = (event) => {
    player.play(false);
    step = Number(event.target.value);
    paint();
  };

  return { show, close: player.close };
}

function add(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}
