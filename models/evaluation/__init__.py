"""Measures a release on a labelled data set, and tells it as JSON and as a page with plots."""
