"""`./vigil`: the tree of commands."""

from collections.abc import Mapping

import click

from vigil import __version__
from vigil_cli.command_line import LazyGroup

GROUPS: Mapping[str, str] = {
    "": """Drop a photo, know who is in it.

    `./vigil up` starts the system on this machine. The other commands use the API of that system, or with
    --stage that of a deployment on AWS.
    """,
    "people": "Enrol, list, tag and erase people.",
    "drops": "Upload photos and clips, and read the records of drops.",
    "models": "Add, register, promote, train and evaluate models.",
    "ops": "Operate a deployment: lanes, dead letters, alarms, rules and the audit log.",
    "ops dlq": "List, redrive and quarantine dead letters; triage does this by itself where it can.",
    "ops audit": "Show and verify the audit log.",
}

COMMANDS: Mapping[str, str] = {
    "up": "local:up",
    "demo": "demo:demo",
    "status": "status:status",
    "drop": "drops:upload",
    "enrol": "people:enrol",
    "sightings": "drops:sightings",
    "alerts": "alerts:alerts",
    "review": "alerts:review",
    "predict": "predict:predict",
    "evaluate": "models:evaluate",
    "camera": "camera:camera",
    "watch-folder": "camera:watch_folder",
    "logs": "local:logs",
    "token": "local:token",
    "people list": "people:list_people",
    "people show": "people:show",
    "people enrol": "people:enrol",
    "people import": "people:import_people",
    "people photos": "people:photos",
    "people delete-photo": "people:delete_photo",
    "people import-rekognition": "import_rekognition:import_rekognition",
    "people rename": "people:rename",
    "people watch": "people:watch",
    "people unwatch": "people:unwatch",
    "people tags": "people:tags",
    "people search": "people:search",
    "people compare": "people:compare",
    "people candidates": "people:candidates",
    "people erase": "people:erase",
    "people verify-erasure": "people:verify_erasure",
    "drops list": "drops:list_drops",
    "drops quarantined": "drops:quarantined",
    "drops show": "drops:show",
    "drops notes": "drops:notes",
    "drops add": "drops:upload",
    "drops label": "drops:label",
    "drops label-file": "drops:label_file",
    "models list": "models:list_models",
    "models show": "models:show",
    "models new": "cards:new",
    "models check": "cards:check",
    "models try": "cards:try_file",
    "models add": "cards:add",
    "models register": "models:register",
    "models promote": "models:promote",
    "models reject": "models:reject",
    "models rollback": "models:rollback",
    "models train": "models:train",
    "models datasets": "models:datasets",
    "models evaluate": "models:evaluate",
    "ops alarms": "alarms:alarms",
    "ops triage": "maintenance:triage",
    "ops reconcile": "maintenance:reconcile",
    "ops backfill": "maintenance:backfill",
    "ops cameras": "camera:list_cameras",
    "ops canary": "maintenance:canary",
    "ops pause": "maintenance:pause",
    "ops resume": "maintenance:resume",
    "ops rules": "rules:rules",
    "ops dlq list": "dlq:list_dead_letters",
    "ops dlq show": "dlq:show",
    "ops dlq redrive": "dlq:redrive",
    "ops dlq quarantine": "dlq:quarantine",
    "ops audit show": "audit:show",
    "ops audit verify": "audit:verify",
}
"""The words of each command -> its module in commands/ and its function there."""

app = LazyGroup(
    "",
    GROUPS,
    COMMANDS,
    epilog="Exit codes: 0 success; 1 a failed check or a missing result; 2 an error; 130 Ctrl-C.",
    context_settings={"max_content_width": 100},
)
click.version_option(__version__, prog_name="vigil", message="%(prog)s %(version)s")(app)

if __name__ == "__main__":
    app(prog_name="./vigil")
