"""Names, folders and exit codes that pods, Jobs and the operator agree on."""

CONTRACT_VERSION = 1
RUN_ENV = "EVERMODEL_RUN"
"""Environment variable of a Job's container that holds its TrainRun or EvaluateRun as JSON."""
SERVE_ENV = "EVERMODEL_SERVE"
"""Environment variable of a serving container that holds its ServeConfig as JSON."""
TOKEN_ENV = "EVERMODEL_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable with the pod's own role token, from a Secret."""
HUB_KEY_ENV = "EVERMODEL_HUB_KEY"
"""Environment variable of the hub with the namespace's key, from a Secret."""
TERMINATION_MESSAGE_LIMIT = 2048
"""Bytes of a Job's termination message that the operator reads; the full report is in the hub."""
SOURCE_MOUNT = "/var/run/evermodel/source"
"""Folder at which the operator mounts the ConfigMap or the claim of a source, or the Secret of an https:// source."""
INPUT_ENV = "EVERMODEL_INPUT"
"""Environment variable of the user's container: the folder with the rows to learn from."""
OUTPUT_ENV = "EVERMODEL_OUTPUT"
"""Environment variable of the user's container: the folder that it writes its model to."""
STATE_ENV = "EVERMODEL_STATE"
"""Folder of what is told past the user's container, which does not mount it."""
METRICS_ENV = "EVERMODEL_METRICS"
"""Folder with one folder for each custom metric, which its container wrote."""
INPUT_MOUNT = "/evermodel/input"
OUTPUT_MOUNT = "/evermodel/output"
STATE_MOUNT = "/evermodel/state"
METRICS_MOUNT = "/evermodel/metrics"
DATA_ERROR_EXIT_CODE = 3
"""A Job that ends so found bad data or a bad specification: running it again cannot help."""
DISRUPTION_EXIT_CODE = 4
"""A Job that ends so was interrupted, or the hub was away: its pod is started again, and nothing is counted."""
