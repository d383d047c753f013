// The pad: one square for each pixel of the model. What is drawn is told to the page when the pen is lifted.

export default mounts(createPad);

function createPad(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const canvas = part("paper");
  let sheet = null; // { width, height, channels, levels, values, rows }
  let said = 0; // how often the page was told of a drawing
  let rubbing = false;
  let pen = null; // where the keyboard's pen is, [x, y]
  let last = null; // where the pointer was

  function show(data) {
    // What the page sends is older than what was drawn since: it has not heard of the last strokes, or the pen is down.
    if (sheet && (last || (data.heard !== null && data.heard < said))) return;
    const [channels, height, width] = data.shape;
    sheet = { ...data, channels, height, width, values: new Uint8Array(bytes(data.values)) };
    said = Math.max(said, data.heard ?? 0);
    part("rows").max = height;
    part("rows").value = data.rows;
    part("line").hidden = part("beyond").hidden = data.whole;
    part("colour").hidden = channels !== 3;
    paint();
  }

  // What one pixel full of ink is made of: one level of ink, or the colour in the pot; and a pixel that was rubbed out.
  function inkOf(sheet) {
    const most = sheet.levels - 1;
    if (sheet.channels !== 3) return [new Array(sheet.channels).fill(most), new Array(sheet.channels).fill(0)];
    const colour = part("pot").value.match(/[0-9a-f]{2}/gi).map((digits) => Math.round((parseInt(digits, 16) / 255) * most));
    return [colour, [most, most, most]];
  }

  function paint() {
    if (!sheet) return;
    const { width, height, values, rows, levels } = sheet;
    fitCanvas(canvas, width, height, Math.min(root.querySelector(".pad").clientWidth, 300));
    const image = new ImageData(width, height);
    fillImage(image, 0, 0, values, values.length, sheet, inkAndPaper(canvas));
    canvas.getContext("2d").putImageData(image, 0, 0);
    place(part("beyond"), 0, rows / height, 1, 1 - rows / height);
    part("count").textContent = `${rows} of ${height}`;
    part("pen").hidden = !pen;
    if (pen) place(part("pen"), pen[0] / width, pen[1] / height, 1 / width, 1 / height);
    const { channels } = sheet;
    const first = pen && (pen[1] * width + pen[0]) * channels;
    const here = pen ? `Row ${pen[1] + 1}, column ${pen[0] + 1}, level ${values.subarray(first, first + channels).join(", ")} of ${levels - 1}. ` : "";
    const inked = channels === 1 ? `${values.filter(Boolean).length} pixels have ink; ` : "";
    canvas.setAttribute("aria-label", `${here}${inked}${sheet.whole ? "all of it is" : `the first ${rows} rows are`} given to the model.`);
  }

  function say() {
    said += 1;
    pad.send("drawing", { number: said, rows: sheet.rows, values: btoa(String.fromCharCode(...sheet.values)) });
  }

  // A round pen a little wider than a pixel of an 8×8 image and about three of a 28×28 one, soft at its edge.
  function dab(x, y) {
    const { width, height } = sheet;
    const radius = Math.max(0.75, width / 18);
    for (let row = Math.max(0, Math.floor(y - radius - 1)); row <= Math.min(height - 1, y + radius + 1); row += 1) {
      for (let column = Math.max(0, Math.floor(x - radius - 1)); column <= Math.min(width - 1, x + radius + 1); column += 1) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const share = Math.max(0, Math.min(1, radius + 0.5 - distance));
        put(row * width + column, share);
      }
    }
  }

  function put(pixel, share) {
    const { channels, values } = sheet;
    const [ink, paper] = inkOf(sheet);
    const target = rubbing ? paper : ink;
    for (let i = 0; i < channels; i += 1) {
      const before = values[pixel * channels + i];
      const mixed = Math.round(before + (target[i] - before) * share);
      // Of one channel, a soft edge never takes away from what a stroke before it has put there.
      const level = Math.round((rubbing ? 1 - share : share) * ink[i]);
      values[pixel * channels + i] = channels === 1 ? Math[rubbing ? "min" : "max"](before, level) : mixed;
    }
  }

  function stroke(event) {
    const at = [(event.offsetX / canvas.clientWidth) * sheet.width, (event.offsetY / canvas.clientHeight) * sheet.height];
    const from = last ?? at;
    const steps = Math.max(1, Math.ceil(Math.hypot(at[0] - from[0], at[1] - from[1]) * 2));
    for (let i = 1; i <= steps; i += 1) dab(from[0] + ((at[0] - from[0]) * i) / steps, from[1] + ((at[1] - from[1]) * i) / steps);
    last = at;
    paint();
  }

  function lift() {
    if (!last) return;
    last = null;
    say();
  }

  function key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { width, height } = sheet;
    pen ??= [Math.floor(width / 2), Math.floor(height / 4)];
    if (moves[event.key]) {
      const [dx, dy] = moves[event.key];
      pen = [Math.min(Math.max(pen[0] + dx, 0), width - 1), Math.min(Math.max(pen[1] + dy, 0), height - 1)];
    } else if (event.key === " " || event.key === "Enter") {
      put(pen[1] * width + pen[0], 1);
      say();
    } else return;
    event.preventDefault();
    paint();
  }

  function choose(wanted) {
    rubbing = wanted;
    part("ink").setAttribute("aria-pressed", String(!rubbing));
    part("rub").setAttribute("aria-pressed", String(rubbing));
  }

  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen = null;
    stroke(event);
  };
  canvas.onpointermove = (event) => last && stroke(event);
  canvas.onpointerup = lift;
  canvas.onpointercancel = lift;
  canvas.onkeydown = key;
  canvas.onblur = () => {
    pen = null;
    paint();
  };
  part("ink").onclick = () => choose(false);
  part("rub").onclick = () => choose(true);
  part("clear").onclick = () => {
    const [, paper] = inkOf(sheet);
    sheet.values.forEach((_, i) => (sheet.values[i] = paper[i % sheet.channels]));
    choose(false);
    paint();
    say();
  };
  part("rows").oninput = (event) => {
    sheet.rows = Number(event.target.value);
    paint();
  };
  part("rows").onchange = say;

  const resized = new ResizeObserver(paint);
  resized.observe(root.querySelector(".pad"));

  function close() {
    resized.disconnect();
  }

  const pad = { show, close };
  return pad;
}
