// Moves the threshold in the charts of densities as its slider moves; the redraw brings the rest.
// Plotly's own way to move a line draws the whole chart anew, so what it has drawn is moved.
const BAND = /^M[^,]+,([^H]+)H[^V]+V([^H]+)H[^Z]+Z$/;
const LINE = /^M[^,]+,([^L]+)L[^,]+,(.+)$/;

const move = (chart, at, high) => {
  const axis = chart._fullLayout?.xaxis;
  const [band, line] = chart.querySelectorAll(".shapelayer path");
  const stood = chart.layout?.shapes?.[1]?.x0;
  if (!axis?.l2p || !line || stood === undefined) return;
  const x = (value) => Math.round(100 * (axis._offset + axis.l2p(value))) / 100;
  const ends = band.getAttribute("d").match(BAND);
  const tips = line.getAttribute("d").match(LINE);
  if (!ends || !tips) return;
  band.setAttribute("d", `M${x(at)},${ends[1]}H${x(Math.max(at, high))}V${ends[2]}H${x(at)}Z`);
  line.setAttribute("d", `M${x(at)},${tips[1]}L${x(at)},${tips[2]}`);
  chart.querySelector(".annotation")?.setAttribute("transform", `translate(${x(at) - x(stood)},0)`);
};

export default function ({ data }) {
  let moved = said(data.control);
  const follow = () => {
    const value = said(data.control);
    if (value === undefined || value === moved) return;
    moved = value;
    for (const { plot, thresholds, high } of data.charts) {
      const chart = document.querySelector(`.st-key-${plot} .js-plotly-plot`);
      const at = thresholds === null ? value : thresholds[value];
      if (chart && typeof at === "number") move(chart, at, high);
    }
  };
  const observer = new MutationObserver(follow);
  const slider = place(data.control);
  if (slider) observer.observe(slider, { subtree: true, childList: true, characterData: true, attributes: true });
  return () => observer.disconnect();
}
