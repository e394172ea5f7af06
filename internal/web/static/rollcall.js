// What pages cannot do without a script. All of them work without it.
"use strict";

// The server shows times in the reader's zone, which only the browser knows.
(function () {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = "rollcall-zone=" + encodeURIComponent(zone) + "; Path=/; Max-Age=31536000; SameSite=Lax" + secure;
  }
})();

// What has just been done is said once: loading the page again does not say it again.
(function () {
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(history.state, "", here);
  }
})();

document.addEventListener("DOMContentLoaded", function () {
  const first = document.querySelector("[data-focus]");
  if (first) {
    first.focus();
  }
});

// Addresses of views stay short: what is not asked for is not in them. An empty condition on one
// field stays, since it asks for those who have no value.
document.addEventListener("htmx:configRequest", function (event) {
  const given = event.detail.formData;
  if (event.detail.verb !== "get" || !given) {
    return;
  }
  for (const name of new Set(given.keys())) {
    if (!name.startsWith("is.") && given.getAll(name).every((value) => value === "")) {
      given.delete(name);
    }
  }
});

// A box for all boxes.
document.addEventListener("change", function (event) {
  const all = event.target;
  if (all instanceof HTMLInputElement && all.dataset.all) {
    for (const box of all.form.querySelectorAll('input[type="checkbox"][name="' + all.dataset.all + '"]')) {
      box.checked = all.checked;
    }
  }
});

// Menus close with Escape and when something else is used.
document.addEventListener("keydown", function (event) {
  if (event.key !== "Escape") {
    return;
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
for (const kind of ["click", "focusin"]) {
  document.addEventListener(kind, function (event) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) {
        menu.open = false;
      }
    }
  });
}

// A file can be dropped anywhere on its field.
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, function (event) {
    const field = event.target instanceof Element ? event.target.closest(".drop") : null;
    if (!field) {
      return;
    }
    event.preventDefault();
    field.classList.toggle("drop-over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer && event.dataTransfer.files.length > 0) {
      field.querySelector('input[type="file"]').files = event.dataTransfer.files;
    }
  });
}

// A form is sent once, however often its button is pressed, and says so if it takes a while.
document.addEventListener("submit", function (event) {
  const form = event.target;
  if (form.method !== "post") {
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  if (form.dataset.busy) {
    form.querySelector("button").textContent = form.dataset.busy;
  }
});
window.addEventListener("pageshow", function (event) {
  if (event.persisted) {
    location.reload(); // a page that was left behind shows what is there now
  }
});
