// A command of the command line, whole at any width, with a button that copies it.
export default function ({ data, parentElement }) {
  const [words, button, said] = ["code", "button", "output"].map((name) => parentElement.querySelector(name));
  words.textContent = data.words;
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(data.words);
      said.textContent = "Copied";
    } catch { // a page without https: the words are marked, so that Ctrl-C takes them
      getSelection().selectAllChildren(words);
      said.textContent = "Ctrl-C copies it";
    }
  };
}
