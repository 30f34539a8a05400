from tests.unit.hub.conftest import hub

__all__ = ["hub"]
