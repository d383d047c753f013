// The filmstrip: the newest grid of samples large, some earlier ones small; a click or Enter on a small one enlarges that one.

const LARGE = 480;
const SMALL = 56;

export default mounts(createStrip);

function createStrip(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const caption = root.querySelector("figcaption");
  const buttons = new Map();
  let current = { run: null, frames: [] };
  let wanted = null; // the step that was clicked; without one, the newest grid is shown

  function show(data) {
    if (data.run !== current.run) wanted = null;
    current = data;
    if (!current.frames.some((frame) => frame.step === wanted)) wanted = null;
    paint();
  }

  function paint() {
    const newest = current.frames.at(-1);
    const shown = current.frames.find((frame) => frame.step === wanted) ?? newest;
    part("empty").hidden = Boolean(shown);
    part("large").hidden = !shown;
    caption.textContent = shown?.label ?? "";
    if (shown) {
      part("large").setAttribute("aria-label", `Samples drawn at ${shown.label}`);
      paintGrid(part("large"), shown.source, current, Math.min(LARGE, root.querySelector(".filmstrip").clientWidth));
    }
    paintFrames(shown, newest);
  }

  // Buttons are kept from one update to the next, so that the keyboard's focus stays where it is.
  function paintFrames(shown, newest) {
    const steps = new Set(current.frames.map((frame) => frame.step));
    for (const [step, button] of buttons) {
      if (steps.has(step)) continue;
      button.remove();
      buttons.delete(step);
    }
    current.frames.forEach((frame, index) => {
      const button = buttons.get(frame.step) ?? createButton(frame);
      const neighbour = part("frames").children[index] ?? null;
      if (neighbour !== button) part("frames").insertBefore(button, neighbour);
      button.setAttribute("aria-pressed", String(frame === shown));
      button.onclick = () => {
        wanted = frame === newest ? null : frame.step;
        paint();
      };
      paintGrid(button.firstChild, frame.source, current, SMALL);
    });
  }

  function createButton(frame) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = frame.label;
    button.setAttribute("aria-label", frame.label);
    button.append(document.createElement("canvas"));
    buttons.set(frame.step, button);
    return button;
  }

  const resized = new ResizeObserver(paint);
  resized.observe(part("filmstrip"));

  function close() {
    resized.disconnect();
  }

  return { show, close };
}

// Draws a grid out of a PNG of genlab.images.grid anew, in ink on paper: one pixel of paper between the images, whatever their scale.
async function paintGrid(canvas, source, { shape, columns }, available) {
  const [channels, height, width] = shape;
  canvas.wanted = source;
  const picture = await pixelsOf(source);
  if (canvas.wanted !== source) return; // a newer grid was asked for meanwhile
  const scale = ((picture.width - 1) / columns - 1) / width;
  const rows = Math.round((picture.height - 1) / (height * scale + 1));
  const image = new ImageData(columns * (width + 1) - 1, rows * (height + 1) - 1);
  fitCanvas(canvas, image.width, image.height, available);
  const [ink, paper] = inkAndPaper(canvas);
  for (let y = 0; y < rows * height; y += 1) {
    for (let x = 0; x < columns * width; x += 1) {
      const across = Math.floor(x / width);
      const down = Math.floor(y / height);
      const from = 4 * (Math.floor((y + 0.5) * scale + down + 1) * picture.width + Math.floor((x + 0.5) * scale + across + 1));
      const colour = picture.data.subarray(from, from + 3);
      setPixel(image, x + across, y + down, channels === 3 ? colour : mix(paper, ink, colour[0] / 255));
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

async function pixelsOf(source) {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
