// @ts-check
// The admin's pages of knowledge: files are uploaded one by one, and every document at work tells how far it is.

const POLL_MS = 1500;
const source = /** @type {HTMLElement | null} */ (document.querySelector("[data-progress]"));
const progressUrl = source?.dataset.progress ?? "";

/** @returns {HTMLElement[]} */
const atWork = () => [...document.querySelectorAll('.live[data-live="true"]')].map((one) => /** @type {HTMLElement} */ (one));

/** Ask once for all documents that are at work, and write what is told beside each. */
async function look() {
  const rows = atWork();
  const ids = [...new Set(rows.map((row) => row.dataset.document ?? ""))].slice(0, 100);
  if (ids.length === 0) return;
  const answer = await fetch(`${progressUrl}?${new URLSearchParams(ids.map((id) => ["id", id]))}`, { credentials: "same-origin" });
  if (!answer.ok) return;
  /** @type {Record<string, {text: string, face: string, address: string, done: boolean, share: number | null}>} */
  const told = await answer.json();
  for (const row of rows) {
    const now = told[row.dataset.document ?? ""];
    if (!now) continue;
    row.textContent = now.text;
    row.dataset.face = now.face;
    row.dataset.live = String(!now.done);
    row.style.setProperty("--share", now.share === null ? "0%" : `${Math.round(now.share * 100)}%`);
    const name = row.closest("li")?.querySelector("a");
    if (name) Object.assign(name, { href: now.address, className: "text-link" });
  }
}

async function watch() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (document.visibilityState === "visible") await look().catch(() => undefined);
  }
}

/**
 * One file of the form, with everything else the form says.
 * @param {HTMLFormElement} form @param {File} file @param {HTMLElement} line
 * @returns {Promise<void>}
 */
function send(form, file, line) {
  return new Promise((resolve) => {
    const data = new FormData(form);
    data.delete("file");
    data.append("file", file);
    const request = new XMLHttpRequest();
    request.open("POST", location.href);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) line.textContent = `Uploading, ${Math.round((100 * event.loaded) / event.total)} %`;
    };
    request.onloadend = () => {
      const answer = /** @type {{id?: string, error?: string} | null} */ (request.response);
      if (request.status === 201 && answer?.id) {
        line.className = "live";
        line.dataset.live = "true";
        line.dataset.face = "at-work";
        line.dataset.document = answer.id;
        line.textContent = "Waiting";
      } else {
        line.className = "error";
        line.textContent = answer?.error?.replace(`${file.name}: `, "") ?? "The server cannot be reached.";
      }
      resolve();
    };
    request.send(data);
  });
}

/** @param {HTMLFormElement} form */
function uploads(form) {
  const list = /** @type {HTMLElement} */ (form.querySelector(".files"));
  const input = /** @type {HTMLInputElement} */ (form.querySelector('input[type="file"]'));
  const drop = /** @type {HTMLElement} */ (form.querySelector(".drop"));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer) input.files = event.dataTransfer.files;
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const files = [...(input.files ?? [])];
    input.value = "";
    for (const file of files) {
      const item = document.createElement("li");
      const name = document.createElement("a");
      const line = document.createElement("span");
      name.textContent = file.name;
      line.textContent = "Waiting for its turn";
      item.append(name, " ", line);
      list.append(item);
      await send(form, file, line);
    }
  });
}

for (const form of document.querySelectorAll("form[data-upload]")) uploads(/** @type {HTMLFormElement} */ (form));
if (progressUrl) void watch();
