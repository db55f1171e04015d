// Takes a picture from the clipboard: by Ctrl+V anywhere on the page, or by a button.
const element = (name, className, text) => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
};

const base64 = (blob) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => failed(reader.error);
  reader.readAsDataURL(blob);
});

export default function ({ data, parentElement, setTriggerValue }) {
  const box = element("div", "easel", "");
  const field = element("div", "field", "Press Ctrl+V (on a Mac ⌘V) anywhere on this page.");
  const button = element("button", "", "Paste from the clipboard");
  const said = element("div", "said", "");
  button.type = "button";
  field.tabIndex = 0;
  said.setAttribute("role", "status");
  box.append(field, button, said);
  parentElement.append(box);

  const take = async (blob) => {
    if (!blob) {
      said.textContent = "The clipboard holds no picture; copy one first.";
    } else if (blob.size > data.most) {
      said.textContent = `The picture has more than ${Math.floor(data.most / 2 ** 20)} MB; copy a smaller one.`;
    } else {
      said.textContent = "";
      setTriggerValue("pasted", await base64(blob));
    }
  };
  const pasted = (event) => {
    const within = event.composedPath()[0];
    if (within instanceof HTMLInputElement || within instanceof HTMLTextAreaElement) return;
    const files = [...(event.clipboardData?.items ?? [])].filter((one) => one.type.startsWith("image/"));
    event.preventDefault();
    take(files[0]?.getAsFile());
  };
  button.onclick = async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((one) => one.startsWith("image/"));
        if (type) return take(await item.getType(type));
      }
      take(null);
    } catch {
      said.textContent = "This browser does not give the clipboard to a button; press Ctrl+V instead.";
    }
  };
  document.addEventListener("paste", pasted);
  return () => {
    document.removeEventListener("paste", pasted);
    box.remove();
  };
}
