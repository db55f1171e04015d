// Copies the address of the view; while a view is presented, arrow keys press the links on the page.
export default function ({ data, parentElement }) {
  const find = (name) => parentElement.querySelector(name);
  const [button, box, field, said] = ["button", ".box", "input", "p"].map(find);
  const share = async () => {
    if (!box.hidden) { box.hidden = true; return; }
    box.hidden = false;
    field.value = window.location.href;
    field.select();
    let copied = true;
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      copied = document.execCommand("copy");
    }
    said.textContent = (copied ? "Copied. " : "Copy it with Ctrl-C. ") + data.without;
  };
  button.onclick = share;
  const press = (names) => names.map((name) => document.querySelector(name)).find(Boolean)?.click();
  const keys = (event) => {
    const taken = "input, textarea, select, [contenteditable=true], [role=slider], [role=radio]," +
      "[role=tab], [role=listbox], [role=combobox], [role=option], [role=application], canvas";
    const at = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey || at?.closest?.(taken)) return;
    const names = data.keys[event.key];
    if (!names) return;
    event.preventDefault();
    press(names);
  };
  document.addEventListener("keydown", keys);
  return () => document.removeEventListener("keydown", keys);
}
