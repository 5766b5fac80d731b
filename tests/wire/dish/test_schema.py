"""The packaged interface: made from the .proto beside it, at odds with no descriptor of a real firmware."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

PROGRAM = """
import importlib, json, pathlib, sys
from google.protobuf import descriptor_pb2, descriptor_pool
import spacex
# Folders without an __init__: pkgutil does not walk them.
for root in map(pathlib.Path, spacex.__path__):
    for file in root.rglob("*_pb2.py"):
        importlib.import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))
real = descriptor_pool.Default()
ours = descriptor_pb2.FileDescriptorSet.FromString(open(sys.argv[1], "rb").read())
compared, odds = 0, []
def enumeration(within, one):
    global compared
    try:
        values = {v.name: v.number for v in real.FindEnumTypeByName(f"{within}.{one.name}").values}
    except KeyError:
        return
    for value in one.value:
        compared += value.name in values
        if values.get(value.name, value.number) != value.number:
            odds.append(f"{within}.{one.name}.{value.name}")
def message(within, one):
    global compared
    name = f"{within}.{one.name}"
    try:
        found = real.FindMessageTypeByName(name)
    except KeyError:
        return
    numbers = {f.number: f for f in found.fields}
    names = {f.name: f for f in found.fields}
    for field in one.field:
        other = numbers.get(field.number)
        compared += other is not None
        if other is not None and (other.name, other.type) != (field.name, field.type):
            odds.append(f"{name}.{field.name}")
        elif other is None and field.name in names:
            odds.append(f"{name}.{field.name}")
    for inner in one.nested_type: message(name, inner)
    for inner in one.enum_type: enumeration(name, inner)
for file in ours.file:
    for one in file.message_type: message(file.package, one)
    for one in file.enum_type: enumeration(file.package, one)
print(json.dumps([compared, odds]))
"""


def packaged() -> Path:
    return Path(str(resources.files("skylift.data").joinpath("dish", "dish.protoset")))


def test_the_packaged_set_is_what_the_proto_files_compile_to(tmp_path: Path) -> None:
    tool = importlib.util.spec_from_file_location(
        "make_dish_schema", Path(__file__).parents[3] / "tools" / "make_dish_schema.py"
    )
    assert tool is not None
    assert tool.loader is not None
    module = importlib.util.module_from_spec(tool)
    tool.loader.exec_module(module)
    assert module.compile_into(tmp_path / "set") == 0
    assert (tmp_path / "set").read_bytes() == packaged().read_bytes()


def test_nothing_is_at_odds_with_the_descriptors_that_a_public_client_ships() -> None:
    """Of January 2025. Only four sources of a position were numbered otherwise then."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(packaged())],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    compared, odds = json.loads(done.stdout)
    assert compared > 200
    position = "SpaceX.API.Device.PositionSource."
    assert set(odds) <= {position + name for name in ("GNC_FUSED", "GNC_BAD_SAT", "GNC_GPS", "GNC_PNT")}
