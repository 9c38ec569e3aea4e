// What arrives over the WebSocket, newest first.

const LIMIT = 50;

export function logEvent(root, name, sentence, data) {
  const [item, details, summary, json] = ["li", "details", "summary", "pre"].map((tag) =>
    document.createElement(tag),
  );
  const badge = textElement("span", name, "badge");
  const time = textElement("time", new Date().toLocaleTimeString());
  item.dataset.event = name;
  item.dataset.card = data.id;
  badge.dataset.verb = name.split(".").at(-1);
  json.textContent = JSON.stringify(data, null, 2);
  summary.append(badge, time, textElement("span", sentence, "sentence"));
  details.append(summary, json);
  item.append(details);
  root.prepend(item);
  while (root.children.length > LIMIT) root.lastElementChild.remove();
}

function textElement(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}
