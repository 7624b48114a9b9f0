"""Writes kinds.safetensors: forward passes and gradients of LyCORIS' kinds of LoRA, for the tests of `trainer`.

    python tools/golden/kinds.py

A case is a prefix: `CASE/=x`, `=y`, `=dy` and `=dx` are the layer's input, its result with the module, and their
gradients, pictures with the channel last; `=weight` and `=bias` the layer's own; `CASE/NAME` a tensor of the LoRA file as
LyCORIS saves it, and `CASE/grad.NAME` its gradient. The header says each case's rank and alpha.
"""

import json
from pathlib import Path

import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from safetensors.torch import save_file
from torch import nn

OUT = Path(__file__).resolve().parents[2] / "crates/trainer/tests/golden/kinds.safetensors"
NAME = "lora_unet_layer"
DORA = dict(weight_decompose=True, wd_on_out=True)

# Kind, layer, options.
CASES = {
    "lora": (LoConModule, "linear", dict(lora_dim=3, alpha=2)),
    "lora_conv": (LoConModule, "conv", dict(lora_dim=3, alpha=2)),
    "lora_halve": (LoConModule, "halve", dict(lora_dim=3, alpha=2)),
    "lora_pointwise": (LoConModule, "pointwise", dict(lora_dim=3, alpha=2)),
    "dora": (LoConModule, "linear", dict(lora_dim=3, alpha=2, **DORA)),
    "dora_conv": (LoConModule, "conv", dict(lora_dim=3, alpha=2, **DORA)),
    "loha": (LohaModule, "linear", dict(lora_dim=3, alpha=2)),
    "loha_conv": (LohaModule, "halve", dict(lora_dim=3, alpha=2)),
    "lokr": (LokrModule, "linear", dict(lora_dim=1, alpha=2, factor=2)),
    "lokr_whole": (LokrModule, "linear", dict(lora_dim=8, alpha=2, factor=4)),
    "lokr_conv": (LokrModule, "conv", dict(lora_dim=1, alpha=2, factor=2)),
    "lokr_conv_whole": (LokrModule, "halve", dict(lora_dim=8, alpha=2, factor=2)),
    "lokr_pointwise": (LokrModule, "pointwise", dict(lora_dim=1, alpha=2, factor=-1)),
}


def layer(kind):
    if kind == "linear":
        return nn.Linear(12, 8), torch.randn(2, 5, 12)
    options = {
        "conv": dict(kernel_size=3, padding=1),
        "halve": dict(kernel_size=3, padding=1, stride=2),
        "pointwise": dict(kernel_size=1),
    }
    return nn.Conv2d(6, 8, **options[kind]), torch.randn(2, 6, 5, 4)


def channels_last(tensor):
    return (tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor).detach().clone().contiguous()


def main():
    torch.manual_seed(0)
    tensors, header = {}, {}
    for case, (kind, place, options) in CASES.items():
        original, x = layer(place)
        tensors[f"{case}/=weight"] = original.weight.detach().clone()
        tensors[f"{case}/=bias"] = original.bias.detach().clone()
        module = kind(NAME, original, **options)
        module.apply_to()
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.data.add_(torch.randn_like(parameter) / 4)
        x.requires_grad_(True)
        y = module(x)
        dy = torch.randn_like(y)
        y.backward(dy)
        for name, tensor in {"x": x, "y": y, "dy": dy, "dx": x.grad}.items():
            tensors[f"{case}/={name}"] = channels_last(tensor)
        parameters = dict(module.named_parameters())
        for name, tensor in module.custom_state_dict().items():
            tensors[f"{case}/{NAME}.{name}"] = tensor.detach().clone().contiguous()
            if name in parameters:
                tensors[f"{case}/grad.{NAME}.{name}"] = parameters[name].grad.clone().contiguous()
        header[case] = json.dumps({"layer": place, **{key: options[key] for key in ("lora_dim", "alpha")}})
    save_file(tensors, OUT, header)


if __name__ == "__main__":
    main()
