"""Asks a server for pictures with OpenAI's own client: openai_client.py SERVER TOKEN. Prints what it saw as one JSON object."""

import base64
import json
import sys
import urllib.request

import openai

server, token = sys.argv[1:]
client = openai.OpenAI(base_url=f"{server}/v1", api_key=token)


def draw(**more):
    return client.images.generate(model="tiny-xl", prompt="a comic portrait", size="64x64", **more)


def error(ask):
    try:
        ask()
    except openai.APIStatusError as err:
        return {"class": type(err).__name__, "param": err.param, "code": err.code, "message": str(err)}
    return None


ours = {"seed": 7, "steps": 2, "guidance": 2.0, "sampler": "ddim", "negative_prompt": "blurry"}
drawn = draw(n=2, response_format="b64_json", quality="high", user="me", extra_body=ours)
files = [base64.b64decode(image.b64_json) for image in drawn.data]
again = draw(response_format="url", extra_body=ours)
with urllib.request.urlopen(again.data[0].url) as answer:
    same = answer.read()

wrong_token = openai.OpenAI(base_url=f"{server}/v1", api_key="sk-wrong")
print(
    json.dumps(
        {
            "models": [model.id for model in client.models.list()],
            "model": client.models.retrieve("tiny-xl").id,
            "are_png": [file.startswith(b"\x89PNG\r\n\x1a\n") for file in files],
            "seeds": [image.seed for image in drawn.data],
            "is_same_again": same == files[0],
            "is_other_with_another_seed": files[0] != files[1],
            "created": drawn.created,
            "wrong_model": error(lambda: client.images.generate(model="dall-e-3", prompt="x")),
            "wrong_size": error(lambda: client.images.generate(model="tiny-xl", prompt="x", size="63x64")),
            "wrong_token": error(lambda: wrong_token.models.list()),
            "no_model": error(lambda: client.models.retrieve("nobody")),
            "no_route": error(lambda: client.images.edit(model="tiny-xl", image=files[0], prompt="x")),
        }
    )
)
