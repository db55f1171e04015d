// A map of up to a hundred thousand points on one WebGL canvas: pan, zoom, lasso, pictures.
// The data is one block of bytes: the length of a JSON head, the head, then arrays (cloud.py).
const PICTURES = 400;    // points in view from which on their pictures stand in their places
const REMEMBERED = 4000; // pictures kept by the browser
const SIDE = 30;         // pixels of the longer side of a picture in its place
const CARD = 84;         // the same beside the cursor
const maps = new WeakMap();
let picks = Date.now();

const library = () => new Promise((done) => {
  const ready = () => globalThis.strataScatterplot && done(globalThis.strataScatterplot);
  document.addEventListener("strata-scatterplot", ready, { once: true });
  ready();
});

// Whether this browser draws by WebGL what the library needs; else Python draws another chart.
function supported() {
  const pen = document.createElement("canvas").getContext("webgl");
  const there = pen?.getExtension("OES_texture_float") && pen.getExtension("OES_standard_derivatives");
  pen?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(there);
}

// Whether the processor draws: then points are squares that do not shine through.
function slow(pen) {
  const told = pen.getExtension("WEBGL_debug_renderer_info");
  return /swiftshader|llvmpipe|software/i.test(told ? pen.getParameter(told.UNMASKED_RENDERER_WEBGL) : "");
}

function unpack(bytes) {
  const block = bytes.slice().buffer; // the arrays need their own alignment
  const length = new DataView(block).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(block, 4, length)));
  const kinds = { f4: Float32Array, u2: Uint16Array, u4: Uint32Array };
  for (const [name, kind, from, count] of head.arrays) {
    head[name] = new kinds[kind](block, from, count);
  }
  return head;
}

// Equal scales on both axes: the larger half of the range becomes 0.92 of the canvas.
function fitted(xy) {
  const n = xy.length / 2, x = new Float32Array(n), y = new Float32Array(n);
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < n; i++) {
    const a = xy[2 * i], b = xy[2 * i + 1];
    if (a < left) left = a;
    if (a > right) right = a;
    if (b < low) low = b;
    if (b > high) high = b;
  }
  const half = Math.max(right - left, high - low, 1e-30) / 2 / 0.92;
  for (let i = 0; i < n; i++) {
    x[i] = (xy[2 * i] - (left + right) / 2) / half;
    y[i] = (xy[2 * i + 1] - (low + high) / 2) / half;
  }
  return { x, y };
}

const element = (name, className = "", text = "") => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
};

class PointMap {
  constructor(root, { createScatterplot, createRenderer }) {
    this.off = new Set(); // groups that the legend has switched off
    this.pictures = new Map();
    this.asked = new Set();
    this.waiting = null;
    this.hovered = null;
    this.box = element("div", "map");
    this.bar = element("div", "bar");
    this.bar.setAttribute("role", "toolbar");
    this.bar.setAttribute("aria-label", "Map");
    this.stage = element("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.canvas = element("canvas");
    this.overlay = element("canvas", "pictures");
    this.card = element("div", "card");
    this.legend = element("div", "legend");
    this.axes = element("div", "axes");
    this.stage.append(this.canvas, this.overlay);
    this.box.append(this.bar, this.stage, this.legend, this.axes, this.card);
    root.append(this.box);
    // Its own renderer, as large as the map: the library's is as large as the window.
    this.renderer = createRenderer({ canvas: element("canvas") });
    this.plot = createScatterplot({ renderer: this.renderer, canvas: this.canvas,
      performanceMode: slow(this.renderer.regl._gl), width: "auto", height: "auto", lassoInitiator: false,
      spatialIndexUseWorker: false, deselectOnEscape: false, syncEvents: true, lassoMinDelay: 8, lassoMinDist: 3 });
    this.plot.subscribe("select", ({ points }) => (this.clicking && points.length === 1 ? this.looked(points[0])
      : this.picked([...points].sort((a, b) => a - b))));
    this.plot.subscribe("deselect", () => this.picked([]));
    this.plot.subscribe("pointOver", (i) => this.over(i));
    this.plot.subscribe("pointOut", () => this.out());
    this.plot.subscribe("view", () => {
      this.out();
      this.moved();
    });
    // A lasso that ends where it began is no click, which would take the one point there instead.
    let drawn = false;
    this.plot.subscribe("lassoEnd", () => { drawn = true; });
    this.stage.addEventListener("click", (event) => {
      if (drawn) event.stopPropagation();
      this.clicking = !drawn && event.target === this.canvas;
    }, true);
    this.stage.addEventListener("click", () => { this.clicking = false; });
    this.stage.addEventListener("mousedown", () => {
      drawn = false;
      this.down = true;
      this.out();
    }, true);
    this.up = () => { this.down = false; };
    window.addEventListener("mouseup", this.up);
    this.controls();
    this.keys();
    this.touch();
    this.watch = new ResizeObserver(() => {
      this.size();
      this.moved();
    });
    this.watch.observe(this.stage);
  }

  size() { this.renderer.resize(this.stage.clientWidth || 1, this.stage.clientHeight || 1); }

  controls() {
    const button = (text, label, act) => {
      const made = element("button", "", text);
      made.type = "button";
      made.title = label;
      made.setAttribute("aria-label", label);
      made.onclick = act;
      this.bar.append(made);
      return made;
    };
    this.modes = {
      lasso: button("Lasso", "Draw a lasso round points (L)", () => this.mode("lasso")),
      panZoom: button("Pan", "Drag the map (P)", () => this.mode("panZoom")),
    };
    this.bar.append(element("span", "gap"));
    button("+", "Zoom in (+)", () => this.zoom(0.6));
    button("−", "Zoom out (−)", () => this.zoom(1 / 0.6));
    button("Fit", "Show the whole map (0)", () => this.fit());
    this.bar.append(element("span", "gap"));
    button("Take what is in view", "Select all points in view (Enter)", () => this.take());
    button("Clear", "Clear the selection (Escape)", () => this.plot.deselect());
    this.mode("lasso");
  }

  mode(name) {
    this.plot.set({ mouseMode: name });
    for (const [key, button] of Object.entries(this.modes)) {
      button.setAttribute("aria-pressed", String(key === name));
    }
  }

  // Where the view is going: a key pressed on the way there goes on from there.
  view() {
    if (this.goal && performance.now() < this.goal.until) return this.goal;
    return { target: [...this.plot.get("cameraTarget")].slice(0, 2), distance: this.plot.get("cameraDistance") };
  }

  to(target, wanted, duration = 160) {
    const distance = Math.min(3, Math.max(0.001, wanted));
    this.goal = { target, distance, until: performance.now() + duration + 60 };
    this.plot.zoomToLocation(target, distance, { transition: duration > 0, transitionDuration: duration });
  }

  zoom(factor, duration = 160) {
    const { target, distance } = this.view();
    this.to(target, distance * factor, duration);
  }

  pan(right, up, duration = 120) {
    const { target: [x, y], distance } = this.view();
    this.to([x + right * distance, y + up * distance], distance, duration);
  }

  fit() { this.to([0, 0], 1); }

  inView() {
    return Array.from(this.plot.get("pointsInView")).filter((i) => !this.off.has(this.data.groups[i]));
  }

  take() { this.plot.select(this.inView()); }

  keys() {
    const acts = {
      ArrowLeft: () => this.pan(-0.25, 0), ArrowRight: () => this.pan(0.25, 0),
      ArrowUp: () => this.pan(0, 0.25), ArrowDown: () => this.pan(0, -0.25),
      "+": () => this.zoom(0.6), "=": () => this.zoom(0.6), "-": () => this.zoom(1 / 0.6),
      0: () => this.fit(), l: () => this.mode("lasso"), p: () => this.mode("panZoom"), Enter: () => this.take(),
      Escape: () => this.plot.deselect(),  // the library's own would hear what is meant for a box elsewhere
    };
    this.stage.addEventListener("pointerdown", () => this.stage.focus({ preventScroll: true }));
    this.stage.addEventListener("keydown", (event) => {
      const act = acts[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  }

  // The library hears a mouse alone: one finger is given to it as one, two fingers zoom.
  touch() {
    const mouse = (kind, at, on) => on.dispatchEvent(new MouseEvent(kind, {
      clientX: at.clientX, clientY: at.clientY, button: 0, buttons: kind === "mouseup" ? 0 : 1, bubbles: true,
      view: window,
    }));
    const apart = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    let width = 0, last = null, pressed = false;
    const press = () => {
      if (!last || pressed) return;
      pressed = true;
      mouse("mousedown", last, this.canvas);
    };
    const lift = () => {
      press(); // a short touch is a click's first half too
      if (last) mouse("mouseup", last, window);
      last = null;
      pressed = false;
    };
    this.canvas.addEventListener("touchstart", (event) => {
      event.preventDefault();
      if (event.touches.length > 1) {
        lift();
        width = apart(event.touches);
        return;
      }
      last = event.touches[0];
      mouse("mouseenter", last, this.canvas);
      mouse("mousemove", last, window);
      // The library pans by what the mouse has moved since its last frame: the finger came from nowhere.
      requestAnimationFrame(() => requestAnimationFrame(press));
    }, { passive: false });
    this.canvas.addEventListener("touchmove", (event) => {
      event.preventDefault();
      if (event.touches.length > 1) {
        const now = apart(event.touches);
        if (width > 0 && now > 0) this.zoom(width / now, 0);
        width = now;
      } else if (last) {
        last = event.touches[0];
        mouse("mousemove", last, window);
      }
    }, { passive: false });
    for (const name of ["touchend", "touchcancel"]) this.canvas.addEventListener(name, lift);
  }

  // Draws are one at a time: of what comes meanwhile only the last is drawn.
  show(data) {
    const drawing = this.waiting !== null;
    this.waiting = data;
    if (!drawing) this.work();
  }

  async work() {
    while (this.waiting && !this.gone) {
      const data = this.waiting;
      await this.draw(data).catch((error) => console.error(error));
      if (this.waiting === data) this.waiting = null;
    }
  }

  async draw(data) {
    const before = this.data?.points === data.points ? this.data : null;
    if (this.data && !before) {
      this.rows = undefined;
      this.fit();
    }
    this.data = data;
    const points = data.xy.length / 2;
    if (!before || before.album?.address !== data.album?.address) {
      this.pictures.clear();
      this.asked.clear();
    }
    if (!before || before.kind !== data.kind) this.off.clear();
    this.stage.style.height = `${window.innerWidth < 600 ? Math.min(data.height, 400) : data.height}px`;
    this.size();
    this.stage.setAttribute("aria-label", `${data.alt}. Arrow keys move the map, plus and minus zoom, Enter takes `
      + "what is in view, Escape clears.");
    const size = points > 50_000 ? 2.5 : points > 10_000 ? 3.5 : 5;
    this.plot.set({
      backgroundColor: data.colors.background, lassoColor: data.colors.text,
      pointColor: data.palette, pointColorActive: data.palette, pointColorHover: data.colors.text,
      colorBy: "valueA", pointSize: size, pointSizeSelected: 2, pointOutlineWidth: 1, showReticle: false,
      pointScaleMode: "constant",
      opacity: points > 50_000 ? 0.55 : 0.8, opacityInactiveMax: 0.12,
    });
    const ramp = Boolean(data.values);
    const { x, y } = fitted(data.xy);
    const moves = before && before.placed !== data.placed;
    await this.plot.draw({ x, y, valueA: ramp ? data.values : data.groups }, {
      zDataType: ramp ? "continuous" : "categorical", transition: Boolean(moves), transitionDuration: 450,
      select: before && before.cleared === data.cleared && this.rows?.length ? this.rows : undefined,
    });
    if (before && before.cleared !== data.cleared) {
      this.plot.deselect({ preventEvent: true });
      this.rows = undefined;
    }
    this.filter();
    this.explain();
    this.box.dataset.points = String(points);
    this.box.dataset.placed = data.placed;
    this.moved();
  }

  explain() {
    const { data } = this;
    this.axes.textContent = data.axes.join(" × ");
    this.legend.replaceChildren();
    if (data.scale) {
      const ramp = element("span", "ramp");
      ramp.style.background = `linear-gradient(to right, ${data.palette.join(", ")})`;
      this.legend.append(element("span", "", data.scale.title), element("span", "", data.scale.low), ramp,
        element("span", "", data.scale.high));
      return;
    }
    data.names.forEach((name, group) => {
      const button = element("button");
      const dot = element("i");
      dot.style.background = data.palette[group];
      button.type = "button";
      button.append(dot, name);
      button.setAttribute("aria-pressed", String(!this.off.has(group)));
      button.title = "Show or hide these points";
      button.onclick = () => {
        this.off.has(group) ? this.off.delete(group) : this.off.add(group);
        button.setAttribute("aria-pressed", String(!this.off.has(group)));
        this.filter();
      };
      this.legend.append(button);
    });
  }

  filter() {
    if (!this.off.size) {
      if (this.filtered) this.plot.unfilter();
      this.filtered = false;
    } else {
      const kept = [];
      this.data.groups.forEach((group, i) => { if (!this.off.has(group)) kept.push(i); });
      this.plot.filter(kept);
      this.filtered = true;
    }
    this.moved();
  }

  picked(rows) {
    if (!rows.length && !this.rows?.length) return;
    this.rows = rows;
    // The count tells a lasso from one that took the same before.
    this.say("picked", { rows, points: this.data.points, at: ++picks });
  }

  // A click makes a point's image the current one, and the selection stays.
  looked(i) {
    if (this.rows?.length) this.plot.select(this.rows, { preventEvent: true });
    else this.plot.deselect({ preventEvent: true });
    this.say("looked", { rows: [i], points: this.data.points, at: ++picks });
  }

  words(i) {
    const { data } = this;
    const lines = [`${data.sets[data.codes[i]]} ${data.indices[i]}`];
    const label = data.classes[data.labels[i]];
    if (label) lines.push(`class ${label}`);
    if (data.files) lines.push(data.files[i]);
    if (data.raw) lines.push(`${data.scale.title} ${Number(data.raw[i].toPrecision(3))} ${data.scale.unit}`.trim());
    return lines;
  }

  over(i) {
    if (this.down) return; // a drag over points is not a look at them
    this.hovered = i;
    this.card.replaceChildren();
    const picture = this.pictures.get(i);
    if (picture) {
      const scale = Math.max(1, Math.round(CARD / picture.height));
      const canvas = element("canvas");
      Object.assign(canvas, { width: picture.width, height: picture.height });
      canvas.style.width = `${picture.width * scale}px`;
      canvas.getContext("2d").drawImage(picture.sheet, picture.x, picture.y, picture.width, picture.height, 0, 0,
        picture.width, picture.height);
      this.card.append(canvas);
    } else {
      clearTimeout(this.soon);
      this.soon = setTimeout(() => this.fetch([i]).then(() => this.hovered === i && this.over(i)), 40);
    }
    for (const line of this.words(i)) this.card.append(element("div", "", line));
    this.card.style.display = "block";
    const [x, y] = this.plot.getScreenPosition(i) ?? [0, 0];
    const left = x + 16 + this.card.offsetWidth < this.stage.clientWidth ? x + 16 : x - 16 - this.card.offsetWidth;
    const top = Math.min(y + 12, this.stage.clientHeight - this.card.offsetHeight);
    this.card.style.left = `${Math.max(0, left)}px`;
    this.card.style.top = `${Math.max(0, top) + this.stage.offsetTop}px`;
  }

  out() {
    if (this.hovered === null) return;
    this.hovered = null;
    this.card.style.display = "none";
  }

  // Pictures follow the map at once; which of them stand there is asked when it rests.
  moved() {
    if (!this.data) return;
    if (this.shown?.length || this.data.current !== null) this.frame ??= requestAnimationFrame(() => { this.frame = null; this.paint(); });
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.look(), 140);
  }

  async look() {
    if (this.gone) return;
    const rows = this.data.album ? this.inView() : [];
    this.shown = rows.length <= PICTURES ? rows : [];
    this.paint();
    if (this.shown.length && await this.fetch(this.shown)) this.paint();
  }

  async fetch(rows) {
    const { album } = this.data;
    const missing = rows.filter((i) => !this.pictures.has(i) && !this.asked.has(i));
    if (!album || !missing.length) return false;
    missing.forEach((i) => this.asked.add(i));
    try {
      const answer = await fetch(`${album.address}?rows=${missing.join(",")}`);
      if (!answer.ok) return false;
      const sheet = await createImageBitmap(await answer.blob());
      const { width, height, columns } = album;
      if (this.pictures.size > REMEMBERED) {
        this.pictures.clear();
        this.asked.clear();
      }
      missing.forEach((row, i) => this.pictures.set(row, {
        sheet, width, height, x: (i % columns) * width, y: Math.floor(i / columns) * height,
      }));
      return true;
    } catch {
      return false; // without the server's answer the points stay points
    }
  }

  paint() {
    const ratio = window.devicePixelRatio || 1, { overlay, data } = this;
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    overlay.width = width * ratio;
    overlay.height = height * ratio;
    const pen = overlay.getContext("2d");
    pen.scale(ratio, ratio);
    pen.imageSmoothingEnabled = false;
    let count = 0;
    for (const i of this.shown ?? []) {
      const picture = this.pictures.get(i), at = this.plot.getScreenPosition(i);
      if (!picture || !at) continue;
      const scale = SIDE / Math.max(picture.width, picture.height);
      const [w, h] = [picture.width * scale, picture.height * scale];
      pen.fillStyle = data.values ? data.palette[Math.round(data.values[i] * (data.palette.length - 1))]
        : data.palette[data.groups[i]];
      pen.fillRect(at[0] - w / 2 - 2, at[1] - h / 2 - 2, w + 4, h + 4);
      pen.drawImage(picture.sheet, picture.x, picture.y, picture.width, picture.height, at[0] - w / 2, at[1] - h / 2,
        w, h);
      count++;
    }
    this.box.dataset.pictures = String(count);
    this.ring(pen);
  }

  // Round the current image's point, where it is among the points that are shown.
  ring(pen) {
    const { current, groups, colors } = this.data;
    const at = current === null || this.off.has(groups[current]) ? null : this.plot.getScreenPosition(current);
    this.box.dataset.current = at ? String(current) : "";
    if (!at) return;
    for (const [width, color] of [[5.5, colors.background], [2.5, colors.text]]) {
      Object.assign(pen, { lineWidth: width, strokeStyle: color });
      pen.beginPath();
      pen.arc(at[0], at[1], this.shown?.includes(current) ? SIDE * 0.8 : 8.5, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  destroy() {
    this.gone = true;
    clearTimeout(this.rest);
    clearTimeout(this.soon);
    window.removeEventListener("mouseup", this.up);
    this.watch.disconnect();
    this.plot.destroy();
    this.renderer.destroy();
    this.box.remove();
  }
}

export default async function ({ data, parentElement, setStateValue }) {
  const found = await library();
  let map = maps.get(parentElement);
  if (!map) {
    if (!supported()) {
      setStateValue("missing", true);
      return () => {};
    }
    map = new PointMap(parentElement, found);
    maps.set(parentElement, map);
  }
  map.say = setStateValue;
  map.show(unpack(data));
  return () => {
    maps.delete(parentElement);
    map.destroy();
  };
}
