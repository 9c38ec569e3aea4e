// Editing a card where it stands.

const template = document.getElementById("edit-template").content.firstElementChild;

/** Open the form in the card; `save` gets what the user changed, and only that. */
export function edit(item, card, lists, save) {
  if (item.querySelector(".edit")) return;
  const form = template.cloneNode(true);
  const { title, notes, list } = form.elements;
  title.value = card.title;
  notes.value = card.notes;
  for (const { id, name } of lists) list.add(new Option(name, id, false, id === card.list));

  const close = () => {
    form.remove();
    item.classList.remove("editing");
    item.querySelector("[data-action=edit]").focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const now = { title: title.value.trim(), notes: notes.value.trim(), list: Number(list.value) };
    // Fields that were not touched are not sent: others may have changed them meanwhile.
    const changed = Object.entries(now).filter(([field, value]) => value !== card[field]);
    close();
    if (changed.length) save(Object.fromEntries(changed));
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.querySelector("[data-action=cancel]").addEventListener("click", close);
  item.classList.add("editing");
  item.append(form);
  title.select();
}
