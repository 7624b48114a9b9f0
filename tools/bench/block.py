"""A base model that is one block of SDXL, for both sides to train, and what memory a program takes at most."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

CHANNELS = 640
SIDE = 32
RANK = 16

# SDXL's second level: 640 channels, heads of 64, two transformer blocks. A U-Net cannot have fewer blocks around it:
# one residual block on the way down and two on the way up.
SIZES = {
    "block_out_channels": [CHANNELS],
    "down_block_types": ["DownBlock2D"],
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "up_block_types": ["UpBlock2D"],
    "layers_per_block": 1,
    "transformer_layers_per_block": [2],
    "attention_head_dim": [CHANNELS // 64],
    "norm_num_groups": 32,
    "sample_size": SIDE,
}


def write_base(tiny: Path, folder: Path) -> None:
    """Writes a base with random weights into a folder: `tiny` with another U-Net."""
    shutil.copytree(tiny, folder, dirs_exist_ok=True, ignore=lambda _, names: {"unet"} & set(names))
    of_tiny = json.loads((tiny / "unet/config.json").read_text())
    torch.manual_seed(0)
    UNet2DConditionModel.from_config({**of_tiny, **SIZES}).save_pretrained(folder / "unet")


def peak_mb(command: list[str], *, announces: bool = False) -> float:
    """The most megabytes that a command held at once, without pages of files, which the system can drop at any time.

    One that announces itself says `idle` with the kilobytes that its libraries take, which do not count, and then
    `ready`, from where on it is watched.
    """
    idle = peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if announces:
            for line in process.stdout:
                word, _, number = line.strip().partition(" ")
                if word == "idle":
                    idle = int(number)
                if word == "ready":
                    break
        while process.poll() is None:
            peak = max(peak, anonymous_kb(process.pid))
            time.sleep(0.005)
    if process.returncode or peak <= idle:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}, after {peak} kB were seen")
    return (peak - idle) * 1024 / 1e6


def anonymous_kb(process: int | str) -> int:
    """Kilobytes in memory that belong to no file; 0 of a process that has ended."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0
