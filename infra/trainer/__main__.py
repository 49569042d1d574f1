"""`python -m infra.trainer`: make the training environment, and print its interpreter."""

import sys

from infra.trainer.environment import NoTrainer, trainer_python


def main() -> int:
    try:
        python = trainer_python()
    except NoTrainer as error:
        sys.stderr.write(f"trainer: {error}\n")
        return 1
    sys.stdout.write(f"{python}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
