// The walk: a plane of codes, painted by the decoder, with test images where their codes lie. The picture of the code under the pointer
// follows it; two ends, A and B, are joined by a line that is walked in codes and, to compare, in pixels.

const TILES = 20; // a side
const BETWEEN = 7; // pictures on the line, its ends included
const STEPS = 60; // of the arrow keys, from one side to the other
const NEAR = 0.02; // of a side: an end lets itself be drawn to a test image so near
const PAINT_MS = 8; // of a frame, for the map

export default mounts(function createWalk(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const crowd = part("crowd");
  let shown = null;
  let decoder = null;
  let here = [0, 0]; // in the plane's own coordinates
  let ends = []; // of each end its code
  let painting = 0;
  let painted = ""; // what the map shows, and in which colours
  let frame = 0;
  let view = "both";

  function show(data) {
    if (shown?.decoder.id !== data.decoder.id) decoder = createDecoder(data.decoder);
    const isNew = shown?.id !== data.id;
    const isOwnNew = data.own && shown?.own?.id !== data.own.id;
    if (isNew) {
      shown = { ...data, ...everybody(data), image: { ...decoder.image, levels: data.levels }, own: null };
      here = [middle(0), middle(1)];
      ends = data.ends.map((index) => shown.codes[index]);
    }
    if (isOwnNew) {
      welcome(data.own);
      ends[0] = shown.codes.at(-1);
      here = project(ends[0]);
    }
    paint();
  }

  // Codes, images and labels of the test images, one by one.
  function everybody({ count, latents, shape, codes, images, labels }) {
    const size = shape[0] * shape[1] * shape[2];
    const [allCodes, allImages] = [new Float32Array(bytes(codes)), new Uint8Array(bytes(images))];
    return {
      codes: Array.from({ length: count }, (_, n) => allCodes.subarray(n * latents, (n + 1) * latents)),
      images: Array.from({ length: count }, (_, n) => allImages.subarray(n * size, (n + 1) * size)),
      labels: labels && [...new Uint8Array(bytes(labels))],
    };
  }

  // The visitor's own picture is the last of the crowd.
  function welcome(own) {
    shown.own = own;
    shown.codes[shown.count] = Float32Array.from(own.code);
    shown.images[shown.count] = new Uint8Array(bytes(own.image));
  }

  const middle = (axis) => (shown.extent[axis][0] + shown.extent[axis][1]) / 2;
  const span = (axis) => shown.extent[axis][1] - shown.extent[axis][0];
  const project = (code) => shown.axes.map((axis) => code[axis]);
  // From the plane to a place on the map, in shares of its side from the upper left, and back.
  const onMap = ([x, y]) => [(x - shown.extent[0][0]) / span(0), (shown.extent[1][1] - y) / span(1)];
  const fromMap = ([left, top]) => [shown.extent[0][0] + left * span(0), shown.extent[1][1] - top * span(1)];
  const within = ([x, y]) => [x, y].map((value, axis) => Math.min(Math.max(value, shown.extent[axis][0]), shown.extent[axis][1]));

  function codeAt(at) {
    const code = Float32Array.from(shown.base);
    shown.axes.forEach((axis, n) => (code[axis] = at[n]));
    return code;
  }

  // The number of the test image whose code is nearest on the map, and how far it is, in sides.
  function nearest(at) {
    const [left, top] = onMap(at);
    let [best, distance] = [0, Infinity];
    shown.codes.forEach((code, n) => {
      const [x, y] = onMap(project(code));
      const away = Math.hypot(x - left, y - top);
      if (away < distance) [best, distance] = [n, away];
    });
    return [best, distance];
  }

  function named(number) {
    const label = shown.labels?.[number];
    if (shown.own && number === shown.codes.length - 1) return "your own picture";
    return label === undefined || label === null ? `test image ${number + 1}` : `a ${label} among the test images`;
  }

  // --- what is painted ----------------------------------------------------------------------------------------------------------

  function paint() {
    paintMap();
    paintCrowd();
    paintLine();
    paintHere();
  }

  // The map, from its middle outwards, as much in each frame as leaves the rest of the page quick.
  function paintMap() {
    const canvas = part("painted");
    const { width, height } = decoder.image;
    const colours = inkAndPaper(canvas);
    const wanted = `${shown.id} ${colours}`;
    if (painted === wanted) return;
    painted = wanted;
    cancelAnimationFrame(painting);
    canvas.width = TILES * width;
    canvas.height = TILES * height;
    const away = (tile) => Math.hypot((tile % TILES) + 0.5 - TILES / 2, Math.floor(tile / TILES) + 0.5 - TILES / 2);
    const tiles = Array.from({ length: TILES * TILES }, (_, tile) => tile).sort((one, other) => away(one) - away(other));
    let next = 0;
    function some() {
      const until = performance.now() + PAINT_MS;
      while (next < tiles.length && performance.now() < until) {
        const [column, row] = [tiles[next] % TILES, Math.floor(tiles[next] / TILES)];
        const values = decoder.picture(codeAt(fromMap([(column + 0.5) / TILES, (row + 0.5) / TILES])));
        const tile = new ImageData(width, height);
        fillImage(tile, 0, 0, values, values.length, decoder.image, colours);
        canvas.getContext("2d").putImageData(tile, column * width, row * height);
        next += 1;
      }
      if (next < tiles.length) painting = requestAnimationFrame(some);
    }
    some();
  }

  // Test images as their labels: so many colours could not be told apart, and some eyes tell fewer.
  function paintCrowd() {
    const side = part("plane").clientWidth;
    if (!shown || !side) return;
    crowd.width = crowd.height = Math.round(side * devicePixelRatio);
    const pen = crowd.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    const style = getComputedStyle(part("painted"));
    const isDark = Math.max(...channelsOf(style.backgroundColor)) < 128;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = `600 11px ${getComputedStyle(crowd).fontFamily}`;
    pen.lineWidth = 2.5;
    pen.strokeStyle = style.backgroundColor;
    const place = (at) => onMap(at).map((share) => share * side);
    if (view !== "painted") {
      shown.codes.forEach((code, n) => {
        const [x, y] = place(project(code));
        const label = shown.labels?.[n];
        pen.fillStyle = classColour(label, isDark);
        if (label === undefined || label === null) return pen.fillRect(x - 2, y - 2, 4, 4);
        pen.strokeText(label, x, y);
        pen.fillText(label, x, y);
      });
    }
    pen.strokeStyle = pen.fillStyle = getComputedStyle(part("end")).backgroundColor;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(...place(project(ends[0])));
    pen.lineTo(...place(project(ends[1])));
    pen.stroke();
    if (shown.own) {
      const [x, y] = place(project(shown.own.code));
      const [wide, high] = shown.axes.map((axis, n) => (2 * shown.own.spread[axis] * side) / span(n));
      pen.beginPath();
      pen.ellipse(x, y, Math.max(wide, 4), Math.max(high, 4), 0, 0, 2 * Math.PI);
      pen.stroke();
    }
    ["a", "b"].forEach((name, n) => position(part(name), project(ends[n])));
  }

  function position(element, at) {
    const [left, top] = onMap(within(at));
    element.style.left = `${100 * left}%`;
    element.style.top = `${100 * top}%`;
  }

  function paintHere(code = codeAt(here)) {
    const available = part("room").clientWidth;
    if (!available) return;
    const large = Math.min(224, available - 112);
    paintPicture(part("digit"), decoder.picture(code), decoder.image, large);
    const [number] = nearest(here);
    paintPicture(part("nearest"), shown.images[number], shown.image, 84);
    position(part("here"), here);
    const where = shown.axes.map((axis, n) => `${shown.names[n]} = ${signed(here[n])}`).join(", ");
    part("code").textContent = where;
    part("who").textContent = `nearest: ${named(number)}`;
    part("digit").setAttribute("aria-label", `What the decoder draws at ${where}`);
    part("nearest").setAttribute("aria-label", named(number));
    crowd.setAttribute("aria-label", `${where}; nearest: ${named(number)}`);
  }

  function paintLine() {
    const shares = Array.from({ length: BETWEEN }, (_, n) => n / (BETWEEN - 1));
    const faces = ends.map((code) => shown.codes.indexOf(code));
    const pictures = faces.map((number, n) => (number < 0 ? shareOfInk([...decoder.picture(ends[n])], 256) : shareOfInk(shown.images[number], shown.levels)));
    paintRow(part("codes"), shares.map((share) => Uint8Array.from(decoder.picture(between(share)))));
    paintRow(part("pixels"), shares.map((share) => Uint8Array.from(pictures[0], (ink, i) => Math.round(255 * (ink + share * (pictures[1][i] - ink))))));
    part("share").setAttribute("aria-valuetext", `${part("share").value} percent of the way`);
  }

  const shareOfInk = (values, levels) => Array.from(values, (value) => value / (levels - 1));
  const between = (share) => ends[0].map((value, i) => value + share * (ends[1][i] - value));

  function paintRow(canvas, pictures) {
    const { across, width, height } = wallOf(BETWEEN, BETWEEN, decoder.image);
    Object.assign(canvas, { width, height });
    const picture = new ImageData(width, height);
    const colours = inkAndPaper(canvas);
    pictures.forEach((values, n) => fillImage(picture, n * across, 0, values, values.length, decoder.image, colours));
    canvas.getContext("2d").putImageData(picture, 0, 0);
  }

  // --- what the visitor does ----------------------------------------------------------------------------------------------------

  // Pictures are drawn once a frame, however often the pointer moves.
  function soon(work) {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(work);
  }

  function walkTo(at) {
    here = within(at);
    soon(() => paintHere());
  }

  function pointed(event) {
    const box = part("plane").getBoundingClientRect();
    return fromMap([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  }

  function putEnd(n, at) {
    const [number, distance] = nearest(at);
    ends[n] = distance < NEAR ? shown.codes[number] : codeAt(within(at));
    part("share").value = n ? 100 : 0;
    here = project(ends[n]);
    soon(() => {
      paintCrowd();
      paintLine();
      paintHere(ends[n]);
    });
  }

  crowd.onpointermove = (event) => walkTo(pointed(event));
  crowd.onpointerdown = (event) => {
    crowd.setPointerCapture(event.pointerId);
    walkTo(pointed(event));
  };
  crowd.onkeydown = (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const end = { a: 0, b: 1 }[event.key.toLowerCase()];
    if (moves[event.key]) walkTo(moves[event.key].map((way, n) => here[n] + ((event.shiftKey ? 6 : 1) * way * span(n)) / STEPS));
    else if (end !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) putEnd(end, here);
    else return;
    event.preventDefault();
  };
  ["a", "b"].forEach((name, n) => {
    const handle = part(name);
    handle.onpointerdown = (event) => handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (event) => handle.hasPointerCapture(event.pointerId) && putEnd(n, pointed(event));
  });
  part("share").oninput = (event) => {
    const code = between(event.target.value / 100);
    here = project(code);
    part("share").setAttribute("aria-valuetext", `${event.target.value} percent of the way`);
    soon(() => paintHere(code));
  };
  for (const button of root.querySelectorAll(".show")) {
    button.onclick = () => {
      view = button.value;
      for (const each of root.querySelectorAll(".show")) each.setAttribute("aria-pressed", String(each === button));
      see();
      paintCrowd();
    };
  }

  function see() {
    part("plane").classList.toggle("both", view === "both");
    part("painted").style.visibility = view === "crowd" ? "hidden" : "visible";
  }
  see();

  const resized = new ResizeObserver(() => {
    if (!shown) return;
    paintCrowd();
    paintLine();
    paintHere();
  });
  resized.observe(part("room"));

  function close() {
    cancelAnimationFrame(painting);
    cancelAnimationFrame(frame);
    resized.disconnect();
  }

  return { show, close };
});

// Ten hues of one lightness, around the circle.
function classColour(label, isDark) {
  if (label === undefined || label === null) return isDark ? "#e9e6df" : "#14171c";
  return `oklch(${isDark ? "0.8 0.13" : "0.5 0.16"} ${(36 * label + 20) % 360})`;
}
