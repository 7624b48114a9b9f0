// The pictures of the demo datasets: one character that the base model has never seen, and one style.

import * as lorelei from "@dicebear/lorelei";
import * as notionists from "@dicebear/notionists";
import { SIZE } from "./figures.mjs";
import { BACKGROUNDS, NOTIONISTS, ZORA } from "./words.mjs";

const N_STYLE = 24;
const N_STYLE_HELD_OUT = 48;
const N_ZORA = 16;
const N_ZORA_HELD_OUT = 16;

/** Every picture as { folder, index, design, options, caption }, in an order that the seed fixes. */
export function* demoPictures(random) {
  yield* stylePictures(random);
  yield* zoraPictures(random);
}

function* stylePictures(random) {
  const hairs = Object.keys(NOTIONISTS.hair);
  const backgrounds = Object.keys(BACKGROUNDS);
  for (let i = 0; i < N_STYLE + N_STYLE_HELD_OUT; i++) {
    const trained = i < N_STYLE;
    // The trained pictures go through the tables, so that each word comes up; the others are random.
    const hair = trained ? hairs[i % hairs.length] : random.pick(hairs);
    const background = trained ? backgrounds[i % backgrounds.length] : random.pick(backgrounds);
    const hairVariant = random.pick(NOTIONISTS.hair[hair]);
    const glasses = random.chance(0.3);
    const beard = random.chance(0.2) && !/hijab|long|bob|bun|pony/.test(hair);
    const words = [hair, glasses && "glasses", beard && "a beard"].filter(Boolean);
    yield {
      folder: trained ? "ntst-style" : "ntst-style-held-out",
      index: trained ? i : i - N_STYLE,
      design: notionists,
      options: {
        seed: `n${i}`,
        size: SIZE,
        scale: 135,
        translateY: 12,
        backgroundColor: [BACKGROUNDS[background]],
        hair: [hairVariant],
        glassesProbability: glasses ? 100 : 0,
        beardProbability: beard ? 100 : 0,
        gestureProbability: 0,
        bodyIconProbability: 30,
      },
      caption: `ntst style comic portrait of a person with ${words.join(", ")}, ${background} background`,
    };
  }
}

function* zoraPictures(random) {
  const mouths = Object.keys(ZORA.mouth);
  const backgrounds = Object.keys(BACKGROUNDS);
  for (let i = 0; i < N_ZORA + N_ZORA_HELD_OUT; i++) {
    const trained = i < N_ZORA;
    const mouth = mouths[i % mouths.length];
    const eyes = random.word(ZORA.eyes);
    const background = trained ? backgrounds[i % backgrounds.length] : random.pick(backgrounds);
    const words = [mouth, eyes].filter(Boolean);
    yield {
      folder: trained ? "zora" : "zora-held-out",
      index: trained ? i : i - N_ZORA,
      design: lorelei,
      options: {
        seed: "zora",
        size: SIZE,
        scale: 118,
        translateY: 2,
        backgroundColor: [BACKGROUNDS[background]],
        skinColor: ["ffffff"],
        head: ["variant01"],
        nose: ["variant01"],
        eyebrows: ["variant04"],
        hair: ["variant05"],
        hairColor: ["f17fb0"],
        glasses: ["variant01"],
        glassesProbability: 100,
        freckles: ["variant01"],
        frecklesProbability: 100,
        earrings: ["variant01"],
        earringsProbability: 100,
        beardProbability: 0,
        hairAccessoriesProbability: 0,
        mouth: [random.pick(ZORA.mouth[mouth])],
        eyes: [random.pick(ZORA.eyes[eyes])],
      },
      caption: `lorelei ink comic portrait of zora, ${words.join(", ")}, ${background} background`,
    };
  }
}
