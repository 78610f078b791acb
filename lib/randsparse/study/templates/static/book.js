// A table that is wider than its place scrolls in a box of its own, which says so and can be reached by the keyboard.
function mark() {
  for (const box of document.querySelectorAll(".cell_output .text_html")) {
    const wide = box.scrollWidth > box.clientWidth + 1;
    box.classList.toggle("wide", wide);
    box.tabIndex = wide ? 0 : -1;
  }
}
addEventListener("load", mark);
addEventListener("resize", mark);
document.addEventListener("toggle", mark, true);
