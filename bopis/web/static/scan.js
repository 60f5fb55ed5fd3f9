// The camera as a scanner, where the browser can read codes by itself (BarcodeDetector). Without it the button stays
// hidden: typing and a keyboard-wedge scanner fill the same field.
"use strict";
const FORMATS = ["qr_code", "ean_13", "ean_8", "upc_a", "upc_e", "code_128"];
const LOOK_MS = 200;
let stream = null;

async function canScan() {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) return false;
  try {
    return (await BarcodeDetector.getSupportedFormats()).length > 0;
  } catch {
    return false;
  }
}

function showButtons() {
  canScan().then((can) => {
    for (const button of document.querySelectorAll("[data-camera]")) button.hidden = !can;
  });
}

function stop(dialog) {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  if (dialog.open) dialog.close();
}

async function look(field) {
  const dialog = document.getElementById("camera");
  const video = dialog.querySelector("video");
  const text = dialog.querySelector("[data-camera-text]");
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    await video.play();
    const supported = await BarcodeDetector.getSupportedFormats();
    const detector = new BarcodeDetector({ formats: FORMATS.filter((it) => supported.includes(it)) });
    while (stream) {
      const found = await detector.detect(video);
      if (found.length) {
        field.value = found[0].rawValue;
        stop(dialog);
        field.dispatchEvent(new Event("input", { bubbles: true }));
        if (["code", "count-code"].includes(field.id)) field.form.requestSubmit();
        else field.focus();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  } catch {
    text.textContent = "The camera cannot be used here. Type the code instead.";
    stream = null;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-camera]");
  if (button) look(document.querySelector(button.dataset.camera));
  if (event.target.closest("[data-camera-close]")) stop(document.getElementById("camera"));
});
document.getElementById("camera")?.addEventListener("close", (event) => stop(event.target));
document.addEventListener("htmx:afterSwap", showButtons);
showButtons();
