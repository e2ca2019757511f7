// For forms that take work to fill in: leaving with unsaved changes asks first,
// Ctrl+Enter saves, saving twice saves once, and after an error the summary has
// the focus.
for (const form of document.querySelectorAll("form[data-guard]")) {
  const before = JSON.stringify([...new FormData(form)]);
  let saving = false;
  form.addEventListener("submit", (event) => {
    if (saving) event.preventDefault();
    saving = true;
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  addEventListener("beforeunload", (event) => {
    if (!saving && JSON.stringify([...new FormData(form)]) !== before) event.preventDefault();
  });
  addEventListener("pageshow", () => { saving = false; });
}
document.querySelector(".form-summary[tabindex]")?.focus();
