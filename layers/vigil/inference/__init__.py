"""Model cards, releases, onnxruntime sessions, image decoding and preprocessing, and classifiers."""
