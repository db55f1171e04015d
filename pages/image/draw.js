// A canvas to draw on: pen, eraser, width, clear, undo. It is many times as fine as the model's
// image, and what is sent are the means of its squares, so that strokes have soft edges.
const SIDE = 320;     // pixels of the longer side, at most
const REMEMBERED = 40; // steps that can be taken back
const easels = new WeakMap();

const element = (name, text = "") => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  return made;
};

class Easel {
  constructor(root) {
    this.sent = new Set([""]); // what came from here changes nothing when it comes back
    this.past = [];
    this.erasing = false;
    this.box = element("div");
    this.box.className = "easel";
    this.bar = element("div");
    this.bar.className = "bar";
    this.bar.setAttribute("role", "toolbar");
    this.bar.setAttribute("aria-label", "Drawing");
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "Canvas to draw the image on");
    this.canvas.tabIndex = 0;
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    this.box.append(this.bar, this.canvas);
    root.append(this.box);
    this.controls();
    this.strokes();
  }

  controls() {
    const button = (text, label, act) => {
      const made = element("button", text);
      made.type = "button";
      made.title = label;
      made.setAttribute("aria-label", label);
      made.onclick = act;
      this.bar.append(made);
      return made;
    };
    this.modes = [
      button("Pen", "Draw with the pen", () => this.mode(false)),
      button("Eraser", "Draw with the colour of the ground", () => this.mode(true)),
    ];
    this.color = element("input");
    this.color.type = "color";
    this.color.title = "Colour of the pen";
    this.color.setAttribute("aria-label", "Colour of the pen");
    this.bar.append(this.color);
    this.back = button("Undo", "Take the last stroke back (Ctrl+Z)", () => this.undo());
    button("Clear", "Empty the canvas", () => this.clear());
    const label = element("label", "Width");
    this.width = element("input");
    Object.assign(this.width, { type: "range", min: "0.5", max: "8", step: "0.5", value: "2" });
    this.width.setAttribute("aria-label", "Width of the pen in pixels of the image");
    label.append(this.width);
    this.bar.append(label);
    this.mode(false);
  }

  mode(erasing) {
    this.erasing = erasing;
    this.modes.forEach((one, i) => one.setAttribute("aria-pressed", String(erasing === Boolean(i))));
  }

  strokes() {
    let last = null;
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [(event.clientX - box.left) * (this.canvas.width / box.width),
        (event.clientY - box.top) * (this.canvas.height / box.height)];
    };
    const line = (to) => {
      const { pen } = this;
      pen.strokeStyle = this.erasing ? this.ground : this.color.value;
      pen.lineWidth = Number(this.width.value) * this.scale;
      pen.lineCap = pen.lineJoin = "round";
      pen.beginPath();
      pen.moveTo(...last);
      pen.lineTo(...to);
      pen.stroke();
      last = to;
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.remember();
      last = at(event);
      line(last);
      event.preventDefault();
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const all = event.getCoalescedEvents?.() ?? [];
      for (const one of all.length ? all : [event]) line(at(one));
    });
    const end = () => {
      if (!last) return;
      last = null;
      this.send();
    };
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", end);
    this.box.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
        event.preventDefault();
        this.undo();
      }
    });
  }

  remember() {
    this.past.push(this.pen.getImageData(0, 0, this.canvas.width, this.canvas.height));
    if (this.past.length > REMEMBERED) this.past.shift();
    this.back.disabled = false;
  }

  undo() {
    const before = this.past.pop();
    if (!before) return;
    this.pen.putImageData(before, 0, 0);
    this.back.disabled = !this.past.length;
    this.send();
  }

  fill() {
    this.pen.fillStyle = this.ground;
    this.pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  clear() {
    this.remember();
    this.fill();
    this.say("drawn", "");
  }

  show({ shape, ground, pen, start }) {
    const [channels, height, width] = shape;
    const scale = Math.max(1, Math.floor(SIDE / Math.max(height, width)));
    const other = String(shape) !== String(this.shape) || ground !== this.ground;
    Object.assign(this, { shape, scale, ground });
    if (other) {
      this.canvas.width = width * scale;
      this.canvas.height = height * scale;
      this.color.value = pen;
      this.color.hidden = channels === 1;
      this.color.style.display = channels === 1 ? "none" : "";
      this.past = [];
      this.back.disabled = true;
      this.fill();
    }
    if (start && (other || !this.sent.has(start))) {
      if (!other) this.remember();
      this.load(start);
    }
  }

  load(start) {
    const [channels, height, width] = this.shape, { scale, pen } = this;
    const bytes = Uint8Array.from(atob(start), (sign) => sign.charCodeAt(0));
    if (bytes.length !== channels * height * width) return;
    const plane = height * width;
    for (let i = 0; i < plane; i++) {
      const [r, g, b] = [0, 1, 2].map((c) => bytes[(channels === 1 ? 0 : c * plane) + i]);
      pen.fillStyle = `rgb(${r}, ${g}, ${b})`;
      pen.fillRect((i % width) * scale, Math.floor(i / width) * scale, scale, scale);
    }
    this.sent.add(start);
  }

  // The mean of every square, channel by channel: (C, H, W) bytes as base64.
  send() {
    const [channels, height, width] = this.shape, { scale } = this, plane = height * width;
    const fine = this.pen.getImageData(0, 0, width * scale, height * scale).data;
    const bytes = new Uint8Array(channels * plane);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const sum = [0, 0, 0];
        for (let v = y * scale; v < (y + 1) * scale; v++) {
          for (let u = x * scale; u < (x + 1) * scale; u++) {
            const at = 4 * (v * width * scale + u);
            for (let c = 0; c < channels; c++) sum[c] += fine[at + c];
          }
        }
        for (let c = 0; c < channels; c++) {
          bytes[c * plane + y * width + x] = Math.round(sum[c] / scale ** 2);
        }
      }
    }
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    const told = btoa(text);
    this.sent.add(told);
    this.say("drawn", told);
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  let easel = easels.get(parentElement);
  if (!easel) {
    easel = new Easel(parentElement);
    easels.set(parentElement, easel);
  }
  easel.say = setTriggerValue;
  easel.show(data);
  return () => {
    easels.delete(parentElement);
    easel.box.remove();
  };
}
