"""A demonstration in Ukrainian: its page, and every line of the story that it tells."""

from __future__ import annotations

import re
import time
from html import unescape
from pathlib import Path

from skylift.adapters.demo import packaged_story
from skylift.api.demo.stage import Told, Waiting
from skylift.api.site.tongue import COOKIE, ukrainian
from tests.api.test_demo import opening, play, theatre


def test_every_line_of_the_story_is_ukrainian() -> None:
    story = packaged_story()
    steps = [step for chapter in story.chapter for step in chapter.step]
    said = [story.title, *(persona.does.capitalize() for persona in story.persona)]
    said += [persona.name for persona in story.persona]
    said += [text for step in steps for text in (step.says, step.asks) if text]
    tongue = ukrainian()
    assert not [text for text in said if tongue.say(text) == text]


def test_the_page_of_a_demonstration_is_ukrainian(tmp_path: Path) -> None:
    def english(html: str) -> list[str]:
        body = re.sub("(?s).*<main[^>]*>|</main>.*", "", html)
        texts = (" ".join(unescape(part).split()) for part in re.split(r"<[^>]*>", body))
        return [text for text in texts if re.search("[a-z]{2}", text) and not re.search("[а-яі]", text)]

    async def work() -> None:
        async with theatre(tmp_path, opening()) as house:
            house.client.cookies.set(COOKIE, "uk")
            early = (await house.client.get("/demo")).text
            assert "ще не тут" in early
            stage = house.stage
            asks = "Five cells are to be enabled. Do you agree?"
            stage.waiting = Waiting("approver-one", asks, "apr_x", time.monotonic() + 40.0)
            for how in ("done", "left-out", "failed"):
                told = Told(
                    at_us=0, chapter="", by="officer", says="It is at the border.", how=how, code="x.y"
                )
                stage.kept.told.append(told)
            middle = (await house.client.get("/demo")).text
            assert "Чекаємо, хто вирішує: Перший погоджувач" in middle
            assert "Не вдалося: x.y" in middle
            stage.waiting = None
            stage.kept.told.clear()
            await house.played()
            ended = (await house.client.get("/demo")).text
            assert "історія закінчилася" in ended
            assert "Увійти як координатор" in ended
            assert [english(page) for page in (early, middle, ended)] == [[], [], []]

    play(work)
