"""Checks what setup.sh has installed: the training script loads, the optimizers' packages are there, and both tokenizers
number words as CLIP does.

Usage: check.py FOLDER
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

# Numbers that OpenAI's own tokenizer gives.
TEXT = "A photo of zkx style, a cat"
IDS = [49406, 320, 1125, 539, 89, 46442, 1844, 267, 320, 2368, 49407]
# What pads: the end's mark for the first text encoder, 0 for the second.
PADDING = (49407, 0)
N_IDS = 77
# Packages of optimizers: sd-scripts imports one when a training names it, and so late that it is no longer cheap.
OPTIMIZERS = ("bitsandbytes", "lion_pytorch", "prodigyopt", "prodigyplus", "pytorch_optimizer", "schedulefree")


def main(folder: Path) -> None:
    scripts = folder / "sd-scripts"
    # Imports everything that a training imports, and ends.
    command = [sys.executable, "sdxl_train_network.py", "--help"]
    shown = subprocess.run(command, cwd=scripts, capture_output=True, text=True)
    if shown.returncode != 0 or "--tokenizer_cache_dir" not in shown.stdout:
        sys.exit(f"sdxl_train_network.py does not load:\n{shown.stderr}")

    absent = [name for name in OPTIMIZERS if importlib.util.find_spec(name) is None]
    if absent:
        sys.exit(f"packages of optimizers are missing: {', '.join(absent)}")

    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.path.insert(0, str(scripts))
    from library.strategy_sdxl import SdxlTokenizeStrategy

    both = SdxlTokenizeStrategy(None, str(folder / "tokenizers")).tokenize(TEXT)
    for ids, padding in zip(both, PADDING, strict=True):
        wanted = IDS + [padding] * (N_IDS - len(IDS))
        if ids.flatten().tolist() != wanted:
            sys.exit(f"a tokenizer numbers `{TEXT}` as {ids.flatten().tolist()}, and not {wanted}")

    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "the processor alone"
    print(f"sdxl_train_network.py loads, both tokenizers are right, torch {torch.__version__} sees {device}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
