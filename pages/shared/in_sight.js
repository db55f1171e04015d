// Marks the places of charts that come near the window, or of all, one at a time, once the page has
// been at rest for a while: in_sight.py says what for.
const MARGIN = 250; // pixels beyond the window
const TURN = 100; // milliseconds from one chart near the window to the next
const REST = 2500; // milliseconds without anything new on the page
const WAITING = ".stPrintGraphic:not([data-in-sight])";

export default function () {
  const root = document.documentElement;
  const show = (place) => { place.dataset.inSight = ""; sight.unobserve(place); };
  // A new place near the window is marked at once, as Streamlit looks again for a width a tenth of a
  // second later only; the next one has its turn when the reader sees the first.
  let turn = 0;
  const inTurn = (place) => {
    const now = performance.now(), due = Math.max(now, turn);
    turn = due + TURN;
    if (due === now) show(place);
    else setTimeout(show, due - now, place);
  };
  const sight = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) show(one.target);
  }, { rootMargin: `${MARGIN}px` });
  const known = new WeakSet();
  let rest = 0;
  const next = () => {
    const place = document.querySelector(WAITING);
    if (!place) return;
    show(place);
    later(TURN);
  };
  const later = (milliseconds) => {
    clearTimeout(rest);
    rest = setTimeout(next, milliseconds);
  };
  const look = () => {
    const fresh = [...document.querySelectorAll(WAITING)].filter((place) => !known.has(place));
    for (const place of fresh) {
      known.add(place);
      const { top, bottom } = place.getBoundingClientRect();
      if (bottom > -MARGIN && top < innerHeight + MARGIN) inTurn(place);
      else sight.observe(place);
    }
    if (fresh.length) later(REST);
  };
  const all = () => document.querySelectorAll(WAITING).forEach(show);
  const changes = new MutationObserver(look);
  root.dataset.inSight = "";
  changes.observe(document.body, { childList: true, subtree: true });
  window.addEventListener("beforeprint", all);
  look();
  return () => {
    delete root.dataset.inSight;
    changes.disconnect();
    sight.disconnect();
    clearTimeout(rest);
    window.removeEventListener("beforeprint", all);
  };
}
