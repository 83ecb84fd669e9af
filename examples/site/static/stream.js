// Shows each line of the stream when it arrives, with the time since the start.
const list = document.getElementById("lines");
const button = document.getElementById("again");
const state = document.getElementById("state");

function show(line, since) {
  const item = document.createElement("li");
  const when = document.createElement("time");
  when.textContent = `${(since / 1000).toFixed(2)} s`;
  item.append(when, line);
  list.append(item);
}

async function run() {
  button.disabled = true;
  list.replaceChildren();
  const started = performance.now();
  let waiting = "", count = 0;
  try {
    const response = await fetch(list.dataset.source, { cache: "no-store" });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (waiting + value).split("\n");
      waiting = lines.pop();
      for (const line of lines) {
        show(line, performance.now() - started);
        count += 1;
        state.textContent = count === 1 ? "1 line so far" : `${count} lines so far`;
      }
    }
    state.textContent = `${count} lines in ${((performance.now() - started) / 1000).toFixed(1)} s`;
  } catch (error) {
    state.textContent = `The stream broke off after ${count} lines: ${error.message}`;
  }
  button.disabled = false;
}

button.addEventListener("click", run);
run();
