"""What runs inside a training job: labelled data and a recipe in, a release's folder out."""
