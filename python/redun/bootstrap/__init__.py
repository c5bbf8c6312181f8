"""Find the configuration and build the scheduler and the backend from it: face of the package."""

from redun.bootstrap.config import (
    find_config_dir,
    get_config_dir,
    get_config_path,
    is_config_local_db,
    setup_config,
)
from redun.bootstrap.errors import RedunClientError, UsageError
from redun.bootstrap.scheduler import backend_from_config, setup_backend_db, setup_scheduler
from redun.bootstrap.scripts import import_script, parse_func_path
from redun.bootstrap.setup_args import format_setup_help, get_setup_function, get_setup_parser

__all__ = [
    "RedunClientError",
    "UsageError",
    "backend_from_config",
    "find_config_dir",
    "format_setup_help",
    "get_config_dir",
    "get_config_path",
    "get_setup_function",
    "get_setup_parser",
    "import_script",
    "is_config_local_db",
    "parse_func_path",
    "setup_backend_db",
    "setup_config",
    "setup_scheduler",
]
