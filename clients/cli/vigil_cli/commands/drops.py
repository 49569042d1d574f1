"""`vigil drop`, `vigil sightings`, `vigil drops`: uploads, records of drops and their sightings."""

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from vigil.drops.messages import CLIP_MODEL, CLIP_SUFFIXES
from vigil_cli.command_line import Argument, Option
from vigil_cli.console import (
    coloured,
    days_ago,
    err,
    fail,
    format_number,
    format_time,
    new_table,
    parse_time,
)
from vigil_cli.lookup import find_drop, find_person
from vigil_cli.paths import expand_folders
from vigil_cli.session import (
    SHOWN_DIGITS,
    DaysOption,
    LaneName,
    LimitOption,
    Session,
    SinceOption,
    SourceOption,
    UntilOption,
    counted,
    fetch_rows,
    name_lookup,
    no_rows,
    picture_link,
    save_pictures,
)
from vigil_client import Problem, Vigil
from vigil_client.types import DropOut, LabelOut

UNFINISHED = ("uploaded", "claimed")
MAX_FOUND = 20
"""Drops that are shown for the key of an object."""

LONG_POLL_S = 20
"""The longest time that the API waits for a drop to end."""

UNUSUAL_SUFFIXES = ("", ".jfif", ".jpe")
"""Of photos that a folder may contain, besides the suffixes in the model's card."""

REFUSALS = {413: "too-large", 422: "refused"}
"""Status codes about one file, with a reason for an answer that has none."""

MIN_BAR_BYTES = 2_000_000
"""The upload of a smaller file shows no bar."""

FRAMES_POLL_S = 1.0
REFUSED_BY_S3 = "Upload rejected"

DropArgument = Annotated[
    str, Argument(metavar="ID|KEY", help="Id of a drop or its first digits, or the key of an object.")
]
SightingStatus = Literal["known", "unknown", "ambiguous", "unfit"]
DropState = Literal["claimed", "done", "rejected", "quarantined"]
NameLookup = Callable[[str], str]


def upload(
    session: Session,
    files: Annotated[
        list[Path],
        Argument(help="Photos, clips, or other files that the model reads, or folders of them.", exists=True),
    ],
    source: Annotated[str, Option(help="Where they come from: a door, a camera, a feed.")] = "desk",
    model: Annotated[str, Option(help="The model that processes them.")] = "faces",
    lane: Annotated[LaneName, Option(help="live, or bulk for files that can wait.")] = "live",
    wait_s: Annotated[float, Option(help="Seconds to wait for results; 0: none.", flags=("--wait",))] = 60.0,
    label_by_folder: Annotated[bool, Option(help="Label each photo with the name of its folder.")] = False,
) -> None:
    """Upload photos and clips, and show the result of each; of a clip, those of its frames.

    The exit code is 1 if a file is refused, rejected or quarantined, or has no result after --wait seconds.

    Example: ./vigil drop photos/ --source door-3
    """
    with session.api("operator") as api:
        files = find_uploads(api, files, model)
        rows = [{"file": str(file), **_upload_file(api, file, source, lane, model)} for file in files]
        if wait_s > 0:
            deadline_s = time.monotonic() + wait_s
            _wait_for_results(api, rows, deadline_s)
            for row in rows:
                if row["state"] == "done" and row["model"] == CLIP_MODEL:
                    row["frames"] = _wait_for_frames(api, row, deadline_s)
        for row in rows:
            row.pop("upload", None)
            if label_by_folder and row["state"] == "done":
                _label(api, row["id"], Path(row["file"]).resolve().parent.name)
        session.show(rows, lambda: Group(drops_table(rows, name_lookup(api)), f"\n{summary(rows)}"))
    drops = _with_frames(rows)
    unfinished = sum(row["state"] in UNFINISHED for row in drops) if wait_s > 0 else 0
    if unfinished:
        err.print(f"{unfinished} drops have no result after {wait_s:g} s: see `./vigil drops list` later")
    if unfinished or any(row["state"] not in ("done", *UNFINISHED) for row in drops):
        raise click.exceptions.Exit(1)


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many files there are, by their states, and what was found in them."""
    states = ", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in rows).items())
    found, alerts = (sum(row.get(name) or 0 for row in _with_frames(rows)) for name in ("found", "alerts"))
    return f"{len(rows)} files: {states}; found {found}; {alerts} times an alert"


def _with_frames(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The drops of the files, and after each clip those of its frames."""
    return [one for row in rows for one in (row, *row.get("frames", ()))]


def find_photos(
    api: Vigil, paths: Sequence[Path], model: str = "faces", more_suffixes: frozenset[str] = frozenset()
) -> list[Path]:
    """The files, and all photos in the folders; ends the command without any."""
    found = list_photos(api, paths, model, more_suffixes)
    if not found:
        suffixes = ", ".join(api.get_model(model)["suffixes"])
        fail(f"no file in {', '.join(map(str, paths))} has one of the suffixes {suffixes}")
    return found


def list_photos(
    api: Vigil, paths: Sequence[Path], model: str = "faces", more_suffixes: frozenset[str] = frozenset()
) -> list[Path]:
    """The files, and all files in the folders with a usual suffix of the model's files, or none."""
    if not any(path.is_dir() for path in paths):
        return [*paths]
    suffixes = {*api.get_model(model)["suffixes"], *UNUSUAL_SUFFIXES}
    return list(expand_folders(paths, suffixes | more_suffixes))


def find_uploads(api: Vigil, paths: Sequence[Path], model: str) -> list[Path]:
    """The files, and all photos and clips in the folders; ends the command without any."""
    if model == CLIP_MODEL:
        return list(expand_folders(paths, CLIP_SUFFIXES))
    return find_photos(api, paths, model, CLIP_SUFFIXES)


def refusal_of(error: Problem | OSError) -> dict[str, Any]:
    """Why one file is refused. Raises the error if it is not about this file."""
    if isinstance(error, OSError):
        return {"reason": "unreadable-file", "message": error.strerror or str(error)}
    if error.status not in REFUSALS and error.title != REFUSED_BY_S3:
        raise error
    reason = error.reason or REFUSALS.get(error.status, "too-large")
    return {"reason": reason, "message": error.detail or error.title}


def _upload_file(api: Vigil, file: Path, source: str, lane: LaneName, model: str) -> dict[str, Any]:
    """A clip is recognised by its suffix."""
    model = CLIP_MODEL if file.suffix.lower() in CLIP_SUFFIXES else model
    try:
        with upload_progress(file) as on_progress:
            uploaded = api.upload_photo(file, source=source, lane=lane, model=model, on_progress=on_progress)
    except (Problem, OSError) as error:
        return {"state": "refused", **refusal_of(error)}
    drop = api.get_upload(uploaded, wait_s=0).get("drop")
    return {"state": "uploaded", "upload": uploaded} | ({"id": drop} if drop else {})


@contextmanager
def upload_progress(file: Path) -> Iterator[Callable[[int], None]]:
    """A bar on the screen while a large file is uploaded; yields what is told the bytes that are sent."""
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    size = file.stat().st_size
    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True, disable=size < MIN_BAR_BYTES) as bar:
        task = bar.add_task(f"uploading {file.name}", total=size)
        yield lambda sent: bar.update(task, completed=sent)


def _wait_for_frames(api: Vigil, clip: Mapping[str, Any], deadline_s: float) -> list[dict[str, Any]]:
    """The drops of a clip's frames, in their order, once all have ended or when the time is up."""
    expected = clip.get("notes", {}).get("frames", 0)
    while True:
        found: list[dict[str, Any]] = [dict(one) for one in api.list_drops(clip=clip["id"], since=clip["at"])]
        ended = sum(one["state"] not in UNFINISHED for one in found)
        if ended >= expected or time.monotonic() >= deadline_s:
            break
        time.sleep(FRAMES_POLL_S)
    for one in found:
        if one.get("found"):
            one.update(api.get_drop(one["id"]))
        one["file"] = f"{clip['file']} {one['frame']['time_ms'] / 1000:.1f} s"
    return sorted(found, key=lambda one: one["frame"]["number"])


def _wait_for_results(api: Vigil, rows: Sequence[dict[str, Any]], deadline_s: float) -> None:
    """Complete each row with the record of its drop once that has ended, or when the time is up."""
    from rich.progress import track

    for row in track(rows, description="processing", console=err, transient=True):
        while row["state"] in UNFINISHED:
            left_s = max(0, min(LONG_POLL_S, round(deadline_s - time.monotonic())))
            status = api.get_upload(row["upload"], wait_s=left_s)
            if "drop" in status and "state" in status:
                row.update(api.get_drop(status["drop"]))
            if time.monotonic() >= deadline_s:
                break


def drops_table(rows: Iterable[Mapping[str, Any]], name_of: NameLookup) -> Table:
    """A line for each sighting; the drop's own columns are on its first line."""
    table = new_table("Drops", "photo", "state", ">found", "who", ">score", ">threshold", ">ms", "drop")
    for row in _with_frames(rows):
        first: list[str | Text] = [Path(row["file"]).name, _state_text(row), str(row.get("found", ""))]
        last = [duration_text(row), row.get("id", "")[:SHOWN_DIGITS]]
        for sighting in row.get("sightings") or [{}]:
            who = subject_text(sighting, name_of) if sighting else ""
            table.add_row(*first, who, *_numbers(sighting, "score", "threshold"), *last)
            first, last = ["", Text(), ""], ["", ""]
    return table


def subject_text(sighting: Mapping[str, Any], name_of: NameLookup) -> Text:
    """The name of a recognised person, or the status of the sighting, with its quality issues."""
    known = sighting["status"] == "known"
    name = sighting.get("person_name") or (name_of(sighting["label"]) if known else sighting["status"])
    issues = f" ({', '.join(sighting['quality_issues'])})" if sighting.get("quality_issues") else ""
    return coloured(f"{name}{issues}", sighting["status"])


def duration_text(row: Mapping[str, Any]) -> str:
    """Milliseconds of all stages together."""
    return format_number(sum(row["times_ms"].values()), 0) if row.get("times_ms") else ""


def _state_text(row: Mapping[str, Any]) -> Text:
    return coloured(row["state"] + (f": {row['reason']}" if row.get("reason") else ""), row["state"])


def _numbers(row: Mapping[str, Any], *names: str) -> list[str]:
    return [format_number(row.get(name)) for name in names]


def sightings(
    session: Session,
    days: DaysOption = 7,
    limit: LimitOption = 50,
    status: Annotated[SightingStatus | None, Option(help="Only with this status.")] = None,
    source: SourceOption = None,
    person: Annotated[str | None, Option(help="Only of this person: a name or an id.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    pictures: Annotated[Path | None, Option(help="Folder for a picture of each, named by its id.")] = None,
) -> None:
    """List what models found in drops, newest first.

    In a terminal that shows links, the id of a sighting opens its picture for five minutes.

    Example: ./vigil sightings --status unknown --source door-3 --since 2026-01-31T18:00
    """
    columns = ("time", "source", "who", ">score", ">threshold", ">quality", "sighting")
    with session.api("reviewer") as api:
        filters = {"source": source, "status": status, "until": until and parse_time(until)}
        filters |= {"person": person and find_person(api, person)}
        pages = api.list_sightings(since=parse_time(since) if since else days_ago(days), **filters)
        found, note = fetch_rows(pages, source)
        rows, name_of = found[:limit], name_lookup(api)
        if pictures is not None:
            save_pictures(api, rows, pictures)
        table = new_table(counted("Sightings", len(rows), len(found), note), *columns)
        for row in () if session.as_json else rows:
            who, numbers = subject_text(row, name_of), _numbers(row, "score", "threshold", "quality")
            table.add_row(format_time(row["at"]), row["source"], who, *numbers, picture_link(row))
    session.show(rows, lambda: table if found else no_rows("sightings", days, note))


def list_drops(
    session: Session,
    state: Annotated[DropState | None, Option(help="Only drops in this state.")] = None,
    source: SourceOption = None,
    days: DaysOption = 7,
    limit: LimitOption = 50,
    clip: Annotated[str | None, Option(help="Only frames of the clip with this id.")] = None,
) -> None:
    """List drops, newest first.

    Example: ./vigil drops list --state rejected --days 1
    """
    with session.api("viewer") as api:
        clip = find_drop(api, clip) if clip else None
        pages = api.list_drops(state=state, source=source, clip=clip, since=days_ago(days))
        found, note = fetch_rows(pages, source)
    rows = found[:limit]
    columns = ("time", "source", "model", "state", ">found", ">attempts", "drop")
    table = new_table(counted("Drops", len(rows), len(found), note), *columns)
    for row in rows:
        counts = (str(row.get("found", "")), str(row["attempts"]))
        last = (_state_text(row), *counts, picture_link(row))
        table.add_row(format_time(row["at"]), row["source"], row["model"], *last)
    session.show(rows, lambda: table if found else no_rows("drops", days, note))


def quarantined(
    session: Session, source: SourceOption = None, days: DaysOption = 7, limit: LimitOption = 50
) -> None:
    """List quarantined drops, newest first; a person decides what happens to each.

    Example: ./vigil drops quarantined --days 30
    """
    list_drops(session, "quarantined", source, days, limit)


def show(session: Session, drop: DropArgument) -> None:
    """Show the record of a drop: state, attempts, times, sightings, and what was done about it.

    Example: ./vigil drops show live/faces/door-3/frame.jpg
    """
    with session.api("reviewer") as api:
        rows, name_of = _get_drops(api, drop), name_lookup(api)
        session.show(rows, lambda: Group(*(_drop_table(row, name_of) for row in rows)))


def notes(session: Session, drop: DropArgument) -> None:
    """Show what triage or a person did with the messages of a drop, and why.

    Example: ./vigil drops notes 0123456789abcdef0123456789abcdef
    """
    with session.api("viewer") as api:
        rows: list[dict[str, Any]] = [
            {"drop": row["id"], **one} for row in _get_drops(api, drop) for one in row.get("actions", ())
        ]
    table = new_table("Notes", "time", "action", "reason", "drop")
    for row in rows:
        table.add_row(format_time(row["at"]), row["action"], row["reason"], row["drop"])
    session.show(rows, lambda: table if rows else f"no notes on {drop}")


def label(
    session: Session,
    drop: Annotated[str, Argument(metavar="DROP", help="Id of the drop, or its first digits.")],
    text: Annotated[str, Argument(metavar="LABEL", help="Name of a class, or id of a person.")],
) -> None:
    """Label a drop with what it shows; the next data set includes it.

    Example: ./vigil drops label 0123456789abcdef0123456789abcdef seven
    """
    with session.api("reviewer") as api:
        saved = api.label_drop(find_drop(api, drop), text)
    session.show([saved], lambda: f"{saved['drop']} is labelled {saved['label']}")


def label_file(
    session: Session,
    file: Annotated[Path, Argument(help="A CSV file with the columns drop and label.", exists=True)],
) -> None:
    """Label many drops: each line of a CSV file has a drop's id or its first digits, and a label.

    The exit code is 1 if a line could not be used. `./vigil drop --label-by-folder` labels photos by folder.

    Example: ./vigil drops label-file labels.csv
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        table = csv.DictReader(lines)
        if not {"drop", "label"} <= set(table.fieldnames or ()):
            fail(f"{file} needs a first line with the columns drop and label, such as: drop,label")
        pairs = [(row["drop"] or "", row["label"] or "") for row in table]
    with session.api("reviewer") as api:
        saved = [one for one in (_label(api, *pair) for pair in pairs) if one]
    session.show(saved, lambda: f"{len(saved)} of {len(pairs)} drops are labelled")
    if len(saved) < len(pairs):
        raise click.exceptions.Exit(1)


def _label(api: Vigil, drop: str, text: str) -> LabelOut | None:
    """None, after the reason was printed, if the drop cannot be labelled so."""
    try:
        return api.label_drop(find_drop(api, drop), text.strip())
    except Problem as problem:
        if problem.status >= 500:
            raise
        err.print(f"not labelled: {drop}: {problem.detail or problem.title}")
        return None


def _get_drops(api: Vigil, text: str) -> list[DropOut]:
    """The drops of an object's key, or the drop whose id begins so."""
    if "/" in text:
        found = list(islice(api.list_drops(object=text.removeprefix("s3://")), MAX_FOUND))
    else:
        return [api.get_drop(find_drop(api, text))]
    if not found:
        fail(f"no record of {text}: an object's key has the form live/faces/<source>/<name>")
    return [api.get_drop(row["id"]) for row in found]


def _drop_table(row: DropOut, name_of: NameLookup) -> Table:
    table = new_table(f"Drop {row['id']}", "", "")
    table.add_row("state", coloured(row["state"]))
    for name in ("reason", "message", "error", "stage", "lane", "model", "source", "release", "attempts"):
        if row.get(name):
            table.add_row(name, str(row.get(name)))
    if photo := row.get("object"):
        table.add_row("object", f"{photo['key']} {photo.get('version', '')}")
    times = (("stored", row["at"]), ("claimed", row["first_claimed_at"]), ("ended", row.get("completed_at")))
    for name, at in times:
        if at:
            table.add_row(name, format_time(at))
    for stage, ms in row.get("times_ms", {}).items():
        table.add_row(f"  {stage}", f"{ms:.1f} ms")
    for sighting in row.get("sightings", ()):
        score = format_number(sighting.get("score"))
        table.add_row("sighting", subject_text(sighting, name_of) + f"  {score}")
    for action in row.get("actions", ()):
        table.add_row(action["action"], f"{format_time(action['at'])}  {action['reason']}")
    return table
