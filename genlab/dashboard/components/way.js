// The way from slide to slide. Where this browser has been is in its own store, written by manners.js, which says so by an event.

const VISITED = "genlab visited";

export default mounts(function createWay(root) {
  const list = root.querySelector("ol");
  const asked = root.querySelector("input");
  let shown = { stops: [] };

  function show(data) {
    shown = data;
    paint();
  }

  function paint() {
    const visited = new Set(JSON.parse(localStorage.getItem(VISITED) ?? "[]"));
    list.replaceChildren(...shown.stops.map((stop, n) => itemOf(stop, n, visited.has(stop.page))));
    root.querySelector(".done").textContent = progress(shown, visited);
    point();
  }

  function itemOf({ first, last, words, title, door }, n, isVisited) {
    const item = document.createElement("li");
    const link = textOf("a", "", title);
    link.href = door;
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window: the browser's business
      event.preventDefault();
      way.trigger("open", n);
    };
    const mark = textOf("span", "mark", isVisited ? "✓" : "");
    if (isVisited) {
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", "you have been there");
    }
    item.append(mark, textOf("span", "numbers", first === last ? `${first}` : `${first}–${last}`), textOf("span", "words", words), link);
    return item;
  }

  function progress({ stops, answered, questions, trained }, visited) {
    const pages = new Set(stops.map(({ page }) => page));
    const been = [...pages].filter((page) => visited.has(page)).length;
    const quiz = answered ? `, answered ${answered} of ${questions} questions` : "";
    const runs = trained ? `, trained ${trained} model${trained > 1 ? "s" : ""}` : "";
    return `So far you have been to ${been} of ${pages.size} pages${quiz}${runs}.`;
  }

  // The lecturer's index: the stops of the slide that is asked for.
  function point() {
    const number = Number(asked.value);
    [...list.children].forEach((item, n) => {
      const { first, last } = shown.stops[n];
      item.classList.toggle("asked", asked.value !== "" && first <= number && number <= last);
    });
  }

  asked.oninput = () => {
    point();
    list.querySelector(".asked")?.scrollIntoView({ block: "nearest" });
  };
  asked.onkeydown = (event) => {
    if (event.key === "Enter") list.querySelector(".asked a")?.click();
  };

  function textOf(tag, name, text) {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
    return element;
  }

  window.addEventListener(VISITED, paint);

  const way = { show, close: () => window.removeEventListener(VISITED, paint) };
  return way;
});
