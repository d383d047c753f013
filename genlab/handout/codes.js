// What all models of codes share. A model here has `expected(code)`: shares of ink, or coordinates, in an array that the next call fills anew;
// `data` says how many numbers a code has, and where codes come from: mean + ε · spread, ε standard normal.

// The largest difference of any value, on codes that were decoded when the page was made.
async function checkCodes(model, cases) {
  let largest = 0;
  for (const { code, expected } of cases) {
    const found = model.expected(new Float32Array(bytes(code)));
    new Float32Array(bytes(expected)).forEach((value, i) => (largest = worse(largest, Math.abs(value - found[i]))));
    await breathe();
  }
  return largest;
}

// The code of a noise ε, with one number for each class behind it.
function codeOf({ latents, classes, mean, spread }, noise, label = 0) {
  const code = new Float32Array(latents + classes);
  for (let i = 0; i < latents; i += 1) {
    code[i] = typeof mean === "number" ? mean : mean[i];
    if (typeof spread === "number") code[i] += spread * noise[i];
    else for (let j = 0; j < latents; j += 1) code[i] += noise[j] * spread[j][i];
  }
  if (classes) code[latents + label] = 1;
  return code;
}

// Noise number n of a seed.
const noiseOf = ({ latents }, seed, n, temperature = 1) => normalsOf(seed * 4096 + n, latents).map((value) => temperature * value);

const between = (one, other, share) => Float64Array.from(one, (value, i) => value + share * (other[i] - value));

// Once a frame, however often the pointer moves.
function oncePerFrame(work) {
  let frame = 0;
  return () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(work);
  };
}

// A slider for each of so many numbers of a code; `onMove(number, value)`.
function slidersOf(count, onMove) {
  return Array.from({ length: count }, (_, number) => {
    const label = Object.assign(document.createElement("label"), { className: "wide", textContent: `z${number + 1} ` });
    const slider = Object.assign(document.createElement("input"), { type: "range", min: -3, max: 3, step: 0.05, value: 0 });
    slider.dataset.number = number;
    slider.oninput = () => onMove(number, Number(slider.value));
    label.append(slider);
    return label;
  });
}

// A pointer, or arrow keys, on a square that shows `reach` to each side: `onMove(x, y)`; `where()` is where it is.
function pointing(square, reach, where, onMove) {
  const within = (value) => Math.min(Math.max(value, -reach), reach);
  square.onpointermove = square.onpointerdown = (event) => {
    const box = square.getBoundingClientRect();
    onMove(within(reach * ((2 * (event.clientX - box.left)) / box.width - 1)), within(reach * (1 - (2 * (event.clientY - box.top)) / box.height)));
  };
  square.onkeydown = (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault();
    const [x, y] = where();
    onMove(within(x + (way[0] * reach) / 25), within(y + (way[1] * reach) / 25));
  };
}
