// The easel: four pixels to draw on, pictures to put there, and somebody who appears when the picture is a face.

// A slanted person: long, leaning backwards by 45°, dark hair at the top left and a dark beard at the bottom right.
const PERSON = `
  <svg viewBox="0 0 100 100" aria-hidden="true">
    <g transform="rotate(-45 50 50)" fill="none" stroke="var(--st-orange-color)" stroke-width="1.1" stroke-linecap="round" stroke-linejoin="round">
      <path d="M30 38c0-24 8-44 20-46 12 2 20 22 20 46 0 34-6 66-20 70-14-4-20-36-20-70z"/>
      <path d="M30 32c2-10 6-14 9-20 1 6 3 9 6 11 0-6 2-10 5-14 3 4 5 8 5 14 3-2 5-5 6-11 3 6 7 10 9 20"/>
      <path d="M37 43c2-2 6-2 8 0M55 43c2-2 6-2 8 0"/>
      <circle cx="41" cy="49" r="1.6" fill="var(--st-orange-color)"/><circle cx="59" cy="49" r="1.6" fill="var(--st-orange-color)"/>
      <path d="M50 49c-1 6-4 9-3 11 1 2 4 2 6 1M42 71c5 5 11 5 16 0"/>
      <path d="M33 74c3 20 9 32 17 34 8-2 14-14 17-34M42 84l3 9M50 86v13M58 84l-3 9"/>
    </g>
  </svg>`;

export default mounts(function createEasel(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const canvas = part("canvas");
  let picture = [0, 0, 0, 0];
  let awaited = null; // what was sent and has not come back: until then the server's picture is an old one
  const send = throttled((settled) => easel.send("drawing", { picture, settled }));

  const cells = PIXELS.map((_, index) => {
    const label = element("span", { "aria-hidden": "true" });
    const node = element("div", { class: "pixel" }, label);
    const say = makePixel(node, index, (i) => picture[i], (i, value, settled) => put(picture.with(i, value), settled));
    canvas.append(node);
    return { node, label, say };
  });
  canvas.insertAdjacentHTML("beforeend", PERSON);
  const person = canvas.querySelector("svg");

  function put(next, settled) {
    picture = next;
    awaited = String(picture);
    paint();
    send(settled);
  }

  function paint() {
    cells.forEach(({ node, label, say }, i) => {
      node.style.background = grey(picture[i]);
      label.style.color = picture[i] < 0.5 ? "var(--ink)" : "var(--paper)";
      label.textContent = short(picture[i]);
      say(picture[i]);
    });
    for (const button of part("shelf").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.picture === String(picture)));
  }

  function show(data) {
    if (awaited !== null && String(data.picture) !== awaited) return;
    awaited = null;
    picture = data.picture;
    if (part("shelf").id !== data.shelf_id) paintShelf(data);
    part("says").textContent = data.says;
    part("sum").textContent = data.sum;
    part("meter").firstChild.style.width = `${100 * data.score}%`;
    const presence = Math.max(0, Math.min(1, (data.score - 0.5) * 4)); // nobody at 0.5, all there at the 0.73 of the lecture's face
    person.style.opacity = presence;
    person.style.transform = `skewX(${8 * (1 - presence)}deg)`;
    paint();
  }

  function paintShelf(data) {
    part("shelf").id = data.shelf_id;
    part("shelf").replaceChildren(
      ...data.shelf.map((group) => {
        const buttons = group.pictures.map((each) => {
          const button = thumbnail("button", each, `${group.name}: ${inWords(each)}`);
          button.picture = String(each);
          button.onclick = () => put([...each], true);
          return button;
        });
        return element("div", {}, element("h3", {}, group.name), element("div", { class: "row" }, ...buttons));
      }),
    );
  }

  const easel = { show };
  return easel;
});
