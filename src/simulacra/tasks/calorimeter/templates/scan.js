"use strict";
// The slide show: one picture at a time, chosen by a slider or played; no library, no network.
(() => {
  const show = document.getElementById("slides");
  const slides = [...show.querySelectorAll("figure")];
  const slider = document.getElementById("slider");
  const name = show.querySelector("output");
  const button = document.getElementById("play");
  const PAUSE = 450;  // ms per picture
  let playing = 0;

  const turn = () => {
    const now = Number(slider.value);
    slides.forEach((slide, number) => { slide.hidden = number !== now; });
    name.textContent = slides[now].dataset.name;
  };
  const stop = () => {
    clearInterval(playing);
    playing = 0;
    button.textContent = "Play";
  };
  slider.addEventListener("input", () => { stop(); turn(); });
  button.addEventListener("click", () => {
    if (playing) { stop(); return; }
    button.textContent = "Pause";
    playing = setInterval(() => {
      slider.value = String((Number(slider.value) + 1) % slides.length);
      turn();
    }, PAUSE);
  });
  show.querySelector(".controls").hidden = false;
  turn();
})();
