// Shows the picture of the point under the cursor, a cell of one sprite sheet, beside the cursor.
export default function ({ data }) {
  const card = document.createElement("div");
  card.className = "strata-hover";
  card.setAttribute("aria-hidden", "true");
  const { columns, width, height, scale, plot, shown, sprite } = data;
  Object.assign(card.style, {
    position: "fixed", display: "none", pointerEvents: "none", zIndex: 1000,
    width: `${width * scale}px`, height: `${height * scale}px`,
    border: "1px solid rgba(128, 128, 128, 0.8)", borderRadius: "3px",
    backgroundImage: `url(${sprite})`, imageRendering: "pixelated",
    backgroundSize: `${columns * width * scale}px auto`,
  });
  document.body.appendChild(card);
  let chart = null;
  const hide = () => { card.style.display = "none"; };
  const show = (event) => {
    const id = [event.points[0].customdata].flat()[0];
    if (!shown.some(([from, to]) => from <= id && id < to)) return hide();
    const x = -(id % columns) * width * scale;
    const y = -Math.floor(id / columns) * height * scale;
    card.style.backgroundPosition = `${x}px ${y}px`;
    const cursor = event.event;
    const left = cursor.clientX + 18 + width * scale < window.innerWidth
      ? cursor.clientX + 18 : cursor.clientX - 18 - width * scale;
    const top = cursor.clientY + 30 + height * scale < window.innerHeight
      ? cursor.clientY + 30 : cursor.clientY - 30 - height * scale;
    card.style.left = `${left}px`;
    card.style.top = `${top}px`;
    card.style.display = "block";
  };
  const release = () => {
    chart?.removeListener?.("plotly_hover", show);
    chart?.removeListener?.("plotly_unhover", hide);
    chart = null;
  };
  // The chart may be drawn later than this script, or anew: look for it when the cursor comes.
  const follow = (event) => {
    const found = event.target.closest?.(`.st-key-${plot}`)?.querySelector(".js-plotly-plot");
    if (!found) return hide();
    if (found === chart || !found.on) return;
    release();
    chart = found;
    chart.on("plotly_hover", show);
    chart.on("plotly_unhover", hide);
  };
  document.addEventListener("pointermove", follow, { passive: true });
  document.addEventListener("pointerdown", hide, { passive: true });
  return () => {
    document.removeEventListener("pointermove", follow);
    document.removeEventListener("pointerdown", hide);
    release();
    card.remove();
  };
}
