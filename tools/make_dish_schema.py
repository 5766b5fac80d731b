"""Compiles src/skylift/data/dish/*.proto into the packaged descriptor set.

python tools/make_dish_schema.py        needs grpcio-tools, of the development requirements
"""

from __future__ import annotations

import sys
from pathlib import Path

from grpc_tools import protoc

FOLDER = Path(__file__).resolve().parents[1] / "src" / "skylift" / "data" / "dish"
TARGET = "dish.protoset"


def compile_into(target: Path) -> int:
    """Write the descriptor set, imports included and first; returns protoc's exit code."""
    arguments = [
        "protoc",
        f"-I{FOLDER}",
        "--include_imports",
        f"--descriptor_set_out={target}",
        "device.proto",
    ]
    return int(protoc.main(arguments))


if __name__ == "__main__":
    sys.exit(compile_into(FOLDER / TARGET))
