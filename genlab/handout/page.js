// What every hand-out does: reads the numbers, checks itself, shows its kind. Asks nobody for anything.

const AGREEMENT = 1e-5;

const breathe = () => new Promise((resolve) => setTimeout(resolve));

// NaN is worse than anything.
const worse = (one, other) => (other <= one ? one : other);

const textOf = (id) => document.getElementById(id).textContent;

// Tensors in their order, as genlab/handout/numbers.py packs them.
function unpack(packed, format, shapes) {
  let at = 0;
  const take = (Kind, count) => {
    const from = at;
    at += count * Kind.BYTES_PER_ELEMENT;
    return new Kind(packed.slice(from, at)); // a copy, since numbers must be aligned
  };
  return shapes.map(([rows, columns]) => {
    const count = rows * columns;
    if (rows === 1 || format === "float32") return { rows, columns, values: take(Float32Array, count) };
    if (format === "float16") return { rows, columns, values: fromHalves(take(Uint16Array, count)) };
    const [scales, whole] = [take(Float32Array, rows), take(Int8Array, count)];
    return { rows, columns, values: Float32Array.from(whole, (number, i) => Math.fround(number * scales[Math.floor(i / columns)])) };
  });
}

// A component of the dashboard, by itself: its root is a shadow, so that its style is its own. Returns what shows it data.
function mountComponent(host, component, onSaid = () => {}) {
  const root = host.attachShadow({ mode: "open" });
  root.append(document.getElementById(`${host.dataset.component ?? host.id.replace("-here", "")}-component`).content.cloneNode(true));
  return (data) => component({ data, parentElement: root, setStateValue: onSaid, setTriggerValue: onSaid });
}

function whenColoursChange(paint) {
  for (const query of ["(prefers-color-scheme: dark)", "print"]) window.matchMedia(query).addEventListener("change", paint);
}

// The controls above all draws: `again()` is called when one has changed.
function drawingControls(part, again) {
  const temperature = () => Number(part("temperature").value);
  const seed = () => Math.max(0, Math.floor(Number(part("seed").value) || 0));
  part("temperature").oninput = () => (part("warmth").textContent = temperature().toFixed(2));
  part("temperature").onchange = part("seed").onchange = again;
  part("again").onclick = () => {
    part("seed").value = seed() + 1;
    again();
  };
  return { temperature, seed };
}

async function open() {
  const said = JSON.parse(textOf("model"));
  const model = kind.create(said.data, unpack(bytes(textOf("weights")), said.format, said.shapes));
  await check(model, said);
  await kind.show(document.querySelector("main"), model, said.data);
  document.body.dataset.shown = "yes";
}

async function check(model, { cases, by }) {
  const line = document.getElementById("check");
  line.textContent = `comparing with ${by} on ${cases.length} cases …`;
  await breathe();
  const difference = await kind.check(model, cases);
  const agrees = difference <= AGREEMENT;
  const figure = difference ? difference.toExponential(1) : "0";
  line.dataset.state = agrees ? "agrees" : "disagrees";
  line.textContent = agrees
    ? `Agrees with ${by} to 1e-5 on ${cases.length} cases (largest difference ${figure}).`
    : `Does not agree with ${by}: on ${cases.length} cases it is off by up to ${figure}. Do not trust what it shows in this browser.`;
}

open().catch((error) => {
  const line = document.getElementById("check");
  line.dataset.state = "disagrees";
  line.textContent = `This browser could not show the model: ${error.message}`;
  throw error;
});
