// The gallery: a frame a model, whose pictures are a link to where it can be tried.

const COLUMNS = 6;

export default mounts(function createGallery(root) {
  const list = root.querySelector(".gallery");
  let frames = [];

  function show(data) {
    frames = data.map((each, n) => ({ ...each, node: frameOf(each, n), pixels: new Uint8Array(bytes(each.values)) }));
    list.replaceChildren(...frames.map(({ node }) => node));
    paint();
  }

  function frameOf({ door: address, title, year, paper, lines, count }, n) {
    const item = document.createElement("li");
    const head = document.createElement("div");
    head.className = "head";
    head.append(textOf("p", "title", title), textOf("span", "year", year));
    const picture = door(address, n, "door");
    picture.setAttribute("aria-label", `${count} images by ${title}, ${paper}`);
    picture.append(document.createElement("canvas"));
    const facts = document.createElement("dl");
    for (const [name, words] of lines) facts.append(textOf("dt", "", name), textOf("dd", "", words));
    const enter = door(address, n, "enter");
    enter.textContent = "Try it";
    enter.setAttribute("aria-label", `Try it: ${title}`);
    item.append(head, textOf("p", "paper", paper), picture, facts, enter);
    return item;
  }

  function door(address, n, style) {
    const link = document.createElement("a");
    link.className = style;
    link.href = address;
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window: the browser's business
      event.preventDefault();
      gallery.trigger("open", n);
    };
    return link;
  }

  function textOf(tag, name, text) {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
    return element;
  }

  function paint() {
    for (const { node, pixels, shape, count, levels } of frames) {
      const canvas = node.querySelector("canvas");
      const [channels, height, width] = shape;
      const room = wallOf(count, COLUMNS, { width, height });
      fitCanvas(canvas, room.width, room.height, node.clientWidth);
      const image = new ImageData(room.width, room.height);
      const colours = inkAndPaper(canvas);
      const size = width * height * channels;
      for (let n = 0; n < count; n += 1) {
        const [left, top] = [(n % COLUMNS) * room.across, Math.floor(n / COLUMNS) * room.down];
        fillImage(image, left, top, pixels.subarray(n * size, (n + 1) * size), size, { width, channels, levels }, colours);
      }
      canvas.getContext("2d").putImageData(image, 0, 0);
    }
  }

  const resized = new ResizeObserver(paint);
  resized.observe(list);
  const gallery = { show, close: () => resized.disconnect() };
  return gallery;
});
