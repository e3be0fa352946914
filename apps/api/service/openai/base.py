"""What the OpenAI-compatible routes share: their error shape and the names of their models."""

from __future__ import annotations

from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.tiers import error_shapes
from difyproj.tiers.base import ServiceViewSet
from difyproj.tiers.schema import OpenAIErrorBody


class Unsupported(InvalidParam):
    """A part of OpenAI's API that is not offered, and that an answer cannot do without."""

    code = "unsupported_parameter"


class ModelNotFound(NotFound):
    code = "model_not_found"
    default_message = "The model does not exist, or this key has no access to it."


class OpenAIViewSet(ServiceViewSet):
    tag = "OpenAI"
    error_shape = staticmethod(error_shapes.openai)
    error_body = OpenAIErrorBody
