// A picture of several images: a click on one makes it the current image, with Shift the pinned one.
// `follow` is of ahead.js, which stands before this.
const element = (name, className) => {
  const made = document.createElement(name);
  made.className = className;
  return made;
};

// The picture of each place stays when its neighbour comes, so that nothing is blank between them.
const pictures = new WeakMap();
// What ends the following of the last drawing: Streamlit asks for that at the end alone.
const ends = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  ends.get(parentElement)?.();
  const focused = parentElement.querySelector("button:focus")?.dataset.name;
  const frame = element("div", data.scrolls ? "frame whole" : "frame");
  const picture = pictures.get(parentElement) ?? element("img", "");
  pictures.set(parentElement, picture);
  Object.assign(picture, { alt: data.alt, width: data.width });
  if (picture.src !== data.src) picture.src = data.src;
  frame.append(picture);
  for (const [name, title, left, top, width, height] of data.spots) {
    const spot = element("button", name === data.now ? "now" : name === data.beside ? "beside" : "");
    spot.type = "button";
    spot.title = title;
    spot.dataset.name = name;
    spot.setAttribute("aria-label", title);
    spot.setAttribute("aria-pressed", String(name === data.now));
    Object.assign(spot.style, { left: `${left}%`, top: `${top}%`, width: `${width}%`, height: `${height}%` });
    spot.onclick = (event) => setTriggerValue(event.shiftKey ? "pinned" : "picked", name);
    frame.append(spot);
  }
  parentElement.querySelector(".frame")?.remove();
  parentElement.append(frame);
  if (focused) [...frame.querySelectorAll("button")].find((one) => one.dataset.name === focused)?.focus();
  ends.set(parentElement, data.ready.length ? follow(() => picture, data) : () => {});
  return () => {
    ends.get(parentElement)();
    parentElement.querySelector(".frame")?.remove();
  };
}
