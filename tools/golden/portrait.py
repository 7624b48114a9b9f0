"""The picture that every base model is shown to find out what it predicts (crates/diffusion/src/base/behavior.rs).

Usage: python tools/golden/portrait.py      (needs pillow)

One of the demo's pictures, 128 pixels wide and high, as bytes of red, green and blue, row by row.
"""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SIDE = 128

picture = Image.open(ROOT / "assets/demo-datasets/zora/005.png").convert("RGB")
picture = picture.resize((SIDE, SIDE), Image.BILINEAR)
(ROOT / "crates/diffusion/src/base/portrait.rgb").write_bytes(picture.tobytes())
