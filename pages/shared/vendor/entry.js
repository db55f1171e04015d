// The library, for every component that waits for it: sent once, kept by the browser.
import createScatterplot, { createRenderer } from "regl-scatterplot";

export default function () {
  globalThis.strataScatterplot = { createScatterplot, createRenderer };
  document.dispatchEvent(new Event("strata-scatterplot"));
}
