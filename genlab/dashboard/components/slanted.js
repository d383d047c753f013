// What the components of slanted land share: 2×2 pictures, pixels that can be turned from white to black, drawing in SVG.
// It knows no arithmetic of neurons: every number that is shown comes from the kernels, through Python.

const PIXELS = ["top left", "top right", "bottom left", "bottom right"];
const SEND_EVERY_MS = 60; // while something is dragged
const DRAG_PIXELS = 120; // from white to black

const grey = (value) => `color-mix(in srgb, var(--ink) ${(100 * value).toFixed(1)}%, var(--paper))`;

// As people write numbers: a real minus sign, and no minus zero.
function written(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

// A value that was set by hand, without the zeros at its end.
const short = (value) => written(value).replace(/\.?0+$/, "");

const inWords = (picture) => PIXELS.map((name, i) => `${name} ${short(picture[i])}`).join(", ");

const signOf = (value) => (value < 0 ? "negative" : "positive");

function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function thumbnail(tag, picture, words) {
  const cells = picture.map(() => element("span"));
  const node = element(tag, { class: "thumbnail" }, ...cells);
  if (tag === "button") node.type = "button";
  node.paint = (values, label) => {
    cells.forEach((cell, i) => (cell.style.background = grey(values[i])));
    if (label) node.setAttribute("aria-label", label);
    if (label && tag !== "button") node.setAttribute("role", "img");
  };
  node.paint(picture, words);
  return node;
}

// At most one call every SEND_EVERY_MS, the last one always.
function throttled(call) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), SEND_EVERY_MS);
  };
}

// Makes a pixel of an element: a click turns it over, dragging up and down shades it, and the keyboard does both.
function makePixel(node, index, read, write) {
  fill(node, { role: "slider", tabindex: 0, "aria-label": `pixel ${PIXELS[index]}`, "aria-valuemin": 0, "aria-valuemax": 1 }, []);
  const change = (value, settled) => write(index, Math.max(0, Math.min(1, Math.round(20 * value) / 20)), settled);
  let start = null;
  node.onpointerdown = (event) => {
    start = { y: event.clientY, value: read(index), moved: false };
    node.setPointerCapture(event.pointerId);
  };
  node.onpointermove = (event) => {
    if (!start) return;
    const way = start.y - event.clientY;
    start.moved ||= Math.abs(way) > 4;
    if (start.moved) change(start.value + way / DRAG_PIXELS, false);
  };
  node.onpointerup = () => {
    if (start) change(start.moved ? read(index) : read(index) < 0.5 ? 1 : 0, true);
    start = null;
  };
  node.onpointercancel = () => (start = null);
  node.onkeydown = (event) => {
    const value = read(index);
    const steps = { ArrowUp: value + 0.05, ArrowRight: value + 0.05, ArrowDown: value - 0.05, ArrowLeft: value - 0.05 };
    const jumps = { PageUp: value + 0.25, PageDown: value - 0.25, Home: 0, End: 1, " ": value < 0.5 ? 1 : 0, Enter: value < 0.5 ? 1 : 0 };
    const next = { ...steps, ...jumps }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    change(next, true);
  };
  return (value) => {
    node.setAttribute("aria-valuenow", value);
    node.setAttribute("aria-valuetext", `${short(value)}, ${value < 0.5 ? "light" : "dark"}`);
  };
}

