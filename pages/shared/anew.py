"""Scripts of components that are drawn anew: what the last drawing left goes before the next.

Streamlit calls a component's script again when its data change, and what the script returned once,
when the component goes: of the drawings between, listeners and timers would stay, with old data.
"""

from __future__ import annotations

_EXPORT = "export default "
_ANEW = """
const endsOfDrawings = new WeakMap();
export default function (given) {
  const place = given.parentElement;
  endsOfDrawings.get(place)?.();
  const end = drawOnce(given);
  endsOfDrawings.set(place, end);
  return () => {
    endsOfDrawings.get(place)?.();
    endsOfDrawings.delete(place);
  };
}
"""


def anew(script: str) -> str:
    """The script of a component, whose function returns what ends a drawing."""
    before, after = script.split(_EXPORT)
    return f"{before}const drawOnce = {after}{_ANEW}"
