"""The credential for Azure, under the name it has in the original."""

from redun.clients.azure import get_az_credential

__all__ = ["get_az_credential"]
