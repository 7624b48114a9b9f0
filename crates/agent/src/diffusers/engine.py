"""Computes the networks of an SDXL model with PyTorch, diffusers and transformers.

Morpheus' agent starts it and keeps it. It decides nothing: tokens, noise, timesteps, guidance, samplers and what LoRAs
add to which weight come from the agent. Each line on stdin is a request, each line on stdout its answer, in JSON;
tensors are in safetensors files that a request names. It ends when stdin does, in the middle of a step too.
"""

import sys

# Modules are looked for where Python is installed, and not in the working folder (`PYTHONSAFEPATH` needs Python 3.11).
sys.path[:] = [folder for folder in sys.path if folder]

import json
import os
import queue
import threading

END_TOKEN = 49407
# What an unforeseen error of a request means.
MEANINGS = {"load": "base_does_not_load", "change": "lora_does_not_fit"}
# Everything that a library prints goes to stderr: stdout is for answers.
ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


class Refused(Exception):
    """A request that cannot be fulfilled, with the name that the agent knows the reason by."""

    def __init__(self, kind, detail):
        super().__init__(detail)
        self.kind = kind


class Requests:
    """Reads requests while others are worked on, so that one can be cancelled."""

    def __init__(self):
        self.waiting = queue.SimpleQueue()
        self.current = None
        self.cancelled = None
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in sys.stdin:
            request = json.loads(line)
            if request["op"] == "cancel":
                self.cancelled = request["of"]
            else:
                self.waiting.put(request)
        os._exit(0)

    def next(self):
        request = self.waiting.get()
        self.current = request["id"]
        return request

    def check(self, *_):
        """A hook: PyTorch calls it with a module and its inputs before it computes the module."""
        if self.cancelled == self.current:
            raise Refused("cancelled", "cancelled")


class Engine:
    def __init__(self, requests):
        import diffusers
        import safetensors.torch
        import torch
        import transformers

        self.requests = requests
        self.torch, self.diffusers, self.transformers = torch, diffusers, transformers
        self.files = safetensors.torch
        if torch.cuda.is_available():
            self.device, self.dtype = torch.device("cuda"), torch.float16
        elif torch.backends.mps.is_available():
            self.device, self.dtype = torch.device("mps"), torch.float16
        else:
            self.device, self.dtype = torch.device("cpu"), torch.float32
        torch.set_grad_enabled(False)
        self.unload({})

    def hello(self, _):
        torch = self.torch
        device, memory = self.device.type, None
        if device == "cuda":
            device, memory = torch.cuda.get_device_name(0), torch.cuda.mem_get_info(0)[1]
        return {
            "torch": torch.__version__,
            "diffusers": self.diffusers.__version__,
            "transformers": self.transformers.__version__,
            "device": device,
            "dtype": str(self.dtype).removeprefix("torch."),
            "memory_bytes": memory,
        }

    def unload(self, _):
        self.parts, self.places, self.changed = {}, {}, set()
        self.free()
        return {}

    def free(self):
        if self.device.type == "cuda":
            self.torch.cuda.empty_cache()
        elif self.device.type == "mps":
            self.torch.mps.empty_cache()

    def load(self, request):
        """Builds each network of its sizes and fills it from the files: a name, its file, its name there, and how."""
        self.unload({})
        torch = self.torch
        build = {
            "unet": self.diffusers.UNet2DConditionModel,
            "text_encoder": self.text_encoder,
            "text_encoder_2": self.text_encoder,
            "vae": self.diffusers.AutoencoderKL,
        }
        for part, described in request["parts"].items():
            self.places[part] = described["weights"]
            # SDXL's own VAE overflows in half precision.
            dtype = torch.float32 if part == "vae" else self.dtype
            with torch.device("meta"):
                network = build[part](**described["config"])
            needed = {name: tensor.shape for name, tensor in network.state_dict().items()}
            weights = {}
            for name, shape in needed.items():
                if name not in self.places[part]:
                    raise Refused("base_does_not_load", f"{part} has no place for `{name}`")
                weights[name] = self.stored(part, name, shape).to(self.device, dtype)
            network.load_state_dict(weights, assign=True)
            if part.startswith("text_encoder"):
                positions = torch.arange(77, device=self.device).expand((1, -1))
                network.text_model.embeddings.register_buffer("position_ids", positions, persistent=False)
            self.parts[part] = network.eval()
        unet = self.parts["unet"]
        # The agent embeds the sizes of the picture.
        unet.add_time_proj = torch.nn.Identity()
        for block in [*unet.down_blocks, unet.mid_block, *unet.up_blocks]:
            for module in [*block.resnets, *(getattr(block, "attentions", None) or [])]:
                module.register_forward_pre_hook(self.requests.check)
        return {}

    def text_encoder(self, projection_dim, **config):
        config["projection_dim"] = projection_dim or config["hidden_size"]
        config = self.transformers.CLIPTextConfig(eos_token_id=END_TOKEN, **config)
        network = self.transformers.CLIPTextModelWithProjection(config)
        if projection_dim is None:
            network.text_model.final_layer_norm = network.text_projection = self.torch.nn.Identity()
        return network

    def stored(self, part, name, shape):
        """A weight of the base model, as its file has it."""
        file, key, how = self.places[part][name]
        with self.files.safe_open(file, framework="pt") as opened:
            tensor = opened.get_tensor(key)
        if how == "transposed":
            tensor = tensor.T
        elif isinstance(how, int):
            tensor = tensor.chunk(3)[how]
        if tensor.numel() != shape.numel():
            wrong = f"`{key}` of `{file}` has shape {list(tensor.shape)}, {part} needs {list(shape)}"
            raise Refused("base_does_not_load", wrong)
        return tensor.reshape(shape).contiguous()

    def restore(self, _):
        """Undoes what LoRAs have changed, to the bit: the weights are read again."""
        for part, name in sorted(self.changed):
            weight = self.parts[part].get_parameter(name)
            weight.copy_(self.stored(part, name, weight.shape))
        self.changed = set()
        return {}

    def change(self, request):
        """Changes weights in f32 and rounds them once: a whole weight in place of the base's, products added to it."""
        with self.files.safe_open(request["file"], framework="pt") as opened:
            for change in request["changes"]:
                part, name = change["part"], change["name"]
                try:
                    weight = self.parts[part].get_parameter(name)
                except AttributeError:
                    raise Refused("lora_does_not_fit", f"{part} has no weight `{name}`") from None

                def read(key, device=weight.device):
                    return opened.get_tensor(key).to(device, self.torch.float32)

                whole = change["instead"]
                new = weight.float().clone() if whole is None else read(whole).reshape(weight.shape)
                for down, up, scale in change["products"]:
                    new += (scale * (read(up) @ read(down))).reshape(weight.shape)
                new = new.to(weight.dtype)
                if not new.isfinite().all():
                    raise Refused("lora_does_not_fit", f"`{name}` of {part} is too large for {weight.dtype}")
                self.changed.add((part, name))
                weight.copy_(new)
        return {}

    def encode(self, request):
        """Hidden states of the last layer but one, and the projection at the first end token."""
        network = self.here(request["part"])
        ids = self.torch.tensor(request["ids"], device=self.device)
        table = network.text_model.embeddings.token_embedding
        weight = table.weight
        if request["own"]:
            # Tokens behind CLIP's are words that LoRAs bring along.
            own = self.read(request, weight.dtype)["own"]
            both = self.torch.cat([weight[: END_TOKEN + 1], own])
            table.weight = self.torch.nn.Parameter(both, requires_grad=False)
        try:
            said = network(ids, output_hidden_states=True)
        finally:
            table.weight = weight
        self.write(request, hidden=said.hidden_states[-2], pooled=said.text_embeds)
        self.make_room(request, request["part"])
        return {}

    def predict(self, request):
        """What the U-Net says of the same latents to each of the conditionings."""
        given = self.read(request)
        unet = self.here("unet")
        if request["thrift"] >= 2:
            unet.set_attention_slice("max")
        n = len(given["latents"])
        context, vector = given["context"], given["vector"]
        at_once = n if request["thrift"] >= 1 else len(context)
        answers = []
        for start in range(0, len(context), at_once):
            self.requests.check()
            some = slice(start, start + at_once)
            width = vector.shape[1] - 6 * 256
            latents = given["latents"].repeat(at_once // n, 1, 1, 1)
            timestep = self.torch.full((at_once,), request["timestep"], device=self.device)
            told = {"text_embeds": vector[some, :width], "time_ids": vector[some, width:]}
            answers += unet(latents, timestep, context[some], added_cond_kwargs=told, return_dict=False)
        self.write(request, answers=self.torch.cat(answers))
        return {}

    def decode(self, request):
        """Pixels in [-1, 1] of latents as the U-Net sees them."""
        latents = self.read(request, self.torch.float32)["latents"]
        vae = self.here("vae")
        if request["thrift"] >= 1:
            vae.enable_tiling()
        pictures = [vae.decode(one / vae.config.scaling_factor, return_dict=False)[0] for one in latents.split(1)]
        self.write(request, pictures=self.torch.cat(pictures))
        self.make_room(request, "vae")
        return {}

    def here(self, part):
        return self.parts[part].to(self.device)

    def make_room(self, request, part):
        if request["thrift"] >= 3:
            self.parts[part].to("cpu")
            self.free()

    def read(self, request, dtype=None):
        tensors = self.files.load_file(request["file"])
        return {name: tensor.to(self.device, dtype or self.dtype) for name, tensor in tensors.items()}

    def write(self, request, **tensors):
        tensors = {name: tensor.to("cpu", self.torch.float32).contiguous() for name, tensor in tensors.items()}
        self.files.save_file(tensors, request["answer"])

    def is_out_of_memory(self, err):
        kinds = (MemoryError, self.torch.cuda.OutOfMemoryError)
        words = ("out of memory", "can't allocate memory", "not enough memory")
        return isinstance(err, kinds) or (isinstance(err, RuntimeError) and any(word in str(err) for word in words))


def main():
    requests = Requests()
    engine = None
    while True:
        request = requests.next()
        try:
            engine = engine or Engine(requests)
            answer = getattr(engine, request["op"])(request)
        except Refused as err:
            answer = {"error": err.kind, "detail": str(err)}
        except ImportError as err:
            answer = {"error": "missing_module", "detail": str(err)}
        except Exception as err:
            kind = MEANINGS.get(request["op"], "internal")
            if engine is not None and engine.is_out_of_memory(err):
                kind = "out_of_memory"
                err.__traceback__ = None
                engine.free()
            else:
                import traceback

                traceback.print_exc()
            answer = {"error": kind, "detail": f"{type(err).__name__}: {err}"}
        ANSWERS.write(json.dumps({"id": request["id"], **answer}) + "\n")
        ANSWERS.flush()


main()
