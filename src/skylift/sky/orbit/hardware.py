"""Two operations that Numba offers only in forms which keep a loop scalar. For use inside kernels."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic


@intrinsic
def hardware_sqrt(typing_context: Any, value: Any) -> Any:
    """sqrt of one float64 as the processor's instruction, nan below zero; Numba's own calls the C library."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        root = builder.module.declare_intrinsic("llvm.sqrt", [arguments[0].type])
        return builder.call(root, arguments)

    return types.float64(types.float64), generate


@intrinsic
def negated_if_odd(typing_context: Any, value: Any, count: Any) -> Any:
    """`value`, negated where `count` is odd; `count` is whole, plus 1.5 x 2^52, and its last bit tells."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(64)
        last_bit_as_sign = builder.shl(builder.bitcast(arguments[1], whole), ir.Constant(whole, 63))
        flipped = builder.xor(builder.bitcast(arguments[0], whole), last_bit_as_sign)
        return builder.bitcast(flipped, arguments[0].type)

    return types.float64(types.float64, types.float64), generate
