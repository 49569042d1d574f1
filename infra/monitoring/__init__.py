"""Objectives and alarms of infra/slo.toml as CloudFormation alarms and one dashboard."""

from infra.monitoring.alarms import add_monitoring, monitoring_resources
from infra.monitoring.slo import InvalidSloConfig, SloConfig, read_slo_config

__all__ = ["InvalidSloConfig", "SloConfig", "add_monitoring", "monitoring_resources", "read_slo_config"]
