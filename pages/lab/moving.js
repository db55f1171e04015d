// What moves in the Lab: asks for the next frame, shows it, and lets a finger hold the dot of light.
const NEXT = 75;   // milliseconds between two questions at least: thirteen frames a second
const REST = 10;   // after a frame is shown, for the rest of the page
const SOON = 50;   // between a question and the next, where nothing new came or the dot moves
const LATER = 250; // where nobody sees the page
const AWAY = 2000; // where the server did not answer
const SIDE = 8, SPREAD = 0.8, STEP = 0.25;
const views = new WeakMap();

const element = (name, className = "", text = "") => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
};

class View {
  constructor(root) {
    this.stage = element("div", "stage");
    this.stage.setAttribute("role", "group");
    this.stage.setAttribute("aria-label", "What the runs do now");
    root.append(this.stage);
    this.places = new Map();
    this.shown = new Map();
    this.names = "";
    this.seen = "";
    this.moved = null;
    this.held = false;
    this.dot = null;
    this.canvas = element("canvas", "dot");
    this.canvas.width = this.canvas.height = SIDE;
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", "A dot of light: drag it, or use the arrow keys");
    this.canvas.addEventListener("pointerdown", (event) => {
      this.held = true;
      this.canvas.setPointerCapture(event.pointerId);
      this.follow(event);
    });
    this.canvas.addEventListener("pointermove", (event) => this.held && this.follow(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(end, () => { this.held = false; });
    }
    this.canvas.addEventListener("keydown", (event) => {
      const by = { ArrowUp: [-STEP, 0], ArrowDown: [STEP, 0], ArrowLeft: [0, -STEP], ArrowRight: [0, STEP] }[event.key];
      if (!by || !this.dot) return;
      event.preventDefault();
      event.stopPropagation();
      this.put(this.dot[0] + by[0], this.dot[1] + by[1]);
    });
  }

  tell(data) {
    if (this.address === data.address) return;
    this.address = data.address;
    this.seen = "";
    this.waiting?.abort();
    this.ask();
  }

  follow(event) {
    const box = this.canvas.getBoundingClientRect();
    this.put((event.clientY - box.top) / box.height * SIDE - 0.5, (event.clientX - box.left) / box.width * SIDE - 0.5);
  }

  put(row, column) {
    this.dot = [row, column].map((value) => Math.min(SIDE - 1, Math.max(0, Math.round(value / STEP) * STEP)));
    this.moved = this.dot;
    this.light();
    this.waiting?.abort(); // else the server answers when there is a new frame
    this.ask();
  }

  // The picture of ``dot_of_light`` in the core, drawn here so that it stays under the finger.
  light() {
    const pen = this.canvas.getContext("2d"), picture = pen.createImageData(SIDE, SIDE);
    for (let row = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        const far = (row - this.dot[0]) ** 2 + (column - this.dot[1]) ** 2;
        const grey = Math.round(255 * Math.exp(-far / (2 * SPREAD ** 2)));
        picture.data.set([grey, grey, grey, 255], 4 * (SIDE * row + column));
      }
    }
    pen.putImageData(picture, 0, 0);
  }

  // One question at a time; what is said meanwhile is said with the next.
  async ask() {
    if (this.asking) return;
    this.asking = true;
    clearTimeout(this.timer);
    let wait = AWAY;
    const asked = performance.now();
    const question = new AbortController();
    try {
      const query = new URLSearchParams({ seen: this.seen, width: Math.round(this.stage.clientWidth / 20) * 20 });
      if (this.moved) query.set("dot", this.moved.join(","));
      else this.waiting = question;
      this.moved = null;
      const hidden = document.hidden;
      const answer = hidden ? { status: 204 } : await fetch(`${this.address}?${query}`, { signal: question.signal });
      if (answer.status === 200) {
        this.show(await answer.json());
        wait = Math.max(REST, asked + NEXT - performance.now());
      } else if (answer.status === 204) {
        wait = hidden ? LATER : SOON;
      }
    } catch {
      if (question.signal.aborted) wait = 0; // there is something to say; else the server is away
    }
    this.waiting = null;
    this.asking = false;
    if (this.over) return;
    this.timer = setTimeout(() => this.ask(), this.moved ? Math.min(wait, SOON) : wait);
  }

  show(frame) {
    this.seen = frame.seen;
    const names = frame.parts.map((part) => part.name).join(" ");
    if (names !== this.names) {
      this.names = names;
      this.build(frame.parts);
    }
    for (const part of frame.parts) {
      if (this.shown.get(part.name) === part.html) continue;
      this.shown.set(part.name, part.html);
      this.places.get(part.name).innerHTML = part.html;
    }
    if (frame.dot && !this.held && !this.moved && this.canvas !== this.canvas.getRootNode().activeElement) {
      this.dot = frame.dot;
      this.light();
    }
  }

  build(parts) {
    this.stage.replaceChildren();
    this.shown.clear();
    for (const part of parts) {
      const section = element("section", part.wide ? "wide" : "");
      if (part.title) {
        const head = element("h3", "", part.title);
        section.append(head);
        if (part.help) {
          const more = element("details"), sign = element("summary", "", "?");
          sign.setAttribute("aria-label", `What ${part.title} shows`);
          more.append(sign, element("p", "", part.help));
          head.append(more);
        }
      }
      const place = element("div", "place");
      if (part.name === "dot") {
        const both = element("div", "beside");
        both.append(this.canvas, place);
        section.append(both);
      } else {
        section.append(place);
      }
      this.places.set(part.name, place);
      this.stage.append(section);
    }
  }

  end() {
    this.over = true;
    this.waiting?.abort();
    clearTimeout(this.timer);
    this.stage.remove();
  }
}

export default function (component) {
  const { parentElement: root, data } = component;
  if (!views.has(root)) views.set(root, new View(root));
  views.get(root).tell(data);
  return () => {
    views.get(root)?.end();
    views.delete(root);
  };
}
