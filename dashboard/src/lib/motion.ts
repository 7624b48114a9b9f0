// Whether things may move: the style sheet stops its own animations, and scripts ask here.

/** Scripts that scroll smoothly would do so whatever the style sheet says. */
export function scrollBehavior(): ScrollBehavior {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
}
