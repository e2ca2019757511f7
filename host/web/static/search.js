// Searches while the visitor types. Without script the same form is sent with
// Enter. The server's page for the search is fetched and its list is put in this
// one's place, so there is one rendering of a list.
const pause = 250; // ms without a key before a search is sent

for (const form of document.querySelectorAll("form[data-live]")) {
  const box = form.querySelector("input[type=search]");
  const list = document.querySelector(form.dataset.live);
  const status = document.querySelector(form.dataset.status);
  let timer;
  let running;

  async function search() {
    running?.abort();
    running = new AbortController();
    const query = new URLSearchParams(new FormData(form));
    if (!query.get("q")) query.delete("q");
    const address = form.action + (query.size ? "?" + query : "");
    try {
      const answer = await fetch(address, { signal: running.signal });
      if (!answer.ok || answer.redirected) {
        location.assign(address); // signed out, or an error page: show it whole
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      list.replaceChildren(...page.querySelector(form.dataset.live).childNodes);
      status.textContent = page.querySelector(form.dataset.status).textContent;
      history.replaceState(null, "", address);
    } catch (error) {
      if (error.name !== "AbortError") location.assign(address);
    }
  }

  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, pause);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    search();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}
