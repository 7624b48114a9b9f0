"""Writes loras.safetensors: one small file of every kind of LoRA, and the weight that LyCORIS or PEFT makes with it.

    python tools/golden/loras.py

A case is a prefix: `CASE/=base` is the layer's own weight, `CASE/=merged` the weight with the LoRA at strength 1, and
everything else under `CASE/` the tensors of the LoRA file as the library saves them. `CASE` in the header is PEFT's
adapter_config.json.
"""

import json
from pathlib import Path

import peft
import torch
from lycoris.modules.boft import ButterflyOFTModule
from lycoris.modules.diag_oft import DiagOFTModule
from lycoris.modules.full import FullModule
from lycoris.modules.glora import GLoRAModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn

LINEAR = "lora_unet_input_blocks_4_1_proj_in"
CONV = "lora_unet_input_blocks_1_0_in_layers_2"

# Kind, layer, options of LyCORIS.
LYCORIS = {
    "locon_linear": (LoConModule, LINEAR, dict(lora_dim=3, alpha=2)),
    "locon_conv": (LoConModule, CONV, dict(lora_dim=3, alpha=2)),
    "locon_tucker": (LoConModule, CONV, dict(lora_dim=3, alpha=2, use_tucker=True)),
    "locon_stabilized": (LoConModule, LINEAR, dict(lora_dim=3, alpha=2, rs_lora=True)),
    "dora_output": (LoConModule, LINEAR, dict(lora_dim=3, alpha=2, weight_decompose=True, wd_on_out=True)),
    "dora_input": (LoConModule, LINEAR, dict(lora_dim=3, alpha=2, weight_decompose=True, wd_on_out=False)),
    "dora_conv_output": (LoConModule, CONV, dict(lora_dim=3, alpha=2, weight_decompose=True, wd_on_out=True)),
    "dora_conv_input": (LoConModule, CONV, dict(lora_dim=3, alpha=2, weight_decompose=True, wd_on_out=False)),
    "loha_linear": (LohaModule, LINEAR, dict(lora_dim=3, alpha=2)),
    "loha_conv": (LohaModule, CONV, dict(lora_dim=3, alpha=2)),
    "loha_tucker": (LohaModule, CONV, dict(lora_dim=3, alpha=2, use_tucker=True)),
    "loha_dora": (LohaModule, LINEAR, dict(lora_dim=3, alpha=2, weight_decompose=True)),
    "lokr_half": (LokrModule, LINEAR, dict(lora_dim=1, alpha=2, factor=2)),
    "lokr_both": (LokrModule, LINEAR, dict(lora_dim=1, alpha=2, factor=4, decompose_both=True)),
    "lokr_whole": (LokrModule, LINEAR, dict(lora_dim=3, alpha=2, factor=2, full_matrix=True)),
    "lokr_conv": (LokrModule, CONV, dict(lora_dim=1, alpha=2, factor=2)),
    "lokr_tucker": (LokrModule, CONV, dict(lora_dim=1, alpha=2, factor=2, use_tucker=True)),
    "full_linear": (FullModule, LINEAR, dict(bypass_mode=False)),
    "full_conv": (FullModule, CONV, dict(bypass_mode=False)),
}

# Functions of the weight, drawn last so that the others stay as they are.
RELATIVES = {
    "glora_linear": (GLoRAModule, LINEAR, dict(lora_dim=3, alpha=2)),
    "glora_conv": (GLoRAModule, CONV, dict(lora_dim=3, alpha=2)),
    "ia3_output": (IA3Module, LINEAR, dict()),
    "ia3_input": (IA3Module, LINEAR, dict(train_on_input=True)),
    "ia3_conv_input": (IA3Module, CONV, dict(train_on_input=True)),
    "oft_linear": (DiagOFTModule, LINEAR, dict(lora_dim=4)),
    "oft_limited": (DiagOFTModule, LINEAR, dict(lora_dim=4, constraint=0.05, rescaled=True)),
    "oft_conv": (DiagOFTModule, CONV, dict(lora_dim=4)),
    "boft_linear": (ButterflyOFTModule, LINEAR, dict(lora_dim=4)),
    "boft_conv": (ButterflyOFTModule, CONV, dict(lora_dim=2, rescaled=True)),
}

# Configurations of PEFT.
PEFT = {
    "peft_lora": peft.LoraConfig(r=3, lora_alpha=2, target_modules=["proj_in"]),
    "peft_stabilized": peft.LoraConfig(r=3, lora_alpha=2, use_rslora=True, target_modules=["proj_in"]),
    "peft_dora": peft.LoraConfig(r=3, lora_alpha=2, use_dora=True, target_modules=["proj_in"]),
    "peft_loha": peft.LoHaConfig(r=3, alpha=2, target_modules=["proj_in"]),
    "peft_lokr": peft.LoKrConfig(r=1, alpha=2, decompose_factor=2, target_modules=["proj_in"]),
}


def layer(name):
    if name == LINEAR:
        return nn.Linear(12, 8)
    return nn.Conv2d(6, 8, 3, padding=1)


def weight_of(module, original):
    """The weight that a forward pass computes with: `get_merged_weight` of LoHa and LoKr scales twice."""
    if isinstance(original, nn.Linear):
        x = torch.eye(12)
        return (module(x) - module(torch.zeros_like(x))).T
    # One pixel in the middle of each channel is answered with the kernel, turned around.
    x = torch.zeros(6, 6, 3, 3)
    x[range(6), range(6), 1, 1] = 1
    return (module(x) - module(torch.zeros_like(x))).flip(2, 3).transpose(0, 1)


def randomize(module):
    for parameter in module.parameters():
        if parameter.requires_grad and parameter.dim() > 0:
            parameter.data.add_(torch.randn_like(parameter) / 4)


def nested(path, module):
    for name in reversed(path.split(".")):
        module = nn.ModuleDict({name: module})
    return module


def parts(module):
    """What LyCORIS saves of a module."""
    saved = module.custom_state_dict() or module.state_dict()
    return {part: tensor for part, tensor in saved.items() if not part.startswith("org_module")}


def lycoris(cases, tensors):
    for case, (kind, name, options) in cases.items():
        original = layer(name)
        base = original.weight.detach().clone()
        module = kind(name, original, **options)
        module.apply_to()
        randomize(module)
        merged = weight_of(module.eval(), original)
        for part, tensor in parts(module).items():
            tensors[f"{case}/{name}.{part}"] = tensor.detach().clone().float().contiguous()
        tensors[f"{case}/=base"] = base
        tensors[f"{case}/=merged"] = merged.detach().clone().contiguous()


@torch.no_grad()
def write(out):
    torch.manual_seed(0)
    tensors, metadata = {}, {}
    lycoris(LYCORIS, tensors)
    for case, config in PEFT.items():
        original = layer(LINEAR)
        base = original.weight.detach().clone()
        model = peft.get_peft_model(nested("down_blocks.1.attentions.0.proj_in", original), config)
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) / 4)
        for key, tensor in get_peft_model_state_dict(model).items():
            tensors[f"{case}/{key}"] = tensor.detach().clone().contiguous()
        tensors[f"{case}/=base"] = base
        stored = {key: value for key, value in config.to_dict().items() if isinstance(value, (int, float, bool, dict))}
        metadata[case] = json.dumps(stored)
        merged = model.merge_and_unload()
        tensors[f"{case}/=merged"] = merged["down_blocks"]["1"]["attentions"]["0"]["proj_in"].weight.detach().clone()
    lycoris(RELATIVES, tensors)
    save_file(tensors, out / "loras.safetensors", metadata)


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[2] / "crates/diffusion/tests/golden")
