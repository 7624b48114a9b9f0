"""Builds a program of ours and says where it is."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(*selection: str) -> str:
    """The program that `cargo build` makes of this selection: `--package P --example E`, say."""
    command = ["cargo", "build", "--quiet", *selection, "--message-format", "json-render-diagnostics"]
    finished = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    messages = [json.loads(line) for line in finished.stdout.splitlines()]
    programs = [message["executable"] for message in messages if message.get("executable")]
    return programs[-1]
