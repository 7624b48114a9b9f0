// Renders pictures with captions.
//
//   node render.mjs train OUT [--smoke]   26,000 pictures for the base model: OUT/pictures.bin (128×128 RGB, one
//                                         after the other) and OUT/captions.json (two captions for each)
//   node render.mjs demo OUT              the demo datasets: OUT/<name>/000.png with 000.txt beside it

import fs from "node:fs";
import path from "node:path";
import { createAvatar } from "@dicebear/core";
import { Resvg } from "@resvg/resvg-js";
import { demoPictures } from "./demo_datasets.mjs";
import { caption, loreleiFigure, openPeepsFigure, pixelArtFigure, SIZE } from "./figures.mjs";
import { Random } from "./random.mjs";

const N_PICTURES = 26_000;
const N_SMOKE = 48;
const TRAIN_SEED = 1;
const DEMO_SEED = 12345;

function renderTrain(out, nPictures) {
  const random = new Random(TRAIN_SEED);
  fs.mkdirSync(out, { recursive: true });
  const file = fs.openSync(path.join(out, "pictures.bin"), "w");
  const captions = [];
  for (let i = 0; i < nPictures; i++) {
    const share = random.next();
    const figure =
      share < 0.4 ? loreleiFigure(random) : share < 0.8 ? openPeepsFigure(random) : pixelArtFigure(random);
    fs.writeSync(file, rgb(figure.design, figure.options));
    captions.push([caption(figure, random), caption(figure, random)]);
    if ((i + 1) % 1000 === 0) {
      console.log(`${i + 1} of ${nPictures} pictures`);
    }
  }
  fs.closeSync(file);
  fs.writeFileSync(path.join(out, "captions.json"), JSON.stringify(captions));
}

function renderDemo(out) {
  for (const { folder, index, design, options, caption } of demoPictures(new Random(DEMO_SEED))) {
    const stem = path.join(out, folder, String(index).padStart(3, "0"));
    fs.mkdirSync(path.dirname(stem), { recursive: true });
    fs.writeFileSync(`${stem}.png`, render(design, options).asPng());
    fs.writeFileSync(`${stem}.txt`, caption);
  }
}

function render(design, options) {
  return new Resvg(createAvatar(design, options).toString()).render();
}

/** The pixels without their alpha, which is opaque everywhere. */
function rgb(design, options) {
  const { pixels } = render(design, options);
  const out = Buffer.alloc(SIZE * SIZE * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    out[to] = pixels[from];
    out[to + 1] = pixels[from + 1];
    out[to + 2] = pixels[from + 2];
  }
  return out;
}

const [what, out, flag] = process.argv.slice(2);
if (what === "train" && out && (flag === undefined || flag === "--smoke")) {
  renderTrain(out, flag === "--smoke" ? N_SMOKE : N_PICTURES);
} else if (what === "demo" && out && flag === undefined) {
  renderDemo(out);
} else {
  console.error("usage: node render.mjs train OUT [--smoke] | node render.mjs demo OUT");
  process.exit(2);
}
