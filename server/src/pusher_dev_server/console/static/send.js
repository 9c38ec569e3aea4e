// The form that publishes a test event.

import { fill } from "./parts.js";

const form = document.querySelector("#send");
const result = document.querySelector("#result");
const { channel, name, data } = form.elements;

export function sendTo(target) {
  channel.value = target;
  data.focus();
}

export function ready(post) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      // Most clients cannot read an event whose data is not JSON.
      JSON.parse(data.value);
    } catch (error) {
      say(`The data is not JSON: ${error.message}`, "error");
      data.focus();
      return;
    }
    const body = { name: name.value, channel: channel.value, data: data.value };
    try {
      const response = await post(body);
      if (response.ok) say(`Sent to ${body.channel}.`, "done");
      else say(await response.text(), "error");
    } catch {
      say("The server is not reached.", "error");
    }
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

function say(text, state) {
  result.dataset.state = state;
  fill(result, text);
}
