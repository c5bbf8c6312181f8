"""Clients of Amazon Web Services. They need the extra `aws` (boto3), which is loaded when first used."""

from __future__ import annotations

import os
from typing import Any

from redun.errors import RedunError

__all__ = ["get_aws_client"]


def get_aws_client(service: str, region: str | None = None) -> Any:
    """Return a boto3 client.

    Credentials and the rest come from where boto3 looks for them; `AWS_ENDPOINT_URL` names another
    server.

    Parameters
    ----------
    service : such as `"lambda"` or `"batch"`.
    region : name of the region; by default the environment variable `AWS_REGION`, then what the
        configuration of AWS says.

    Raises `RedunError` if boto3 is not installed or has no region.
    """
    try:
        import boto3
        from botocore.exceptions import NoRegionError
    except ImportError as error:
        raise RedunError(
            f"AWS {service} needs the package boto3.", hints=["pip install 'redun[aws]'"]
        ) from error
    try:
        return boto3.client(service, region_name=region or os.environ.get("AWS_REGION"))
    except NoRegionError as error:
        raise RedunError(
            f"AWS {service} needs a region.", hints=["set the environment variable AWS_REGION"]
        ) from error
