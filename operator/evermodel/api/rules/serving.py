"""How many pods serve."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel.api.modeldeployment import Autoscaling, Serving
from evermodel.api.rules.rule import Rule

STRUCT_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    Autoscaling: (
        Rule(
            rule="has(self.cpuUtilization) || has(self.inFlight)",
            message="what is it to follow? Declare cpuUtilization, such as 70, or inFlight, or both",
        ),
        Rule(
            rule="self.minReplicas <= self.maxReplicas",
            message="must not be above maxReplicas",
            field_path=".minReplicas",
        ),
    ),
    Serving: (
        Rule(
            rule="!has(self.replicas) || !has(self.autoscaling)",
            message="is set by the autoscaler: leave it out, and take one that was set before away with replicas: null",
            field_path=".replicas",
        ),
        Rule(
            rule=(
                "!has(self.autoscaling) || !has(self.autoscaling.cpuUtilization)"
                " || (has(self.template) && has(self.template.resources) && has(self.template.resources.requests)"
                " && 'cpu' in self.template.resources.requests)"
            ),
            message=(
                "is a share of what a pod requests: declare serving.template.resources.requests.cpu, such as 1, which "
                "is 100 %"
            ),
            field_path=".autoscaling.cpuUtilization",
        ),
    ),
}
