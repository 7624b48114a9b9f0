#!/usr/bin/env python3
"""Stands in for a Python with diffusers: speaks the protocol of `engine.py`, computes zeros, or brighter pictures with a
LoRA, and does what `plan.json` beside it says: for each request by name, what happens to the first, the second, and so
on; the last goes on for good. It needs nothing but Python. `log.jsonl` tells what it was asked."""

import json
import math
import os
import queue
import signal
import struct
import sys
import threading

FOLDER = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(FOLDER, "plan.json"), encoding="utf-8") as file:
    PLAN = json.load(file)
HELLO = {
    "torch": "2.8.0+cu128",
    "diffusers": "0.32.1",
    "transformers": "4.54.1",
    "device": "a pretended GPU",
    "dtype": "float16",
    "memory_bytes": 1 << 34,
}
requests = queue.SimpleQueue()
cancelled = threading.Event()
is_changed = False


def read():
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "cancel":
            cancelled.set()
        else:
            requests.put(request)
    os._exit(0)


def shapes(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def write(path, value=0.0, **tensors):
    header, end = {}, 0
    for name, shape in tensors.items():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + struct.pack("<f", value) * (end // 4))


def is_change(change):
    return change["instead"] is not None or any(scale != 0 for _, _, scale in change["products"])


def compute(request):
    global is_changed
    op = request["op"]
    if op == "hello":
        return HELLO
    if op == "encode":
        n, width = len(request["ids"]), {"text_encoder": 32, "text_encoder_2": 64}[request["part"]]
        n_own = shapes(request["file"])["own"][0] if request["own"] else 0
        if max(map(max, request["ids"])) >= 49408 + n_own:
            return {"error": "internal", "detail": "a token is in no vocabulary"}
        write(request["answer"], hidden=[n, 77, width], pooled=[n, width])
    elif op == "predict":
        given = shapes(request["file"])
        write(request["answer"], answers=[given["context"][0], *given["latents"][1:]])
    elif op == "decode":
        n, _, height, width = shapes(request["file"])["latents"]
        write(request["answer"], 0.5 * is_changed, pictures=[n, 3, 8 * height, 8 * width])
    elif op == "restore":
        is_changed = False
    elif op == "change":
        is_changed = is_changed or any(is_change(change) for change in request["changes"])
    return {}


def main():
    n_asked = {}
    while True:
        request = requests.get()
        op = request["op"]
        n_asked[op] = n_asked.get(op, 0) + 1
        cancelled.clear()
        with open(os.path.join(FOLDER, "log.jsonl"), "a", encoding="utf-8") as log:
            shown = {name: request[name] for name in ("op", "thrift", "part", "changes", "own") if name in request}
            log.write(json.dumps({"pid": os.getpid(), **shown}) + "\n")
        plan = PLAN.get(op, [{}])
        plan = plan[min(n_asked[op], len(plan)) - 1]
        if "exit" in plan:
            print("loading\nTraceback (most recent call last):\n  File \"a\"\nRuntimeError: the planned end", file=sys.stderr)
            os._exit(plan["exit"])
        if plan.get("closes"):
            os.close(1)
            threading.Event().wait()
        if plan.get("says"):
            answer = plan["says"]
        elif plan.get("waits"):
            cancelled.wait()
            answer = json.dumps({"id": request["id"], "error": "cancelled", "detail": "cancelled"})
        elif plan.get("hangs"):
            threading.Event().wait()
        else:
            answer = json.dumps({"id": request["id"], **(plan.get("answers") or compute(request))})
        print(answer, flush=True)
        if plan.get("stops"):
            os.kill(os.getpid(), signal.SIGSTOP)


threading.Thread(target=read, daemon=True).start()
main()
