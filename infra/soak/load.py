"""Drops at a steady rate, and looks at what they leave."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from infra.chaos.crowd import POISON, crowd
from infra.chaos.stage import Stage
from infra.cli.deployment import local
from infra.cli.enrol import enrolled
from infra.cli.listener import Listener
from infra.cli.places import PACKAGE, PHOTOS
from infra.local.cloud import Cloud
from infra.soak.watch import Look, memory

PER_S = 2.0
LOOK_S = 2.0
CALM_S = 60.0


def soak(minutes: float, seed: int, data: Path) -> list[Look]:
    """All looks; the last one after the load ended and its drops had time to reach their ends."""
    parameters = {"Stage": "soak"}
    state = data / "state.sqlite"
    with Cloud(package=PACKAGE, data=data, state=state, parameters=parameters, processes=5) as running:
        cloud = local(running.environment, running.outputs)
        for person, tags in (("obama", ["watch"]), ("biden", [])):
            enrolled(cloud, person.title(), [PHOTOS / f"{person}.jpg"], tags)
        stage = Stage(running, cloud, Listener.subscribed(cloud, "soak-listener"))
        things = [thing for thing in crowd(round(minutes * 60 * PER_S), seed) if thing.kind != POISON]
        load = threading.Thread(target=stage.put, args=(things, "soak"), kwargs={"over_s": minutes * 60})
        load.start()
        looks = []
        while load.is_alive():
            looks.append(_look(stage))
            load.join(LOOK_S)
        looks.append(_at_rest(stage))
    return looks


def _look(stage: Stage) -> Look:
    """What was heard is forgotten: whoever watches must not be what grows."""
    stage.look()
    for kept in (stage.samples, stage.listener.events, stage.listener.heard):
        kept.clear()
    return Look(stage.at_s, memory(stage.running), len(stage.drops), len(stage.open))


def _at_rest(stage: Stage) -> Look:
    until = time.monotonic() + CALM_S
    look = _look(stage)
    while look.unfinished and time.monotonic() < until:
        time.sleep(1)
        look = _look(stage)
    return look
