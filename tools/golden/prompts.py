"""Golden pictures of tiny-xl for prompts that are more than one chunk of 75 tokens without emphasis.

diffusers encodes no such prompt, so the embeddings are computed here from its models: each chunk by itself, the hidden
states of all chunks behind each other, the pooled output of the first. Prompts are written as segments with weights, so
that nothing here parses the language that the tests check.

compel gives the same hidden states for one chunk whose emphasis is 1 or more; it blends anew what is less, and cuts long
prompts elsewhere. sd_embed gives the same for chunks without emphasis; it multiplies emphasized states themselves, and
pools the last chunk.
"""

import torch
from compel import Compel, ReturnedEmbeddingsType
from diffusers import EulerDiscreteScheduler
from safetensors.torch import save_file

import pictures

TEXT = 75
WORDS = "open peeps comic portrait of a person with short hair, glasses, smiling, green background, "
# 13 times 18 tokens, without the last comma.
LONG = (WORDS * 13).rstrip(", ")
CASES = {
    # name: (prompt, negative); a list of segments (text, weight), or None where chunks are broken.
    "long": ([(LONG, 1.0)], None),
    "long_negative": ([(LONG, 1.0)], [("hat, beard", 1.0)]),
    "negative_is_longer": ([("comic portrait, glasses", 1.0)], [(LONG, 1.0)]),
    "emphasis": (
        [("comic portrait of a ", 1.0), ("person", 1.1), (" with ", 1.0), ("glasses", 1.5), (", ", 1.0), ("hat", 1 / 1.1)],
        [("beard", 1.3)],
    ),
    "break": ([("comic portrait", 1.0), None, ("green background", 1.4)], [("", 1.0)]),
    "long_emphasis": ([(WORDS, 1.2), (LONG, 1.0), (" blue hat", 0.5)], [("hat, beard", 1.0)]),
}


def chunks_of(tokenizer, segments):
    """Chunks of at most 75 (token, weight)."""
    chunks = [[]]
    for segment in segments:
        if segment is None:
            chunks.append([])
            continue
        text, weight = segment
        for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
            if len(chunks[-1]) == TEXT:
                chunks.append([])
            chunks[-1].append((token, weight))
    return chunks


@torch.no_grad()
def encode(tokenizer, encoder, pad, chunks):
    """Hidden states [1, 77 n, width] with ComfyUI's emphasis, and the pooled output of the first chunk if there is one."""

    def run(tokens):
        row = [tokenizer.bos_token_id, *tokens, tokenizer.eos_token_id]
        row += [pad] * (TEXT + 2 - len(row))
        return encoder(torch.tensor([row]), output_hidden_states=True)

    empty = run([]).hidden_states[-2]
    outputs, pooled = [], None
    for chunk in chunks:
        output = run([token for token, _ in chunk])
        hidden = output.hidden_states[-2].clone()
        for i, (_, weight) in enumerate(chunk, start=1):
            hidden[0, i] = empty[0, i] + (hidden[0, i] - empty[0, i]) * weight
        outputs.append(hidden)
        if pooled is None:
            pooled = getattr(output, "text_embeds", None)
    return torch.cat(outputs, dim=1), pooled


def embeddings(pipeline, segments, n_chunks):
    chunks = chunks_of(pipeline.tokenizer, segments)
    chunks += [[]] * (n_chunks - len(chunks))
    first, _ = encode(pipeline.tokenizer, pipeline.text_encoder, pipeline.tokenizer.pad_token_id, chunks)
    second, pooled = encode(pipeline.tokenizer_2, pipeline.text_encoder_2, pipeline.tokenizer_2.pad_token_id, chunks)
    return torch.cat([first, second], dim=-1), pooled


def arguments(pipeline, prompt, negative):
    n = max(len(chunks_of(pipeline.tokenizer, segments)) for segments in (prompt, negative or [("", 1.0)]))
    embeds, pooled = embeddings(pipeline, prompt, n)
    if negative is None:
        # `force_zeros_for_empty_prompt` of SDXL's pipeline.
        negative_embeds, negative_pooled = torch.zeros_like(embeds), torch.zeros_like(pooled)
    else:
        negative_embeds, negative_pooled = embeddings(pipeline, negative, n)
    return dict(
        prompt=None,
        prompt_embeds=embeds,
        pooled_prompt_embeds=pooled,
        negative_prompt_embeds=negative_embeds,
        negative_pooled_prompt_embeds=negative_pooled,
    )


@torch.no_grad()
def check_against_compel(pipeline):
    compel = Compel(
        tokenizer=[pipeline.tokenizer, pipeline.tokenizer_2],
        text_encoder=[pipeline.text_encoder, pipeline.text_encoder_2],
        returned_embeddings_type=ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED,
        requires_pooled=[False, True],
    )
    theirs, _ = compel("comic portrait of a (person)1.1 with (glasses)1.5, hat")
    segments = [("comic portrait of a ", 1.0), ("person", 1.1), (" with ", 1.0), ("glasses", 1.5), (", hat", 1.0)]
    ours, _ = embeddings(pipeline, segments, 1)
    assert (theirs - ours).abs().max() < 1e-5


def write(base, folder):
    pipeline = pictures.load(base)
    check_against_compel(pipeline)
    euler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    out = {}
    for name, (prompt, negative) in CASES.items():
        told = arguments(pipeline, prompt, negative)
        out[name] = pictures.generate(pipeline, euler, **told)
    told = arguments(pipeline, *CASES["long_emphasis"])
    pictures.generate(pipeline, euler, output_type="pil", **told)[0].save(folder / "long_emphasis.png")
    save_file({name: tensor.contiguous() for name, tensor in out.items()}, folder / "prompts.safetensors")
