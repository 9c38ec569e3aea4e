// Who else is here, and where they type.

const TYPING_SHOWS = 3000; // milliseconds without news until it is over
const TYPING_TOLD = 1000; // at most one hint in this time: Pusher takes ten events a second

/** Show the members of the board who look at it, oneself last. */
export function showPeople(root, members, myId) {
  const isMe = ({ id }) => id === myId;
  const sorted = [...members].sort((a, b) => isMe(a) - isMe(b) || a.name.localeCompare(b.name));
  root.replaceChildren(
    ...sorted.map((member) => {
      const item = document.createElement("li");
      item.textContent = member.name.slice(0, 1).toUpperCase();
      item.title = isMe(member) ? `${member.name} (you)` : member.name;
      item.ariaLabel = item.title;
      return item;
    }),
  );
}

const ends = new WeakMap(); // element → timer

export function showTyping(element, name) {
  element.textContent = `${name} is writing …`;
  clearTimeout(ends.get(element));
  ends.set(element, setTimeout(() => (element.textContent = ""), TYPING_SHOWS));
}

/** Return a function that tells of typing, and does nothing when called again too soon. */
export function tellTyping(tell) {
  let last = -Infinity;
  return (list) => {
    if (performance.now() - last < TYPING_TOLD) return;
    last = performance.now();
    tell(list);
  };
}
