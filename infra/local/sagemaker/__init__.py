"""SageMaker training jobs: the same container entry point and folders, run as local processes."""
