"""Worker of face_recognition: reads photo paths from stdin, writes times and encodings as JSON."""

import json
import sys
import time

import face_recognition  # type: ignore[import-not-found]


def main() -> None:
    for line in sys.stdin:
        began = time.perf_counter()
        image = face_recognition.load_image_file(line.rstrip("\n"))
        places = face_recognition.face_locations(image)
        encodings = face_recognition.face_encodings(image, places)
        seconds = time.perf_counter() - began
        answer = {
            "ms": seconds * 1000,
            "encodings": [encoding.tolist() for encoding in encodings],
            "boxes": [(left, top, right, bottom) for top, right, bottom, left in places],
            "size": image.shape[1::-1],
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
