"""Deploys build/package/aws to an AWS account: artefacts on S3, then a confirmed change set."""
