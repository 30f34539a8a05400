"""The custom resources as Python types: the one source of the CRDs, their defaults and the reference pages."""

GROUP = "evermodel.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
