"""Turns the rooms of this repository into what ships: one function zip, its layers and its template.

build/package/<target>/
├── sam.json            the template: Chalice's triggers, merged with infra/template.yaml
├── deployment.zip      app.py, functions, vigil, cloud and the light third-party packages
└── layers/             as Lambda unpacks them under /opt
    ├── runtime/python/...
    └── models/models/...
"""

from infra.package.build import package
from infra.package.errors import PackagingError

__all__ = ["PackagingError", "package"]
