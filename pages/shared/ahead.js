// Shows a picture that is kept ready (ready.py) the moment a control moves by a step.
const SETTLED = 120; // milliseconds after which a picture's neighbours are fetched
const FIRST = 1500; // and those of the first picture, whose page is still being drawn

const place = (control) => document.querySelector(`.st-key-${control}`);
const said = (control) => {
  const slider = place(control)?.querySelector("input[type=range]");
  return slider ? Number(slider.value) : undefined;
};
// What stood in a picture before a neighbour took its place.
const before = new WeakMap();
const seen = new Set();

// Keep the picture that `find` gives in step with the controls; returns what ends that.
const follow = (find, { says, ready, name }) => {
  const controls = [...new Set(ready.map((one) => one.control))];
  const watched = new Set();
  let pressed = null;
  let ended = false;

  // The neighbour that the controls ask for; null for the picture itself, undefined for neither.
  const fitting = () => {
    const moved = Object.keys(says).filter((key) => Math.abs((said(key) ?? says[key]) - says[key]) > 1e-6);
    if (moved.length + (pressed ? 1 : 0) > 1) return undefined; // the redraw will show it
    if (pressed) return ready.find((one) => one.control === pressed);
    if (!moved.length) return null;
    return ready.find((one) => one.control === moved[0] && Math.abs(one.value - said(moved[0])) < 1e-6);
  };
  const show = () => {
    const picture = find();
    if (ended || !picture) return;
    const one = fitting();
    const now = before.get(picture);
    const other = now && picture.src === now.shown; // a neighbour's stands there
    if (one === null && other) {
      picture.src = now.own;
    } else if (one?.there && picture.src !== one.image.src) {
      before.set(picture, { own: other ? now.own : picture.src, shown: one.image.src });
      picture.src = one.image.src;
    }
  };
  const fetched = async (one) => {
    one.image = new Image(); // held, so that the browser has it at once
    one.image.src = one.src;
    try {
      await one.image.decode();
      one.there = true;
      show();
    } catch { /* the redraw brings it */ }
  };
  const fetchFor = async (wanted) => {
    for (const one of ready) {
      if (!ended && !one.image && wanted.includes(one.control)) await fetched(one);
    }
  };
  const observer = new MutationObserver(show);
  const watch = (control) => {
    const found = place(control);
    if (!found || watched.has(found)) return;
    watched.add(found);
    observer.observe(found, { subtree: true, childList: true, characterData: true, attributes: true });
  };
  const near = (event) => {
    for (const control of controls) {
      if (!place(control)?.contains(event.target)) continue;
      watch(control);
      fetchFor([control]);
    }
  };
  const press = (event) => {
    pressed = controls.find((control) => event.target.closest?.(`.st-key-${control} button`)) ?? pressed;
    if (pressed) show();
  };
  const inUse = () => controls.filter((control) => place(control)?.matches(":hover, :focus-within"));
  document.addEventListener("pointerover", near, { passive: true });
  document.addEventListener("focusin", near);
  document.addEventListener("click", press, { capture: true });
  const here = [name, ...controls].join();
  const first = !seen.has(here);
  seen.add(here);
  const settled = setTimeout(() => fetchFor(first ? controls : inUse()), first ? FIRST : SETTLED);
  controls.forEach(watch);
  show();
  return () => {
    ended = true;
    clearTimeout(settled);
    observer.disconnect();
    document.removeEventListener("pointerover", near);
    document.removeEventListener("focusin", near);
    document.removeEventListener("click", press, { capture: true });
  };
};
