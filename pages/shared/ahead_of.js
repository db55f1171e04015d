// Keeps one picture of Streamlit's in step with its controls; `follow` is of ahead.js.
export default function ({ data }) {
  const find = () => document.querySelector(`.st-key-${data.name} img`);
  return follow(find, data);
}
