// Every picture of the page as a file at a size worth printing, whoever drew it: a component, a chart or Streamlit. What one component
// shows is one picture: its canvases and drawings where they stand, one above another.

const LARGER = 4; // than on screen
const SMALLEST = 40; // what is smaller is an icon
const MOVING = { seconds: 8, frames: 30, widest: 1920 };
const ROWS_AT_MOST = 1_000_000;
const NOT_A_PICTURE = "button, a, summary, label, [data-testid=stElementToolbar], [data-testid=stHeader], dialog";

export default mounts(function createSave(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const dialog = root.querySelector("dialog");
  let charts = [];

  function open() {
    const found = picturesOf(document.querySelector("[data-testid=stMain]"));
    part("none").hidden = found.length > 0;
    part("note").hidden = found.length === 0;
    part("pictures").replaceChildren(...found.map(item));
    dialog.showModal();
  }

  function item(picture) {
    const row = document.createElement("li");
    row.innerHTML = '<canvas class="preview" aria-hidden="true"></canvas><span class="words"></span><span class="kinds"></span>';
    row.querySelector(".words").textContent = picture.words;
    void paint(picture, 0.5).then((small) => {
      const preview = row.querySelector("canvas");
      [preview.width, preview.height] = [small.width, small.height];
      preview.getContext("2d").drawImage(small, 0, 0);
    });
    const rows = rowsBehind(picture, charts);
    const kinds = { PNG: () => savePng(picture), SVG: () => saveSvg(picture) };
    if (picture.moves && window.MediaRecorder) kinds.WebM = () => saveWebm(picture);
    if (rows) kinds.CSV = () => keep(new Blob([csv(rows())], { type: "text/csv" }), picture, "csv");
    for (const [kind, save] of Object.entries(kinds)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = kind;
      button.setAttribute("aria-label", `${kind} of ${picture.words}`);
      button.onclick = () => attempt(save);
      row.querySelector(".kinds").append(button);
    }
    return row;
  }

  async function attempt(save) {
    try {
      await save();
    } catch (error) {
      tell(`it could not be saved: ${error.message}`);
    }
  }

  async function savePng(picture) {
    const canvas = await sharply(() => paint(picture, LARGER));
    keep(await new Promise((done) => canvas.toBlob(done, "image/png")), picture, "png");
  }

  async function saveSvg(picture) {
    keep(new Blob([await sharply(() => drawing(picture))], { type: "image/svg+xml" }), picture, "svg");
  }

  // The dialog closes, so that what moves can be seen and played meanwhile.
  async function saveWebm(picture) {
    dialog.close();
    const scale = Math.max(1, Math.min(LARGER, MOVING.widest / picture.box.width));
    const canvas = await paint(picture, scale);
    const recorder = new MediaRecorder(canvas.captureStream(MOVING.frames), { videoBitsPerSecond: 12_000_000 });
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    const ended = new Promise((done) => (recorder.onstop = done));
    const play = picture.host.shadowRoot?.querySelector(".play");
    if (play?.textContent.includes("play")) play.click();
    recorder.start();
    const until = performance.now() + 1000 * MOVING.seconds;
    while (performance.now() < until) {
      await nextFrame();
      await paint(picture, scale, canvas);
      tell(`recording: ${Math.ceil((until - performance.now()) / 1000)} s`);
    }
    recorder.stop();
    await ended;
    const kind = recorder.mimeType.includes("mp4") ? "mp4" : "webm"; // Safari has but the one, all others the other
    keep(new Blob(pieces, { type: recorder.mimeType }), picture, kind);
  }

  function keep(blob, picture, kind) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${fileName(picture.words)}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    tell(`saved as ${link.download}`);
  }

  let forgets = 0;
  function tell(words) {
    part("told").textContent = words;
    clearTimeout(forgets);
    forgets = setTimeout(() => (part("told").textContent = ""), 5000);
  }

  part("open").onclick = open;
  part("close").onclick = () => dialog.close();

  return { show: (data) => (charts = data.charts), close: () => clearTimeout(forgets) };
});

// --- what is there ---------------------------------------------------------------------------------------------------------------

function picturesOf(main) {
  const hosts = new Map();
  for (const element of inside(main)) {
    const host = hostOf(element);
    if (!host) continue;
    if (!hosts.has(host)) hosts.set(host, []);
    hosts.get(host).push(element);
  }
  return [...hosts].map(([host, parts], number) => {
    const rects = parts.map((each) => each.getBoundingClientRect());
    const [left, top] = [Math.min(...rects.map((each) => each.left)), Math.min(...rects.map((each) => each.top))];
    const [right, bottom] = [Math.max(...rects.map((each) => each.right)), Math.max(...rects.map((each) => each.bottom))];
    const moves = Boolean(host.shadowRoot?.querySelector(".play"));
    return { host, parts, moves, box: { left, top, width: right - left, height: bottom - top }, words: wordsOf(host, parts) || `Picture ${number + 1}` };
  });
}

// Canvases, drawings and images, those within components too, in the order in which they cover each other.
function* inside(root) {
  for (const element of root.querySelectorAll("*")) {
    if (element.shadowRoot) yield* inside(element.shadowRoot);
    if (!element.matches("canvas, svg, img") || element.closest(NOT_A_PICTURE) || element.parentElement?.closest("svg")) continue;
    const { width, height } = element.getBoundingClientRect();
    if (width >= SMALLEST && height >= SMALLEST && element.checkVisibility()) yield element;
  }
}

// What the picture is a part of: a component, a chart, or the image by itself.
function hostOf(element) {
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.host : (element.closest("[data-testid=stVegaLiteChart]") ?? element);
}

function wordsOf(host, parts) {
  const inner = host.shadowRoot ?? host;
  const named = [host, ...inner.querySelectorAll("section[aria-label], figure[aria-label], [role][aria-label]"), ...parts];
  const words = named.map((each) => each.getAttribute("aria-label") || each.getAttribute("alt")).find(Boolean) ?? "";
  return words.length > 140 ? `${words.slice(0, 139)}…` : words;
}

function fileName(words) {
  const name = words.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
  return `genlab-${name.slice(0, 48).replace(/-$/, "")}`;
}

// --- as pixels -------------------------------------------------------------------------------------------------------------------

// Whatever heeds the screen's fineness paints itself as if the screen were that much finer.
async function sharply(paintIt) {
  const honest = Object.getOwnPropertyDescriptor(window, "devicePixelRatio");
  Object.defineProperty(window, "devicePixelRatio", { value: LARGER, configurable: true });
  try {
    document.dispatchEvent(new Event("genlab-paint"));
    await nextFrame();
    return await paintIt();
  } finally {
    if (honest) Object.defineProperty(window, "devicePixelRatio", honest);
    else delete window.devicePixelRatio;
    document.dispatchEvent(new Event("genlab-paint"));
  }
}

async function paint({ host, parts, box }, scale, canvas = document.createElement("canvas")) {
  const [width, height] = [Math.round(box.width * scale), Math.round(box.height * scale)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.fillStyle = paperOf(host);
  pen.fillRect(0, 0, width, height);
  // The page may have been scrolled, or laid out anew, since the picture was found.
  const rects = parts.map((each) => each.getBoundingClientRect());
  const [left, top] = [Math.min(...rects.map((each) => each.left)), Math.min(...rects.map((each) => each.top))];
  for (const part of parts) {
    const rect = part.getBoundingClientRect();
    const at = [(rect.left - left) * scale, (rect.top - top) * scale, rect.width * scale, rect.height * scale];
    pen.imageSmoothingEnabled = getComputedStyle(part).imageRendering !== "pixelated";
    pen.globalAlpha = Number(getComputedStyle(part).opacity);
    pen.drawImage(part.matches("svg") ? await imageOf(part) : part, ...at);
  }
  return canvas;
}

function paperOf(element) {
  for (let each = element; each; each = each.parentElement) {
    const { backgroundColor } = getComputedStyle(each);
    if (!/^(transparent|rgba\(.*, 0\))$/.test(backgroundColor)) return backgroundColor;
  }
  return "#ffffff";
}

async function imageOf(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(serialized(svg))}`;
  await image.decode();
  return image;
}

const nextFrame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

// --- as a drawing ----------------------------------------------------------------------------------------------------------------

const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "stroke-linecap", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline", "visibility", "display"];

// An SVG that needs no style sheet: what its elements look like here is written into them.
function serialized(svg) {
  const copy = svg.cloneNode(true);
  const [shown, copied] = [[svg, ...svg.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  shown.forEach((element, n) => {
    const style = getComputedStyle(element);
    copied[n].setAttribute("style", STYLES.map((name) => `${name}: ${style.getPropertyValue(name)}`).join("; "));
  });
  const { width, height } = svg.getBoundingClientRect();
  if (!copy.hasAttribute("viewBox")) copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return new XMLSerializer().serializeToString(copy);
}

function drawing({ host, parts, box }) {
  const inner = parts.map((part) => {
    const rect = part.getBoundingClientRect();
    const place = `x="${rect.left - box.left}" y="${rect.top - box.top}" width="${rect.width}" height="${rect.height}"`;
    if (part.matches("svg")) return `<svg ${place}>${serialized(part)}</svg>`;
    const { imageRendering } = getComputedStyle(part);
    return `<image ${place} preserveAspectRatio="none" style="image-rendering: ${imageRendering}" href="${pixelsOf(part)}"/>`;
  });
  const size = `width="${box.width}" height="${box.height}" viewBox="0 0 ${box.width} ${box.height}"`;
  const paper = `<rect width="100%" height="100%" fill="${paperOf(host)}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${paper}${inner.join("")}</svg>`;
}

function pixelsOf(part) {
  if (part.matches("canvas")) return part.toDataURL();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [part.naturalWidth, part.naturalHeight];
  canvas.getContext("2d").drawImage(part, 0, 0);
  return canvas.toDataURL();
}

// --- as numbers ------------------------------------------------------------------------------------------------------------------

const ARRAYS = { "|u1": Uint8Array, "|b1": Uint8Array, "<u2": Uint16Array, "<i4": Int32Array, "<f4": Float32Array, "<f8": Float64Array };

// What makes the rows of a picture's table, the names of its columns first; nothing where no numbers were sent.
function rowsBehind({ host }, charts) {
  const isChart = host.matches("[data-testid=stVegaLiteChart]");
  const chart = isChart && charts.find(({ alt }) => [host, ...host.querySelectorAll("[aria-label]")].some((each) => each.getAttribute("aria-label") === alt));
  if (chart) return () => [chart.columns, ...chart.rows];
  const data = host.shadowRoot && window.genlabShown?.get(host.shadowRoot);
  if (!data || typeof data !== "object") return null;
  return () => {
    const rows = [["name", "index", "value"]];
    collect(data, "", data.kinds_of_arrays ?? {}, rows);
    return rows;
  };
}

function collect(value, name, kinds, rows) {
  if (rows.length > ROWS_AT_MOST || name === "kinds_of_arrays") return;
  if (kinds[name]) {
    const { kind, shape } = kinds[name];
    if (ARRAYS[kind]) new ARRAYS[kind](bytes(value)).forEach((each, n) => rows.length > ROWS_AT_MOST || rows.push([name, indexOf(n, shape), each]));
  } else if (Array.isArray(value) && value.every((each) => each === null || typeof each !== "object")) {
    value.forEach((each, n) => rows.push([name, n, each]));
  } else if (value && typeof value === "object") {
    for (const [key, each] of Object.entries(value)) collect(each, name ? `${name}.${key}` : key, kinds, rows);
  } else if (value !== null && value !== undefined) {
    rows.push([name, "", value]);
  }
}

function indexOf(n, shape) {
  const index = [];
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    index.unshift(n % shape[axis]);
    n = Math.floor(n / shape[axis]);
  }
  return index.join(" ");
}

// A cell that begins like a formula is text to every table program.
function csv(rows) {
  const cell = (value) => {
    const text = typeof value === "string" && /^[=+@-]/.test(value) ? `'${value}` : String(value ?? "");
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n");
}
