"""Builds the deployment package from the sources: one function zip, its layers and its template.

build/package/<target>/
├── sam.json            the template: Chalice's triggers, merged with infra/template.yaml and the alarms
├── deployment.zip      app.py, functions, vigil, cloud and their third-party packages
├── console/            the static files of the console; absent without npm
└── layers/             as Lambda unpacks them under /opt
    ├── runtime/python/...
    └── models/models/...
"""

from infra.package.build import package
from infra.package.targets import PackagingError

__all__ = ["PackagingError", "package"]
