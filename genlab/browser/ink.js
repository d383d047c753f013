// What the components share: how they are mounted, and images drawn in the theme's own ink on its own paper. It is put before each
// component's script.

// A component's default export, which Streamlit calls again, with the same parentElement, whenever the data or the theme changes. What
// `create` makes has `show(data)`, may have `close()`, and is given `send(name, value)` (of a state) and `trigger(name, value)`.
// On paper the theme's colours are others (theme.css), and a picture that is saved is finer (save.js): what is painted is painted again.
function mounts(create) {
  const instances = new WeakMap();
  const paper = window.matchMedia("print");
  return function ({ data, parentElement, setStateValue, setTriggerValue }) {
    if (!instances.has(parentElement)) instances.set(parentElement, create(parentElement));
    const instance = instances.get(parentElement);
    instance.send = setStateValue;
    instance.trigger = setTriggerValue;
    instance.show(data);
    (window.genlabShown ??= new WeakMap()).set(parentElement.getRootNode(), data); // for whoever saves the numbers behind a picture
    const paintAgain = () => instance.show(data);
    paper.addEventListener("change", paintAgain);
    document.addEventListener("genlab-paint", paintAgain);
    return () => {
      paper.removeEventListener("change", paintAgain);
      document.removeEventListener("genlab-paint", paintAgain);
      instance.close?.();
      instances.delete(parentElement);
    };
  };
}

// As large as there is room for. Every pixel of an image gets the same whole number of device pixels, so that none looks wider
// than its neighbour; only where there are too few of them is the picture shrunk.
function fitCanvas(canvas, width, height, available) {
  const fitting = (available * devicePixelRatio) / width;
  const scale = (fitting < 1 ? fitting : Math.floor(fitting)) / devicePixelRatio;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.style.width = `${width * scale}px`;
  canvas.style.height = `${height * scale}px`;
}

function colourOf(element) {
  return getComputedStyle(element).color;
}

function inkAndPaper(canvas) {
  const style = getComputedStyle(canvas);
  return [channelsOf(style.color), channelsOf(style.backgroundColor)];
}

function channelsOf(colour) {
  return colour.match(/[\d.]+/g).slice(0, 3).map(Number);
}

function mix(paper, ink, share) {
  return paper.map((value, channel) => value + (ink[channel] - value) * share);
}

function setPixel({ data, width }, x, y, [red, green, blue]) {
  const at = 4 * (y * width + x);
  data[at] = red;
  data[at + 1] = green;
  data[at + 2] = blue;
  data[at + 3] = 255;
}

// The inverse of components.base64; a buffer is one already.
function bytes(base64) {
  if (base64 instanceof ArrayBuffer) return base64;
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer;
}

// Every float16 as a number: 1 bit of sign, 5 of exponent, 10 of fraction.
function fromHalves(halves) {
  return Float32Array.from(halves, (half) => {
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24;
    return half & 0x8000 ? -size : size;
  });
}

// Puts the first `known` values of one image into a picture; values stand in the order of drawing: rows, columns, channels.
function fillImage(image, left, top, values, known, { width, channels, levels }, [ink, paper]) {
  const greys = channels === 3 ? null : shades(levels, ink, paper);
  for (let i = 0; i < known; i += channels) {
    const share = (channel) => (i + channel < known ? values[i + channel] / (levels - 1) : 0);
    const colour = greys ? greys[values[i]] : [0, 1, 2].map((channel) => 255 * share(channel));
    const pixel = i / channels;
    setPixel(image, left + (pixel % width), top + Math.floor(pixel / width), colour);
  }
}

// The colour of every level, made once for all the pixels of all frames.
let shadesMade = { key: "", colours: [] };
function shades(levels, ink, paper) {
  const key = `${levels} ${ink} ${paper}`;
  if (shadesMade.key !== key) shadesMade = { key, colours: Array.from({ length: levels }, (_, level) => mix(paper, ink, level / (levels - 1))) };
  return shadesMade.colours;
}

// Many images in one picture, with one gap of paper between them: how many to a row, and how large that is in their own pixels.
function wallOf(count, columns, { width, height }) {
  const gap = Math.max(1, Math.round(width / 10));
  const rows = Math.ceil(count / columns);
  const across = width + gap;
  const down = height + gap;
  return { columns, rows, across, down, width: columns * across - gap, height: rows * down - gap };
}

function place(element, left, top, width, height) {
  Object.assign(element.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * width}%`, height: `${100 * height}%` });
}
