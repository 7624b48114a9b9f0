"""Captions as sd-scripts draws them, with numbers in place of chance.

Takes `process_caption` out of a checkout of kohya-ss/sd-scripts and runs it on made-up captions:

    python captions.py SD_SCRIPTS/library/train_util.py > crates/dataset/src/caption/rules/golden.json

The commit that the file was made with is 48d368fa557731ad0488c07304dfeba8c07910eb.
"""

import ast
import json
import math
import random as chance
import re
import sys
import textwrap
import types


class Numbers:
    """In place of the module `random`: every draw takes the next of some numbers in [0, 1)."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.n_taken = 0

    def random(self):
        number = self.numbers[self.n_taken % len(self.numbers)]
        self.n_taken += 1
        return number

    def choice(self, items):
        return items[0] if len(items) == 1 else items[int(self.random() * len(items))]

    def shuffle(self, items):
        for last in range(len(items) - 1, 0, -1):
            other = int(self.random() * (last + 1))
            items[last], items[other] = items[other], items[last]


def process_caption(path):
    with open(path, encoding="utf-8") as file:
        source = file.read()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == "process_caption":
            return textwrap.dedent(ast.get_source_segment(source, node, padded=True))
    sys.exit(f"{path} has no process_caption")


# Hyperparameters of a recipe, by their names there, with what sd-scripts calls them.
NAMES = {
    "shuffle_tags": "shuffle_caption",
    "keep_tokens": "keep_tokens",
    "keep_tokens_separator": "keep_tokens_separator",
    "tag_separator": "caption_separator",
    "secondary_separator": "secondary_separator",
    "tag_dropout": "caption_tag_dropout_rate",
    "caption_dropout_every_n_epochs": "caption_dropout_every_n_epochs",
    "caption_prefix": "caption_prefix",
    "caption_suffix": "caption_suffix",
    "wildcards": "enable_wildcard",
    "token_warmup_min": "token_warmup_min",
    "token_warmup_steps": "token_warmup_step",
}
DEFAULTS = {
    "shuffle_tags": False,
    "keep_tokens": 0,
    "keep_tokens_separator": "",
    "tag_separator": ",",
    "secondary_separator": "",
    "tag_dropout": 0.0,
    "caption_dropout_every_n_epochs": 0,
    "caption_prefix": "",
    "caption_suffix": "",
    "wildcards": False,
    "token_warmup_min": 1,
    "token_warmup_steps": 0,
}
CAPTIONS = [
    "1girl, solo, red hair, smiling, outdoors, hat",
    "1girl ||| solo, red hair, smiling ||| best quality, highres",
    "zora ||| hat, a {red|green|blue} scarf, {{braces}}",
    "a cat; asleep; on {a|the} sofa",
    "1girl, hat+++scarf+++gloves, outdoors, {x|y} {z}, {",
    "one tag",
]


def draw_parameters(random):
    some = {}
    if random.random() < 0.6:
        some["shuffle_tags"] = True
    if random.random() < 0.5:
        some["keep_tokens"] = random.randrange(1, 4)
    if random.random() < 0.5:
        some["keep_tokens_separator"] = "|||"
    if random.random() < 0.2:
        some["tag_separator"] = ";"
    if random.random() < 0.3:
        some["secondary_separator"] = "+++"
    if random.random() < 0.4:
        some["tag_dropout"] = random.choice([0.25, 0.5])
    if random.random() < 0.1:
        some["caption_dropout_every_n_epochs"] = random.randrange(1, 4)
    if random.random() < 0.2:
        some["caption_prefix"] = "masterpiece,"
    if random.random() < 0.2:
        some["caption_suffix"] = ", ink"
    if random.random() < 0.5:
        some["wildcards"] = True
    if random.random() < 0.4:
        some["token_warmup_steps"] = 10
        some["token_warmup_min"] = random.randrange(1, 4)
    return some


def main(path):
    source = process_caption(path)
    random = chance.Random(7)
    cases = []
    for index in range(72):
        parameters = draw_parameters(random)
        caption = CAPTIONS[index % len(CAPTIONS)]
        numbers = [random.randrange(64) / 64 for _ in range(24)]
        step, epoch = random.randrange(14), random.randrange(1, 5)
        module = {"random": Numbers(numbers), "math": math, "re": re, "BaseSubset": object}
        exec(source, module)
        full = DEFAULTS | parameters
        subset = types.SimpleNamespace(
            caption_dropout_rate=0.0, **{theirs: full[ours] for ours, theirs in NAMES.items()}
        )
        dataset = types.SimpleNamespace(
            current_epoch=epoch, current_step=step, max_train_steps=100, replacements={}
        )
        said = module["process_caption"](dataset, subset, caption)
        cases.append(
            {
                "parameters": parameters,
                "caption": caption,
                "n_steps": step,
                "epoch": epoch,
                "numbers": numbers,
                "said": said,
            }
        )
    lines = ",\n".join(json.dumps(case) for case in cases)
    print(f"[\n{lines}\n]")


if __name__ == "__main__":
    main(*sys.argv[1:])
