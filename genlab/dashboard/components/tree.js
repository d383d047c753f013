// The tree: nested lists; a door is a link, which opens the page without loading everything anew. At a leaf samples are drawn as its family
// draws them, once when the tree is there and again when the pointer comes; then they stay.

const SECONDS = 3;

export default mounts(function createTree(root) {
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  let strips = [];

  function show(data) {
    const list = document.createElement("ul");
    strips.forEach((strip) => cancelAnimationFrame(strip.frame));
    strips = [];
    list.append(branchOf(data, (page) => tree.trigger("open", page), addStrip));
    root.querySelector(".tree").replaceChildren(list);
    strips.forEach(play);
  }

  function addStrip(card, data) {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${data.count} images by ${data.model}`);
    const strip = { ...data, canvas, pixels: new Uint8Array(bytes(data.values)), begun: 0, frame: 0 };
    card.append(canvas);
    card.addEventListener("pointerenter", () => play(strip));
    strips.push(strip);
  }

  function play(strip) {
    cancelAnimationFrame(strip.frame);
    strip.begun = performance.now();
    tick(strip);
  }

  function tick(strip) {
    const share = stillness.matches ? 1 : Math.min(1, (performance.now() - strip.begun) / 1000 / SECONDS);
    paint(strip, share);
    if (share < 1) strip.frame = requestAnimationFrame(() => tick(strip));
  }

  function paint({ canvas, shape, count, levels, pixels, by_values }, share) {
    if (!canvas.parentElement.clientWidth) return;
    const [channels, height, width] = shape;
    const room = wallOf(count, count, { width, height });
    fitCanvas(canvas, room.width, room.height, Math.min(canvas.parentElement.clientWidth - 26, 320));
    const image = new ImageData(room.width, room.height);
    const colours = inkAndPaper(canvas);
    const size = width * height * channels;
    for (let n = 0; n < count; n += 1) {
      const known = by_values ? Math.floor(share * size) : share * count >= n + 1 || share === 1 ? size : 0;
      fillImage(image, n * room.across, 0, pixels.subarray(n * size, (n + 1) * size), known, { width, channels, levels }, colours);
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  const resized = new ResizeObserver(() => strips.forEach((strip) => paint(strip, 1)));
  resized.observe(root.querySelector(".tree"));

  const tree = {
    show,
    close() {
      strips.forEach((strip) => cancelAnimationFrame(strip.frame));
      resized.disconnect();
    },
  };
  return tree;
});

function branchOf({ title, words, formula, doors, branches, strip }, open, addStrip) {
  const item = document.createElement("li");
  const card = document.createElement("div");
  card.className = "card";
  card.append(textOf("p", "title", title), textOf("p", "words", words));
  if (formula) card.append(textOf("p", "formula", formula));
  if (strip) addStrip(card, strip);
  item.append(card);
  if (branches.length) {
    const list = document.createElement("ul");
    list.append(...branches.map((branch) => branchOf(branch, open, addStrip)));
    item.append(list);
    return item;
  }
  item.className = doors.length ? "leaf" : "leaf empty";
  card.append(doors.length ? doorsOf(doors, open) : textOf("p", "none", "Not here yet."));
  return item;
}

function doorsOf(doors, open) {
  const row = document.createElement("div");
  row.className = "doors";
  for (const { page, title } of doors) {
    const link = textOf("a", "door", title);
    link.href = page;
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window: the browser's business
      event.preventDefault();
      open(page);
    };
    row.append(link);
  }
  return row;
}

function textOf(tag, name, text) {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}
