// One sigmoid neuron as a graph: pixels at the left, weights on the edges, the sum and its sigmoid at the right. Below it, all
// pictures stand where the neuron puts them between 0 and 1. Dragging a weight asks Python for the new numbers as it moves.

const WEIGHT_NAMES = [...PIXELS, "bias"];
const SYMBOLS = ["w₁", "w₂", "w₃", "w₄", "b"];

export default mounts(function createNeuron(root) {
  const part = (name) => root.querySelector(`.${name}`);
  let data = null;
  let weights = [0, 0, 0, 0, 0];
  let picture = [0, 0, 0, 0];
  let awaited = null; // what was sent and has not come back
  const stamp = () => `${picture} ${weights}`;
  const send = throttled((settled) => neuron.send("hand", { picture, weights, settled }));
  const graph = createGraph(part("graph"), (i) => picture[i], (i, value, settled) => changed({ picture: picture.with(i, value) }, settled));
  const sliders = createSliders();
  let width = 0;

  function changed(next, settled) {
    picture = next.picture ?? picture;
    weights = next.weights ?? weights;
    awaited = stamp();
    paintOwn();
    send(settled);
  }

  function createSliders() {
    return WEIGHT_NAMES.map((name, i) => {
      const range = element("input", { type: "range", step: 0.05, "aria-label": i < 4 ? `weight of the ${name} pixel` : "bias" });
      const output = element("output", { "aria-hidden": "true" });
      range.oninput = () => changed({ weights: weights.with(i, Number(range.value)) }, false);
      range.onchange = () => changed({ weights: weights.with(i, Number(range.value)) }, true);
      part("weights").append(element("label", {}, element("span", {}, `${SYMBOLS[i]} ${name}`), range, output));
      return { range, output };
    });
  }

  function show(received) {
    const current = `${received.picture} ${received.weights}`;
    if (awaited !== null && awaited !== current) return; // an answer to an older question
    awaited = null;
    const first = data === null;
    data = received;
    ({ picture, weights } = data);
    if (first) build();
    paintOwn();
    paintNumbers();
  }

  function build() {
    sliders.forEach(({ range }) => fill(range, { min: -data.limit, max: data.limit }, []));
    part("presets").replaceChildren(
      ...data.presets.map((preset) => {
        const button = element("button", { type: "button" }, preset.name);
        button.onclick = () => changed({ weights: [...preset.weights] }, true);
        return button;
      }),
    );
    const kinds = { true: "faces", false: "no faces" };
    let kind = null;
    part("line").replaceChildren(
      ...data.shelf.map((each) => {
        const node = thumbnail("button", each.picture);
        node.onclick = () => changed({ picture: [...each.picture] }, true);
        const starts = each.face !== kind;
        kind = each.face;
        const lane = element("div", { class: starts ? "lane first" : "lane" }, node);
        if (starts) lane.prepend(element("span", { class: "kind" }, kinds[each.face]));
        return lane;
      }),
    );
  }

  // What the visitor has set is shown at once; what follows from it is Python's to say.
  function paintOwn() {
    sliders.forEach(({ range, output }, i) => {
      range.value = weights[i];
      range.setAttribute("aria-valuetext", written(weights[i]));
      output.textContent = written(weights[i]);
      output.className = signOf(weights[i]);
    });
    graph.own(picture, weights);
  }

  function paintNumbers() {
    graph.numbers(data);
    part("score").textContent = data.verdict;
    part("scorewords").textContent = data.verdict_words;
    part("line").querySelectorAll(".thumbnail").forEach((node, i) => {
      const { picture: pixels, face, score, right } = data.shelf[i];
      node.style.left = `${100 * score}%`;
      node.classList.toggle("wrong", !right);
      node.setAttribute("aria-pressed", String(String(pixels) === String(picture)));
      node.paint(pixels, `${face ? "a face" : "no face"}, judged ${score.toFixed(2)}, ${right ? "right" : "wrong"}: ${inWords(pixels)}`);
    });
  }

  const resized = new ResizeObserver(() => {
    if (!data || part("graph").clientWidth === width) return;
    width = part("graph").clientWidth;
    graph.layout(width);
    paintOwn();
    paintNumbers();
  });
  resized.observe(part("graph"));

  const neuron = { show, close: () => resized.disconnect() };
  return neuron;
});

function createGraph(host, read, write) {
  const HEIGHT = 290;
  const SIZE = 46;
  const image = drawn("svg", { height: HEIGHT, role: "group", "aria-label": "The neuron as a graph" });
  host.append(image);
  let parts = null;

  function layout(width) {
    const left = 24;
    const centre = { x: Math.max(width * 0.6, 190), y: 150 };
    const rows = PIXELS.map((_, i) => 38 + i * 68);
    image.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    image.replaceChildren();
    const edges = rows.map((y) => {
      const path = `M${left + SIZE} ${y} L${centre.x - 44} ${centre.y + (y - centre.y) * 0.16}`;
      return image.appendChild(drawn("path", { d: path, class: "edge" })) && { path, node: image.lastChild, flow: image.appendChild(drawn("path", { d: path, class: "flow" })) };
    });
    const labels = rows.map((y) => {
      const at = { x: (left + SIZE + centre.x - 44) / 2, y: (y + centre.y + (y - centre.y) * 0.16) / 2 };
      const pill = drawn("rect", { class: "pill", rx: 4, height: 20, y: at.y - 10 });
      const text = drawn("text", { x: at.x, y: at.y + 5, "text-anchor": "middle" });
      image.append(pill, text);
      return { pill, text, at };
    });
    const pixels = rows.map((y, i) => {
      const square = drawn("rect", { class: "pixel", x: left, y: y - SIZE / 2, width: SIZE, height: SIZE, rx: 3 });
      const value = drawn("text", { class: "value", x: left + SIZE / 2, y: y + 5, "text-anchor": "middle", "aria-hidden": "true" });
      image.append(square, value);
      return { square, value, say: makePixel(square, i, read, write) };
    });
    const biasPath = `M${centre.x} 34 L${centre.x} ${centre.y - 46}`;
    const bias = image.appendChild(drawn("path", { d: biasPath, class: "edge" }));
    const biasLabel = image.appendChild(drawn("text", { x: centre.x, y: 24, "text-anchor": "middle" }));
    image.append(drawn("rect", { class: "cell", x: centre.x - 46, y: centre.y - 46, width: 92, height: 92, rx: 46 }));
    const sigmoid = image.appendChild(drawn("path", { class: "sigmoid" }));
    const sum = image.appendChild(drawn("text", { x: centre.x, y: centre.y + 68, "text-anchor": "middle" }));
    const end = { x: width - 6, y: centre.y };
    image.append(drawn("path", { class: "edge out", d: `M${centre.x + 48} ${centre.y} L${end.x - 76} ${centre.y}` }));
    const output = image.appendChild(drawn("text", { class: "big", x: end.x, y: end.y + 12, "text-anchor": "end" }));
    const word = image.appendChild(drawn("text", { class: "quiet", x: end.x, y: end.y + 36, "text-anchor": "end" }));
    const here = image.appendChild(drawn("circle", { class: "here", r: 5 }));
    parts = { edges, labels, pixels, bias, biasLabel, sum, output, word, here, sigmoid, centre };
  }

  function own(picture, weights) {
    if (!parts) return;
    picture.forEach((value, i) => {
      const { square, value: text, say } = parts.pixels[i];
      square.style.fill = grey(value);
      text.style.fill = value < 0.5 ? "var(--ink)" : "var(--paper)";
      text.textContent = short(value);
      say(value);
      weigh(parts.edges[i].node, weights[i]);
      parts.edges[i].flow.style.display = value * weights[i] === 0 ? "none" : "";
      const { pill, text: label, at } = parts.labels[i];
      label.textContent = `${short(value)} · ${weights[i] < 0 ? `(${short(weights[i])})` : short(weights[i])}`;
      label.setAttribute("class", signOf(weights[i]));
      const wide = 9 * label.textContent.length;
      fill(pill, { x: at.x - wide / 2, width: wide }, []);
    });
    weigh(parts.bias, weights[4]);
    parts.biasLabel.textContent = `bias ${short(weights[4])}`;
    parts.biasLabel.setAttribute("class", signOf(weights[4]));
  }

  function weigh(edge, weight) {
    edge.setAttribute("class", `edge ${signOf(weight)}`);
    edge.style.strokeWidth = 1 + 2.2 * Math.sqrt(Math.abs(weight));
    edge.style.opacity = weight === 0 ? 0.3 : 1;
  }

  function numbers({ total, score, says, curve }) {
    if (!parts) return;
    parts.sum.textContent = `g = ${written(total)}`;
    parts.output.textContent = written(score);
    parts.word.textContent = says;
    const reach = curve.at(-1)[0];
    const at = ([g, sigma]) => [parts.centre.x + (34 * Math.max(-reach, Math.min(reach, g))) / reach, parts.centre.y + 22 - 44 * sigma];
    parts.sigmoid.setAttribute("d", `M${curve.map(at).join("L")}`);
    const [x, y] = at([total, score]);
    fill(parts.here, { cx: x, cy: y }, []);
    image.setAttribute("aria-label", `The neuron as a graph: the sum is ${written(total)}, its sigmoid ${written(score)}: ${says}.`);
  }

  return { layout, own, numbers };
}
