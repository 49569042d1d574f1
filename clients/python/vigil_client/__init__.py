"""A typed client of the Vigil API.

from vigil_client import Vigil

vigil = Vigil("https://…/api", token="…")
drop = vigil.drop_photo("door.jpg", source="door-3")
"""

from vigil_client.client import Vigil
from vigil_client.problems import (
    ApiUnreachable,
    Conflict,
    Forbidden,
    NotFound,
    Problem,
    Unauthorized,
    UnprocessableContent,
)
from vigil_client.rekognition import rekognition

__all__ = [
    "ApiUnreachable",
    "Conflict",
    "Forbidden",
    "NotFound",
    "Problem",
    "Unauthorized",
    "UnprocessableContent",
    "Vigil",
    "rekognition",
]
