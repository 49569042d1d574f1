"""Promises as data (infra/slo.toml) become burn-rate alarms and one dashboard, in CloudFormation."""

from infra.slo.objectives import BadPlan, Plan, read
from infra.slo.resources import monitored, resources

__all__ = ["BadPlan", "Plan", "monitored", "read", "resources"]
