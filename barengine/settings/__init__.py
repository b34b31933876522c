"""What a user can set: environment ``BARENGINE_*`` or a YAML file, checked as a whole.

:func:`load_settings` is the way in; :class:`Settings` is what comes out.
"""

from barengine.settings.choices import (
    Compression,
    InputFormat,
    LogFormat,
    LogLevel,
    SaslMechanism,
    SecurityProtocol,
    Start,
)
from barengine.settings.load import load_settings
from barengine.settings.model import KEYS, Settings
from barengine.settings.sources import ENV_PREFIX, KERNEL_VARIABLE
from barengine.settings.values import MASK, format_duration, mask_url, parse_duration

__all__ = [
    "ENV_PREFIX",
    "KERNEL_VARIABLE",
    "KEYS",
    "MASK",
    "Compression",
    "InputFormat",
    "LogFormat",
    "LogLevel",
    "SaslMechanism",
    "SecurityProtocol",
    "Settings",
    "Start",
    "format_duration",
    "load_settings",
    "mask_url",
    "parse_duration",
]
