"""`python -m infra.describe`: after a change of the API's shapes."""

from infra.describe.writing import written

if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
