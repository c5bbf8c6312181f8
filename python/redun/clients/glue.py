"""AWS Glue: Spark with tables on S3. The library is there in Glue's own environment only."""

from __future__ import annotations

from typing import Any


def glue_context() -> Any:
    """The Glue context of this process.

    Raises
    ------
    ValueError
        This process is not one of Glue's.
    """
    try:
        from awsglue.context import GlueContext
        from pyspark.context import SparkContext
    except ImportError as error:
        raise ValueError("Glue not installed. Are you running locally?") from error
    return GlueContext(SparkContext.getOrCreate())


def dynamic_frame(frame: Any, context: Any) -> Any:
    """A frame of pandas or Spark as one of Glue."""
    from awsglue.dynamicframe import DynamicFrame

    if type(frame).__module__.split(".")[0] == "pandas":
        frame = context.spark_session.createDataFrame(frame)
    return DynamicFrame.fromDF(frame, context, "dataset")
