// What moves in the Lab: asks for the next frame, shows it, and lets a finger hold the dot of light.
const SOON = 50;   // milliseconds between a frame and the next question
const LATER = 250; // the same where there was nothing new
const AWAY = 2000; // and where the server did not answer
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
    if (this.address === data.address && this.timer) return;
    this.address = data.address;
    this.seen = "";
    clearTimeout(this.timer);
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
    if (this.waits) this.ask();
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

  async ask() {
    clearTimeout(this.timer);
    this.waits = false;
    let wait = AWAY;
    try {
      const query = new URLSearchParams({ seen: this.seen, width: Math.round(this.stage.clientWidth / 20) * 20 });
      if (this.moved) query.set("dot", this.moved.join(","));
      this.moved = null;
      const answer = document.hidden ? { status: 204 } : await fetch(`${this.address}?${query}`);
      if (answer.status === 200) {
        this.show(await answer.json());
        wait = SOON;
      } else if (answer.status === 204) {
        wait = LATER;
      }
    } catch {
      // The server is away for a moment; it is asked again.
    }
    if (this.over) return;
    this.waits = true;
    this.timer = setTimeout(() => this.ask(), this.moved ? SOON : wait);
  }

  show(frame) {
    this.seen = frame.seen;
    const names = frame.parts.map((part) => part.name).join(" ");
    if (names !== this.names) {
      this.names = names;
      this.build(frame.parts);
    }
    for (const part of frame.parts) this.places.get(part.name).innerHTML = part.html;
    if (frame.dot && !this.held && !this.moved && this.canvas !== this.canvas.getRootNode().activeElement) {
      this.dot = frame.dot;
      this.light();
    }
  }

  build(parts) {
    this.stage.replaceChildren();
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
