"""A square root that LLVM can vectorise: Numba's own calls the C library, which keeps a loop scalar."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


@intrinsic
def hardware_sqrt(typing_context: Any, value: Any) -> Any:
    """sqrt of one float64, as the processor's instruction; nan below zero. For use inside kernels only."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sqrt(arguments[0]) if hasattr(builder, "sqrt") else _declared(builder, arguments)

    def _declared(builder: Any, arguments: Any) -> Any:
        root = builder.module.declare_intrinsic("llvm.sqrt", [arguments[0].type])
        return builder.call(root, arguments)

    return types.float64(types.float64), generate
