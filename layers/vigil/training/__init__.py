"""The models' life: data sets, training jobs, evaluation, drift, gates and the stages of a release. Pure."""
