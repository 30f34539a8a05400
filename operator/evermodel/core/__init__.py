"""The deciding core: values in, a Plan out. No Kubernetes, no kopf, no asyncio, no clock."""
