"""How kernels are compiled that are handed tuples of arrays and make no array themselves: `@njit(**LEAN)`.

Numba counts references to each array that comes out of a tuple, atomically, in every call: of the microsecond
that pouring a unit took, that was more than half, and of a schedule of Ukraine a fifth
(docs/why/011-beam-schedule.md). Nothing here outlives the arrays that its caller holds, so nothing need be
counted. A function that makes an array needs the counts: leave it as it is, and let it hand scratch on.
"""

from __future__ import annotations

from typing import Any

# The underscore is Numba's: only who makes no array may switch the counts off. Else it refuses to compile.
LEAN: dict[str, Any] = {"cache": True, "_nrt": False, "error_model": "numpy"}
