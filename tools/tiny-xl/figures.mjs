// One random figure of each design: the options that draw it and the words that describe it.
//
// A figure is { design, options, style, hair, attributes, background }.

import * as lorelei from "@dicebear/lorelei";
import * as openPeeps from "@dicebear/open-peeps";
import * as pixelArt from "@dicebear/pixel-art";
import { BACKGROUNDS, LORELEI, OPEN_PEEPS, PIXEL_ART } from "./words.mjs";

export const SIZE = 128;

/** Switches an optional part on, or off when no value is given. */
function optional(part, value) {
  return value === undefined
    ? { [`${part}Probability`]: 0 }
    : { [`${part}Probability`]: 100, [part]: value };
}

export function loreleiFigure(random) {
  const background = random.word(BACKGROUNDS);
  const hair = random.word(LORELEI.hair);
  const hairColor = random.chance(0.5) ? "black" : random.word(LORELEI.hairColor);
  const mouth = random.word(LORELEI.mouth);
  const eyes = random.word(LORELEI.eyes);
  const glasses = random.chance(0.4) ? random.word(LORELEI.glasses) : undefined;
  const beard = random.chance(0.15);
  const earrings = random.chance(0.12);
  const freckles = random.chance(0.1);
  const flowers = random.chance(0.12);
  const options = {
    // The design is drawn a little larger and lower, so that the face fills the picture.
    scale: 118,
    translateY: 2,
    skinColor: ["ffffff"],
    hair: [random.pick(LORELEI.hair[hair])],
    hairColor: [LORELEI.hairColor[hairColor]],
    mouth: [random.pick(LORELEI.mouth[mouth])],
    eyes: [random.pick(LORELEI.eyes[eyes])],
    ...optional("glasses", glasses && [random.pick(LORELEI.glasses[glasses])]),
    beardProbability: beard ? 100 : 0,
    earringsProbability: earrings ? 100 : 0,
    frecklesProbability: freckles ? 100 : 0,
    hairAccessoriesProbability: flowers ? 100 : 0,
  };
  return {
    design: lorelei,
    options: { ...common(random, background), ...options },
    style: "lorelei ink comic portrait",
    hair: hair === "bald head" ? hair : `${hairColor} ${hair}`,
    attributes: [
      glasses,
      beard && "a beard",
      earrings && "earrings",
      freckles && "freckles",
      flowers && "flowers in the hair",
      mouth,
      eyes,
    ].filter(Boolean),
    background,
  };
}

export function openPeepsFigure(random) {
  const background = random.word(BACKGROUNDS);
  const head = random.word(OPEN_PEEPS.head);
  const face = random.word(OPEN_PEEPS.face);
  const shirt = random.word(OPEN_PEEPS.clothingColor);
  const skin = random.word(OPEN_PEEPS.skinColor);
  const glasses = random.chance(0.35) ? random.word(OPEN_PEEPS.accessories) : undefined;
  const beard = random.chance(0.2) ? random.word(OPEN_PEEPS.facialHair) : undefined;
  const mask = random.chance(0.04);
  const options = {
    head: [random.pick(OPEN_PEEPS.head[head])],
    face: [random.pick(OPEN_PEEPS.face[face])],
    clothingColor: [OPEN_PEEPS.clothingColor[shirt]],
    skinColor: [OPEN_PEEPS.skinColor[skin]],
    ...optional("accessories", glasses && [random.pick(OPEN_PEEPS.accessories[glasses])]),
    ...optional("facialHair", beard && [random.pick(OPEN_PEEPS.facialHair[beard])]),
    ...optional("mask", mask ? ["medicalMask"] : undefined),
  };
  return {
    design: openPeeps,
    options: { ...common(random, background), ...options },
    style: "open peeps comic portrait",
    hair: head,
    attributes: [glasses, beard, mask && "a face mask", face, `${skin} skin`, `${shirt} shirt`].filter(
      Boolean,
    ),
    background,
  };
}

export function pixelArtFigure(random) {
  const background = random.word(BACKGROUNDS);
  const hair = random.word(PIXEL_ART.hair);
  const hairColor = random.word(PIXEL_ART.hairColor);
  const mouth = random.chance(0.6) ? "smiling" : "frowning";
  const shirt = random.word(PIXEL_ART.clothingColor);
  const skin = random.word(PIXEL_ART.skinColor);
  const glasses = random.chance(0.3) ? random.word(PIXEL_ART.glasses) : undefined;
  const beard = random.chance(0.15);
  const hat = random.chance(0.15) ? random.word(PIXEL_ART.hat) : undefined;
  const hatColor = hat && random.word(PIXEL_ART.hatColor);
  const options = {
    hair: [random.pick(PIXEL_ART.hair[hair])],
    hairColor: [PIXEL_ART.hairColor[hairColor]],
    mouth: [random.pick(PIXEL_ART.mouth[mouth])],
    clothingColor: [PIXEL_ART.clothingColor[shirt]],
    skinColor: [PIXEL_ART.skinColor[skin]],
    accessoriesProbability: 0,
    beardProbability: beard ? 100 : 0,
    ...optional("glasses", glasses && [random.pick(PIXEL_ART.glasses[glasses])]),
    ...optional("hat", hat && [random.pick(PIXEL_ART.hat[hat])]),
    ...(hat && { hatColor: [PIXEL_ART.hatColor[hatColor]] }),
  };
  return {
    design: pixelArt,
    options: { ...common(random, background), ...options },
    style: "pixel art portrait",
    hair: `${hairColor} ${hair}`,
    attributes: [
      glasses,
      beard && "a beard",
      hat && `a ${hatColor} ${hat}`,
      mouth,
      `${skin} skin`,
      `${shirt} shirt`,
    ].filter(Boolean),
    background,
  };
}

/** Options that every design has; the seed decides on the parts that nothing here names. */
function common(random, background) {
  return {
    seed: `s${Math.floor(random.next() * 1e9)}`,
    size: SIZE,
    flip: false,
    backgroundColor: [BACKGROUNDS[background]],
  };
}

/** A caption that names most of what is there, in varying order, so that every word is learned by itself. */
export function caption({ style, hair, attributes, background }, random) {
  let named = attributes.filter(() => !random.chance(0.07));
  if (random.chance(0.25)) {
    named = random.shuffle(named);
  }
  if (!random.chance(0.05)) {
    named = [hair, ...named];
  }
  const described = named.length > 0 ? ` with ${named.join(", ")}` : "";
  const ending = random.chance(0.05) ? "" : `, ${background} background`;
  return `${style} of a person${described}${ending}`;
}
