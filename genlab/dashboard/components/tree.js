// The tree: nested lists; a door is a link, which opens the page without loading everything anew.

export default function ({ data, parentElement, setTriggerValue }) {
  const list = document.createElement("ul");
  list.append(branchOf(data, (page) => setTriggerValue("open", page)));
  parentElement.querySelector(".tree").replaceChildren(list);
}

function branchOf({ title, words, formula, doors, branches }, open) {
  const item = document.createElement("li");
  const card = document.createElement("div");
  card.className = "card";
  card.append(textOf("p", "title", title), textOf("p", "words", words));
  if (formula) card.append(textOf("p", "formula", formula));
  item.append(card);
  if (branches.length) {
    const list = document.createElement("ul");
    list.append(...branches.map((branch) => branchOf(branch, open)));
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
