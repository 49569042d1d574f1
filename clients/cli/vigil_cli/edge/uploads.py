"""Uploads waiting files one after the other, until each has arrived or is refused for good."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vigil.drops.messages import CLIP_MODEL, CLIP_SUFFIXES
from vigil_cli.edge.retry import Backoff
from vigil_client import ApiUnreachable, Problem, Vigil

REFUSED_STATUSES = (400, 413, 422)
"""The file itself is refused, by the API or by S3: every repetition would be, too."""


@dataclass
class Uploader:
    """Uploads files of a source.

    on_uploaded  is called with each file that has arrived
    on_refused   is called with each file that is refused for good, and why
    on_problem   is called with what makes it wait
    """

    api: Vigil
    source: str
    model: str
    backoff: Backoff
    on_uploaded: Callable[[Path], None]
    on_refused: Callable[[Path, str], None]
    on_problem: Callable[[str], None]
    uploaded: int = field(default=0, init=False)

    def upload_all(self, files: Iterable[Path]) -> None:
        """Upload files in their order; at the first that does not arrive, wait and return."""
        for file in files:
            if not self._upload(file):
                self.backoff.wait()
                return

    def _upload(self, file: Path) -> bool:
        """Whether nothing is left to do for this file."""
        model = CLIP_MODEL if file.suffix.lower() in CLIP_SUFFIXES else self.model
        try:
            self.api.upload_photo(file, source=self.source, model=model)
        except FileNotFoundError:
            return True
        except Problem as problem:
            if problem.status in REFUSED_STATUSES:
                self.on_refused(file, problem.detail or problem.title)
                return True
            self.on_problem(f"the API refuses the upload: {problem.detail or problem.title}")
            return False
        except (OSError, ApiUnreachable) as error:
            self.on_problem(str(error))
            return False
        self.backoff.reset()
        self.uploaded += 1
        self.on_uploaded(file)
        return True
