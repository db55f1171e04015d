// Lists the parts of the page, copies the address of the view, says how a file that was asked for
// fares; while a view is presented, arrow keys
// press the links on the page.
const LEAST = 3;  // a page of fewer parts needs no list of them
// The heading's own words, without the mark of its help.
const told = (heading) => (heading.firstChild?.textContent ?? "").trim();

export default function ({ data, parentElement }) {
  const find = (name) => parentElement.querySelector(name);
  const names = [".share", ".link", "input", "p", ".parts", "nav"];
  const [button, box, field, said, jump, list] = names.map(find);
  const share = async () => {
    if (!box.hidden) { box.hidden = true; return; }
    box.hidden = false;
    close();
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
  // Components have headings of their own in a shadow root, as the Lab's moving pieces.
  const headings = () => {
    const page = document.querySelector('[data-testid="stMain"]');
    if (!page) return [];
    const roots = [...page.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
      .map((one) => one.shadowRoot).filter(Boolean);
    return [page, ...roots]
      .flatMap((root) => [...root.querySelectorAll("h2, h3")])
      .filter((one) => one.offsetParent && told(one))
      .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
  };
  const close = () => { list.hidden = true; jump.setAttribute("aria-expanded", "false"); };
  const open = () => {
    const found = headings();
    // The part that is read: the last whose heading stands above the middle of the screen.
    const now = found.filter((one) => one.getBoundingClientRect().top < innerHeight / 2).pop();
    list.replaceChildren(...found.map((heading) => {
      const way = document.createElement("button");
      way.type = "button";
      way.textContent = told(heading);
      if (heading === now) way.setAttribute("aria-current", "true");
      way.onclick = () => {
        close();
        heading.tabIndex = -1;
        Object.assign(heading.style, { scrollMarginTop: "4rem", outline: "none" });
        heading.scrollIntoView({ block: "start" });
        heading.focus({ preventScroll: true });
      };
      return way;
    }));
    box.hidden = true;
    list.hidden = false;
    jump.setAttribute("aria-expanded", "true");
    (list.querySelector("[aria-current]") ?? list.firstChild)?.focus();
  };
  jump.onclick = () => (list.hidden ? open() : close());
  const steer = (event) => {
    if (event.key === "Escape") { close(); jump.focus(); }
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const ways = [...list.children], at = ways.indexOf(event.composedPath()[0]);
    ways[(at + by + ways.length) % ways.length]?.focus();
  };
  list.onkeydown = steer;
  const closeAll = () => { box.hidden = true; close(); };
  // Whatever is done elsewhere may change the address: the link in an open box would be an old one.
  const away = (event) => { if (!event.composedPath().includes(jump.parentNode)) closeAll(); };
  const LEAVING = ["pointerdown", "focusin"];
  for (const name of LEAVING) document.addEventListener(name, away);
  window.addEventListener("popstate", closeAll);
  if (parentElement.page !== data.page) closeAll();
  parentElement.page = data.page;
  let waits = 0;
  const count = () => { waits = 0; jump.hidden = headings().length < LEAST; };
  const watch = new MutationObserver(() => { waits ||= setTimeout(count, 400); });
  const main = document.querySelector('[data-testid="stMain"]');
  if (main) watch.observe(main, { childList: true, subtree: true });
  count();
  // A button for a file is disabled while the file is made, and Streamlit says no more than that.
  const made = find(".made"), kept = (parentElement.kept ??= { waiting: new Map(), gone: 0 });
  const { waiting } = kept; // a file may be ready after the page is drawn anew
  const tell = (text, stays) => {
    made.textContent = text;
    made.hidden = false;
    clearTimeout(kept.gone);
    if (!stays) kept.gone = setTimeout(() => { made.hidden = true; }, 6000);
  };
  const FILE = '[data-testid="stDownloadButton"]';
  const asked = (event) => {
    const file = event.target.closest?.(`${FILE} button`);
    if (!file || file.disabled) return;
    const words = file.querySelector('[data-testid="stMarkdownContainer"]') ?? file;
    waiting.set(file, words.textContent.trim());
    box.hidden = true;
    close();
    tell(`${waiting.get(file)}: in the making …`, true);
  };
  const settled = (changes) => {
    for (const { target } of changes) {
      if (target.disabled || !waiting.has(target)) continue;
      const name = waiting.get(target);
      waiting.delete(target);
      setTimeout(() => tell(target.closest(FILE)?.querySelector('[data-testid$="ButtonError"]')
        ? `${name}: could not be made.` : `${name}: ready, among the browser's downloads.`), 50);
    }
  };
  document.addEventListener("click", asked, true);
  const files = new MutationObserver(settled);
  files.observe(document.body, { attributes: true, attributeFilter: ["disabled"], subtree: true });
  const press = (names) => names.map((name) => document.querySelector(name)).find(Boolean)?.click();
  const keys = (event) => {
    if (event.key === "Escape" && !box.hidden) { box.hidden = true; button.focus(); return; }
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
  return () => {
    document.removeEventListener("keydown", keys);
    for (const name of LEAVING) document.removeEventListener(name, away);
    window.removeEventListener("popstate", closeAll);
    document.removeEventListener("click", asked, true);
    watch.disconnect();
    settled(files.takeRecords());
    files.disconnect();
    clearTimeout(waits);
  };
}
