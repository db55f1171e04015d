// Draws a ring round one place of a Plotly chart, over it: a changed chart would lose its lasso.
export default function ({ data }) {
  const ring = document.createElement("div");
  ring.className = "strata-ring";
  ring.setAttribute("role", "img");
  ring.setAttribute("aria-label", data.label);
  Object.assign(ring.style, {
    position: "absolute", display: "none", pointerEvents: "none", zIndex: 5, width: "19px", height: "19px",
    boxSizing: "border-box", borderRadius: "50%", border: `2.5px solid ${data.color}`,
    boxShadow: `0 0 0 1.5px ${data.ground}, inset 0 0 0 1.5px ${data.ground}`, transform: "translate(-50%, -50%)",
  });
  let chart = null;
  const place = () => {
    const { xaxis, yaxis } = chart?._fullLayout ?? {};
    if (!xaxis?.d2p || !yaxis?.d2p) return;
    const [x, y] = [xaxis.d2p(data.at[0]), yaxis.d2p(data.at[1])];
    const inside = x >= 0 && x <= xaxis._length && y >= 0 && y <= yaxis._length;
    ring.style.left = `${xaxis._offset + x}px`;
    ring.style.top = `${yaxis._offset + y}px`;
    ring.style.display = inside ? "block" : "none";
  };
  const events = ["plotly_afterplot", "plotly_relayouting", "plotly_relayout"];
  const release = () => {
    events.forEach((name) => chart?.removeListener?.(name, place));
    chart = null;
  };
  // The chart may be drawn later than this script, or anew.
  const follow = () => {
    const found = document.querySelector(`.st-key-${data.plot} .js-plotly-plot`);
    if (!found?.on || (found === chart && ring.isConnected)) return;
    release();
    chart = found;
    chart.querySelector(".svg-container")?.append(ring);
    events.forEach((name) => chart.on(name, place));
    place();
  };
  const timer = setInterval(follow, 250);
  follow();
  return () => {
    clearInterval(timer);
    release();
    ring.remove();
  };
}
