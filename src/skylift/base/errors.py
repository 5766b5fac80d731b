"""The two ways in which a command can fail, and what each must say."""

from __future__ import annotations


class SkyliftError(Exception):
    """What went wrong (`thing`), which rule it broke (`rule`), and what to do about it (`way_out`).

    `code` is for programs and translators and never changes, the rest is for people.
    None of the texts holds an exact place or a person's name: they end in logs.
    """

    exit_code = 1

    def __init__(self, code: str, thing: str, rule: str, way_out: str) -> None:
        super().__init__(f"{thing}: {rule}; {way_out}")
        self.code = code
        self.thing = thing
        self.rule = rule
        self.way_out = way_out

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders by pickle, which would otherwise call __init__ with one text.
        return (type(self), (self.code, self.thing, self.rule, self.way_out))

    def as_dict(self) -> dict[str, dict[str, str]]:
        return {"error": {"code": self.code, "thing": self.thing, "rule": self.rule, "way_out": self.way_out}}


class Refused(SkyliftError):
    """Understood and refused: the caller's error. 4xx over HTTP, exit code 2 on the command line."""

    exit_code = 2


class Unavailable(SkyliftError):
    """Understood, but the world does not allow it now. 503 over HTTP, exit code 1 on the command line."""

    exit_code = 1
