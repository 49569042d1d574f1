"""SageMaker's training jobs on this machine: the same container entry point under the same folders."""
