"""An app's configuration: the one schema of what Dify calls the model config. Parse it once, keep it, never change it."""

from .inputs import check_inputs
from .knowledge import with_datasets
from .parameters import parameters
from .schema import AppConfig, dump, parse

__all__ = ["AppConfig", "check_inputs", "dump", "parameters", "parse", "with_datasets"]
