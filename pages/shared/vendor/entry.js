// The library, for every component that waits for it: sent once, kept by the browser.
import createScatterplot from "regl-scatterplot";

export default function () {
  globalThis.strataScatterplot = { createScatterplot };
  document.dispatchEvent(new Event("strata-scatterplot"));
}
