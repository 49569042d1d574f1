"""Tiny packaged folders for the tests: a template and plain handlers, as `make package` would leave them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from infra.local.sandbox import VERSION

Template = dict[str, Any]


def function(handler: str, *, events: Template | None = None, **properties: Any) -> Template:
    """A serverless function of app.py."""
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": VERSION,
            "Handler": f"app.{handler}",
            "FunctionName": handler,
            "CodeUri": "./deployment.zip",
            "Timeout": 10,
            "MemorySize": 256,
            **({"Events": events} if events else {}),
            **properties,
        },
    }


def queue(name: str, **properties: Any) -> Template:
    """A queue whose failed messages soon come back."""
    return {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": name, "VisibilityTimeout": 1, **properties},
    }


def arn(logical: str) -> Template:
    """A reference by ARN."""
    return {"Fn::GetAtt": [logical, "Arn"]}


def package(folder: Path, resources: Template, code: str, **sections: Any) -> Path:
    """Write the packaged folder."""
    folder.mkdir(parents=True, exist_ok=True)
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": resources,
        **sections,
    }
    (folder / "sam.json").write_text(json.dumps(template))
    with zipfile.ZipFile(folder / "deployment.zip", "w") as archive:
        archive.writestr("app.py", code)
    return folder
