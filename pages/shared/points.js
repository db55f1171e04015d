// Tells Python which point of a chart was clicked, by its customdata and the number of its trace.
export default function ({ data, setTriggerValue }) {
  let chart = null;
  const clicked = (event) => {
    const point = event.points?.[0];
    const row = [point?.customdata].flat()[0];
    if (Number.isInteger(row)) setTriggerValue("clicked", { row, trace: point.curveNumber });
  };
  const release = () => {
    chart?.removeListener?.("plotly_click", clicked);
    chart = null;
  };
  // The chart may be drawn later than this script, or anew: look for it when the cursor comes.
  const follow = (event) => {
    const found = event.target.closest?.(`.st-key-${data.plot}`)?.querySelector(".js-plotly-plot");
    if (!found?.on || found === chart) return;
    release();
    chart = found;
    chart.on("plotly_click", clicked);
  };
  document.addEventListener("pointermove", follow, { passive: true });
  document.addEventListener("pointerdown", follow, { passive: true, capture: true });
  return () => {
    document.removeEventListener("pointermove", follow);
    document.removeEventListener("pointerdown", follow, { capture: true });
    release();
  };
}
