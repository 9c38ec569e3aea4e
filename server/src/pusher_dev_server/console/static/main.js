// Puts the parts of the console together.

import { add, skip } from "./log.js";
import { show } from "./lists.js";
import { ready } from "./send.js";
import { open } from "./stream.js";

const about = document.querySelector("#about");
const apps = document.querySelector("#apps");
const select = apps.querySelector("select");
const status = document.querySelector("#status");

const NAMES = { connecting: "Connecting", live: "Live", offline: "Server not reached" };

const stream = open({
  hello({ app, apps: all }) {
    const { key } = all.find(({ id }) => id === app);
    about.textContent = `App ${app} with key ${key}. What happens appears here, as it happens.`;
    apps.hidden = all.length < 2;
    select.replaceChildren(...all.map(({ id }) => new Option(id, id, false, id === app)));
  },
  state: show,
  activity: add,
  skipped: skip,
  onStatus(state) {
    status.dataset.state = state;
    status.textContent = NAMES[state];
  },
});

select.addEventListener("change", () => stream.choose(select.value));
ready(stream.post);
