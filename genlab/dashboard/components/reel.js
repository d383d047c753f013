// A training that is played: what G draws, both losses, and all weights, over the steps. Two lanes show the same start trained by two
// losses. Everything was recorded before it is sent; scrubbing asks nobody for anything.

const SECONDS = 7; // for the whole training
const CHART = { height: 205, left: 34, right: 8, top: 30, bottom: 24 };

export default mounts(function createReel(root) {
  const part = (name) => root.querySelector(`.${name}`);
  let data = null;
  let position = 0; // in frames; the fraction is time
  let lanes = [];

  function show(received) {
    const isNew = data?.id !== received.id;
    data = received;
    if (!isNew) return;
    lanes = data.lanes.map(createLane);
    part("lanes").replaceChildren(...lanes.map((lane) => lane.node));
    part("scrub").max = data.steps.length - 1;
    layout();
    const start = data.start ?? (player.wantsRest() ? data.steps.length - 1 : 0);
    seek(start);
    player.play(data.start === null && !player.wantsRest());
  }

  const player = createPlayer(part("play"), {
    begin: () => position >= data.steps.length - 1 && (position = 0),
    advance: (seconds) => {
      seek(position + (seconds * data.steps.length) / SECONDS);
      if (position >= data.steps.length - 1) player.play(false);
    },
  });

  function seek(frame) {
    position = Math.max(0, Math.min(frame, data.steps.length - 1));
    const shown = Math.floor(position);
    const words = `step ${data.steps[shown].toLocaleString("en")}`;
    part("scrub").value = shown;
    part("scrub").setAttribute("aria-valuetext", `${words}. ${data.lanes.map((lane) => `${lane.name}: ${lane.words[shown]}`).join(" ")}`);
    part("where").textContent = words;
    lanes.forEach((lane) => lane.paint(shown));
  }

  function createLane(lane) {
    const pictures = lane.pictures[0].map((picture) => thumbnail("span", picture));
    const chart = element("div", { class: "chart" });
    const matrices = [
      createMatrix("D: w and b", 5),
      createMatrix("G: v (times z)", 4),
      createMatrix("G: c", 4),
    ];
    const sentence = element("p", { class: "quiet sentence" });
    const node = element(
      "div",
      { class: "lane" },
      element("h2", {}, `${lane.name} `, element("span", {}, lane.formula)),
      element("div", { class: "pictures", role: "group", "aria-label": "pictures that G draws, z from 0 to 1" }, ...pictures),
      sentence,
      chart,
      element("div", { class: "matrices" }, ...matrices.map((matrix) => matrix.node)),
    );
    let curves = null;

    function paint(frame) {
      pictures.forEach((each, i) => each.paint(lane.pictures[frame][i], `G at z = ${data.z[i].toFixed(2)}: ${inWords(lane.pictures[frame][i])}`));
      const state = lane.states[frame];
      matrices[0].paint(state.slice(0, 5));
      matrices[1].paint(state.slice(5, 9));
      matrices[2].paint(state.slice(9, 13));
      sentence.textContent = lane.words[frame];
      curves?.paint(frame);
    }

    return { node, paint, layout: () => (curves = createCurves(chart, lane)) };
  }

  function createMatrix(name, count) {
    const cells = Array.from({ length: count }, (_, i) => element("span", i === 4 ? { class: "wide" } : {}));
    const paint = (values) =>
      values.forEach((value, i) => {
        const share = 60 * Math.min(1, Math.abs(value) / 4);
        cells[i].textContent = written(value);
        cells[i].style.background = `color-mix(in srgb, var(--${signOf(value)}) ${share}%, var(--st-secondary-background-color))`;
      });
    return { node: element("div", { class: "matrix" }, element("h3", {}, name), ...cells), paint };
  }

  // Both losses, drawn up to the step that is shown and faintly beyond, against the values they would have if D could only guess.
  function createCurves(host, lane) {
    const width = host.clientWidth || 320;
    const { height, left, right, top, bottom } = CHART;
    const last = data.steps.at(-1);
    const x = (step) => left + ((width - left - right) * step) / last;
    const y = (loss) => height - bottom - ((height - top - bottom) * Math.min(loss, data.most)) / data.most;
    const line = (losses, style) => drawn("path", { class: style, d: `M${losses.map((loss, i) => `${x(data.steps[i]).toFixed(1)} ${y(loss).toFixed(1)}`).join("L")}` });
    const clip = `until-${lane.name}`;
    const past = drawn("rect", { x: left, y: 0, width: 0, height });
    const bright = drawn("g", { "clip-path": `url(#${clip})` }, line(lane.d, "d"), line(lane.g, "g"));
    const head = drawn("line", { class: "head", y1: top, y2: height - bottom });
    const dots = ["d", "g"].map((name) => drawn("circle", { class: name, r: 3.5 }));
    const ideals = data.ideals.flatMap(({ name, loss, of }) => [
      drawn("line", { class: `ideal ${of}`, x1: left, x2: width - right, y1: y(loss), y2: y(loss) }),
      drawn("text", { class: of, x: left - 5, y: y(loss) + 4, "text-anchor": "end" }, name),
    ]);
    const image = drawn(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, height, role: "img" },
      drawn("clipPath", { id: clip }, past),
      drawn("line", { class: "frame", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      ...ideals,
      drawn("text", { x: left - 5, y: height - bottom + 4, "text-anchor": "end" }, "0"),
      drawn("text", { x: left, y: height - 6 }, "step 0"),
      drawn("text", { x: width - right, y: height - 6, "text-anchor": "end" }, last.toLocaleString("en")),
      drawn("text", { class: "d", x: left, y: 12 }, "loss of D"),
      drawn("text", { class: "g", x: left + 70, y: 12 }, "−ln D(G(z))"),
      drawn("g", { class: "ahead" }, line(lane.d, "d"), line(lane.g, "g")),
      bright,
      head,
      ...dots,
    );
    host.replaceChildren(image);
    image.addEventListener("click", (event) => {
      player.play(false);
      const step = ((event.offsetX - left) / (width - left - right)) * last;
      seek(data.steps.findLastIndex((each) => each <= Math.max(0, step)));
    });

    function paint(frame) {
      const at = x(data.steps[frame]);
      past.setAttribute("width", Math.max(0, at - left));
      fill(head, { x1: at, x2: at }, []);
      fill(dots[0], { cx: at, cy: y(lane.d[frame]) }, []);
      fill(dots[1], { cx: at, cy: y(lane.g[frame]) }, []);
      image.setAttribute("aria-label", `Losses over ${last.toLocaleString("en")} steps. ${lane.words[frame]}`);
    }

    return { paint };
  }

  let width = 0;
  function layout() {
    width = part("lanes").clientWidth;
    lanes.forEach((lane) => lane.layout());
  }
  const resized = new ResizeObserver(() => {
    if (!data || part("lanes").clientWidth === width) return;
    layout();
    seek(position);
  });
  resized.observe(part("lanes"));

  part("scrub").oninput = (event) => {
    player.play(false);
    seek(Number(event.target.value));
  };
  part("scrub").onchange = () => reel.send("step", data.steps[Math.floor(position)]);
  part("inspect").onclick = () => reel.trigger("inspected", data.steps[Math.floor(position)]);

  const reel = {
    show,
    close: () => {
      player.close();
      resized.disconnect();
    },
  };
  return reel;
});
