"""Checks that what is installed is what is asked for, by hash, and that RunPod would take the template.

The template is compared with RunPod's own OpenAPI document where MORPHEUS_RUNPOD_SPEC names it.
"""

import json
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PINNED = re.compile(r"([a-z0-9._-]+)==([^ ]+) --hash=sha256:[0-9a-f]{64}", re.IGNORECASE)
# `name`, `name[extra]` or `name==version`.
WANTED = re.compile(r"([a-z0-9._-]+)(?:\[[a-z]+\])?(?:==([^ ]+))?", re.IGNORECASE)


def lines(name: str) -> list[str]:
    text = (HERE / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def plain(name: str) -> str:
    """Package names are the same with `-`, `_` and `.`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock(wanted: str, locked: str) -> list[str]:
    """What is asked for in `wanted` and not, or in another version, in `locked`."""
    wrong, versions = [], {}
    for line in lines(locked):
        found = PINNED.fullmatch(line)
        if found:
            versions[plain(found[1])] = found[2]
        else:
            wrong.append(f"{locked}: `{line}` is not NAME==VERSION --hash=sha256:…")
    for line in lines(wanted):
        found = WANTED.fullmatch(line)
        version = versions.get(plain(found[1])) if found else None
        if not found or version is None or (found[2] and found[2] != version):
            wrong.append(f"{wanted}: `{line}` is not what {locked} installs: run lock.sh")
    return wrong


def template() -> list[str]:
    """What RunPod would refuse."""
    asked = json.loads((HERE / "template.json").read_text(encoding="utf-8"))
    specification = os.environ.get("MORPHEUS_RUNPOD_SPEC")
    if specification is None:
        print("template.json: not compared with RunPod's specification, since MORPHEUS_RUNPOD_SPEC is unset")
        return []
    import jsonschema

    document = json.loads(Path(specification).read_text(encoding="utf-8"))
    schema = {"$ref": "#/components/schemas/CreateTemplateRequest", "components": document["components"]}
    errors = jsonschema.Draft202012Validator(schema).iter_errors(asked)
    return [f"template.json: {error.json_path}: {error.message}" for error in errors]


def main() -> None:
    wrong = lock("requirements.in", "requirements.txt") + lock("vocabulary.in", "vocabulary.txt") + template()
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
