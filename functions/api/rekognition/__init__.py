"""Amazon Rekognition's API: AWS JSON 1.1 at `POST /rekognition`, from Vigil's models and galleries."""
