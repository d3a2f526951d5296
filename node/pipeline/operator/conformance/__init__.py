"""The DICOM conformance statement and the IHE integration statement of a configuration."""

from node.pipeline.operator.conformance.statement import conformance_statement, integration_statement

__all__ = ["conformance_statement", "integration_statement"]
