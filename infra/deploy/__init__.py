"""Ships build/package/aws to an AWS account: artefacts to S3, then one reviewed CloudFormation change set."""
