"""Plays the story: each step is a call of the public API, with the token of the persona who does it.

Nothing is written past the rules: what a persona may not do is refused, here as anywhere. Each call has an
idempotency key, so that a story that is killed half-way goes on where it was, and does nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
from starlette.types import ASGIApp

from skylift.api.demo.stage import Stage, Told, Waiting
from skylift.base.errors import SkyliftError
from skylift.base.instants import InstantUs, format_instant
from skylift.base.units import US_PER_S
from skylift.twin.office.accounts import WAITING_US
from skylift.twin.story import IT, Persona, Step, filled

LOOK_EVERY_S = 0.1
# A breath between two steps that are both overdue, so that an onlooker sees one after the other.
BREATH_S = 0.05


class _Stuck(Exception):
    """A step that was answered otherwise than the story has it."""

    def __init__(self, code: str, rule: str) -> None:
        super().__init__(f"{code}: {rule}")
        self.code = code
        self.rule = rule


class Play:
    """One run of the story over an application."""

    def __init__(self, app: ASGIApp, stage: Stage) -> None:
        self._stage = stage
        self._desk = stage.desk
        self._tokens: dict[str, str] = {}
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 0)),
            base_url="http://127.0.0.1/api/v1/",
        )

    async def run(self) -> None:
        """To the end, or until it is cancelled."""
        stage = self._stage
        try:
            await stage.open_the_house()
            for number, (chapter, step) in enumerate(stage.story.steps()):
                if number < stage.kept.steps_done:
                    continue
                if chapter and not self._all_cast():
                    await self._cast_all()
                await self._until(step)
                await self._take(number, chapter, step)
                stage.kept.steps_done = number + 1
                await stage.note()
            await self._cast_all()
        except (SkyliftError, _Stuck) as error:
            # The store is away, or somebody else's, or not all could be brought in: it is told,
            # and the rest of the service goes on.
            stage.tell(
                self._told("", stage.story.persona[0].id, f"The story ends here: {error.rule}.", "failed")
            )
        finally:
            stage.waiting = None
            with contextlib.suppress(RuntimeError):
                await self._client.aclose()

    # --- who takes part

    def _all_cast(self) -> bool:
        return all(persona.id in self._stage.kept.people for persona in self._stage.story.persona)

    async def _cast_all(self) -> None:
        """The coordinator brings in the others; whoever gets a role gets it from two people, but the first
        approver.
        """
        kept = self._stage.kept
        for persona in self._stage.story.persona:
            if persona.id not in kept.people:
                kept.people[persona.id] = await self._cast(persona)
                await self._stage.note()

    async def _cast(self, persona: Persona) -> str:
        first, names = self._stage.story.persona[0].id, self._stage.kept.names
        key = f"demo-cast-{persona.id}"
        body = {"name": persona.name, "account": filled(persona.account, names)}
        made = await self._post(first, "persons", body, f"{key}-add")
        regions = [filled(persona.region, names)] if persona.region else []
        grant = {"role": persona.role.value, "regions": regions}
        granted = await self._post(first, f"persons/{made['id']}/grant", grant, f"{key}-grant")
        if "needed" in granted:
            try:
                await self._agree("approver-one", granted)
            except _Stuck as stuck:
                if stuck.code != "approval.too-new":
                    raise
                # Named by one person on a clock that ran ahead: a day later their word counts, and what was
                # proposed has lapsed.
                await self._leap(WAITING_US)
                granted = await self._post(first, f"persons/{made['id']}/grant", grant, f"{key}-again")
                await self._agree("approver-one", granted)
            grant["approval"] = granted["approval"]
            await self._post(first, f"persons/{made['id']}/grant", grant, f"{key}-granted")
        return str(made["id"])

    # --- when

    async def _until(self, step: Step) -> None:
        """Wait for the step's instant. Where nothing is told for long, the coordinator moves the clock."""
        await asyncio.sleep(BREATH_S if step.at_us is not None else 0)
        clock = self._desk.clock
        began_us = clock.now()
        while step.at_us is not None and (left_us := step.at_us - clock.now()) > 0:
            rest_us = self._stage.story.longest_wait_us - (clock.now() - began_us)
            if rest_us <= 0 and not clock.paused:
                await self._leap(left_us)
                return
            wait_s = max(0.0, min(left_us, rest_us) / US_PER_S / clock.speed)
            await asyncio.sleep(LOOK_EVERY_S if clock.paused else min(LOOK_EVERY_S, wait_s))

    async def _leap(self, by_us: int) -> None:
        await self._ask("POST", self._stage.story.persona[0].id, "clock", {"advance_s": by_us / US_PER_S})

    # --- what

    async def _take(self, number: int, chapter: str, step: Step) -> None:
        """One step, for each of its names."""
        stage = self._stage
        for it in step.each or ("",):
            names = {**stage.kept.names, **({IT: stage.kept.names.get(it, "")} if it else {})}
            how, code, path = "done", "", ""
            try:
                path = filled(step.post, names)
                if await self._is_done(step, path):
                    how = "left-out"
                else:
                    key = f"demo-{number}-{it}"
                    how, code = await self._do(step, path, filled(dict(step.body), names), key)
            except KeyError as error:
                how, code = "failed", f"nothing is known by the name {error}"
            except _Stuck as stuck:
                how, code = "failed", stuck.code
            if how == "failed" or (step.says and it == (step.each or ("",))[-1]):
                stage.tell(self._told(chapter, step.by, step.says or step.post, how, path, code))

    def _told(self, chapter: str, by: str, says: str, how: str, path: str = "", code: str = "") -> Told:
        at_us = int(self._desk.clock.now())
        return Told(at_us=at_us, chapter=chapter, by=by, says=says, how=how, path=path, code=code)

    async def _is_done(self, step: Step, path: str) -> bool:
        """Whether somebody has done it already; waits for a visitor who plays the persona."""
        thing = path.rpartition("/")[0]
        if not step.done or not thing:
            return False

        async def look() -> tuple[str, bool]:
            status, shown = await self._ask("GET", step.by, thing)
            found = str(shown.get("status", "")) if status == 200 else ""
            return found, found == step.done

        _, is_done = await self._for_a_visitor(step.by, step.asks or step.says or path, "", look)
        return is_done

    async def _for_a_visitor(
        self, persona: str, what: str, approval: str, look: Callable[[], Awaitable[tuple[str, bool]]]
    ) -> tuple[str, bool]:
        """What `look` sees at last: (what, whether that will do). As long as a visitor who plays the persona
        has not done it, they have time.
        """
        until_s = time.monotonic() + self._stage.story.patience_s
        try:
            while True:
                found, will_do = await look()
                if will_do or not self._stage.is_taken(persona):
                    return found, will_do
                if time.monotonic() >= until_s:
                    # They will not be waited for again, unless they come again.
                    self._stage.give_up(persona)
                    continue
                self._stage.waiting = Waiting(persona, what, approval, until_s)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self._stage.waiting = None

    async def _do(self, step: Step, path: str, body: dict[str, Any], key: str) -> tuple[str, str]:
        """How it went, and by which code it was refused. Raises _Stuck for what the story does not expect."""
        if step.awaits:
            await self._served(step)
            return "done", ""
        try:
            done = await self._post(step.by, path, body, key)
            if step.agree and "needed" in done:
                done = await self._together(step, path, body, done, key)
        except _Stuck as stuck:
            if step.expect and stuck.code == step.expect:
                return "refused", stuck.code
            raise
        if step.expect:
            raise _Stuck("demo.not-refused", f"it was to be refused by {step.expect}")
        if step.keep:
            self._stage.kept.names[step.keep] = str(done["id"])
        return "done", ""

    async def _served(self, step: Step) -> None:
        """Until the sky has served each of them. Raises _Stuck where patience ends before."""
        until_s = time.monotonic() + self._stage.story.patience_s
        for name in step.awaits:
            path = f"terminals/{self._stage.kept.names[name]}"
            while (await self._ask("GET", step.by, path))[1].get("served_at") is None:
                if time.monotonic() >= until_s:
                    raise _Stuck("demo.not-served", "no slot has served it")
                await asyncio.sleep(LOOK_EVERY_S)

    async def _together(
        self, step: Step, path: str, body: dict[str, Any], waiting: dict[str, Any], key: str
    ) -> dict[str, Any]:
        """What takes two people. A visitor who plays the approver is waited for; whoever declines is asked no
        more, but the next one is.
        """
        tried = 0
        for approver in step.agree:
            status = await self._visitor_says(approver, step, waiting)
            if status == "declined":
                tried += 1
                waiting = await self._post(step.by, path, body, f"{key}-{tried}")
                continue
            if status != "agreed":
                await self._agree(approver, waiting)
            approved = {**body, "approval": waiting["approval"]}
            return await self._post(step.by, path, approved, f"{key}-agreed")
        raise _Stuck("demo.declined", "nobody agreed")

    async def _visitor_says(self, approver: str, step: Step, waiting: dict[str, Any]) -> str:
        """The agreement's status once a visitor has said something, or their time is over."""

        async def look() -> tuple[str, bool]:
            _, shown = await self._ask("GET", step.by, f"approvals/{waiting['approval']}")
            if len(shown.get("people", ())) >= shown.get("needed", 2):
                return "agreed", True
            return str(shown.get("status", "")), shown.get("status") == "declined"

        what = step.asks or step.says or step.post
        found, _ = await self._for_a_visitor(approver, what, str(waiting["approval"]), look)
        return found

    async def _agree(self, approver: str, waiting: dict[str, Any]) -> None:
        """The approver reads what waits, and agrees to just that."""
        path = f"approvals/{waiting['approval']}"
        _, shown = await self._ask("GET", approver, path)
        await self._post(approver, f"{path}/agree", {"change": shown.get("change", "")}, "")

    # --- how

    async def _post(self, by: str, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        status, document = await self._ask("POST", by, path, body, key)
        if status >= 400:
            error = document.get("error", {})
            raise _Stuck(str(error.get("code", status)), str(error.get("rule", "")))
        return document

    async def _ask(
        self, method: str, by: str, path: str, body: Any = None, key: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Status and document. A token that has ended with a leap of years is taken anew."""
        for _ in range(2):
            if by not in self._tokens:
                self._tokens[by] = (await self._stage.log_in(by, visitor=False)).token
            headers = {"Authorization": f"Bearer {self._tokens[by]}"}
            if key:
                headers["Idempotency-Key"] = key
            response = await self._client.request(method, path, json=body, headers=headers)
            if response.status_code != 401:
                break
            del self._tokens[by]
        return response.status_code, response.json()


def says_line(told: Told, names: Sequence[Persona]) -> str:
    """A line for a terminal: when, who, what."""
    when = format_instant(InstantUs(told.at_us))[5:16].replace("T", " ")
    who = next((persona.name for persona in names if persona.id == told.by), told.by)
    how = {"failed": f" [did not work: {told.code}]", "left-out": " [was done already]"}.get(told.how, "")
    return f"DEMO {when}  {who.removesuffix(' (DEMO)')}: {told.says}{how}"
