"""What a user can set: environment ``BARENGINE_*`` or a YAML file, checked as a whole.

:func:`load_settings` is the way in; :class:`Settings` is what comes out.
"""

from barengine.settings.aliases import SymbolAliases
from barengine.settings.choices import (
    Compression,
    InputFormat,
    LogFormat,
    LogLevel,
    SaslMechanism,
    SecurityProtocol,
    Start,
    SubjectStrategy,
)
from barengine.settings.load import Loaded, load_settings, load_with_origins
from barengine.settings.model import KEYS, Settings
from barengine.settings.schedule import ScheduleFrom, ScheduleKind
from barengine.settings.sources import ENV_PREFIX, KERNEL_VARIABLE
from barengine.settings.values import MASK, format_duration, mask_url, parse_duration

__all__ = [
    "ENV_PREFIX",
    "KERNEL_VARIABLE",
    "KEYS",
    "MASK",
    "Compression",
    "InputFormat",
    "Loaded",
    "LogFormat",
    "LogLevel",
    "SaslMechanism",
    "ScheduleFrom",
    "ScheduleKind",
    "SecurityProtocol",
    "Settings",
    "Start",
    "SubjectStrategy",
    "SymbolAliases",
    "format_duration",
    "load_settings",
    "load_with_origins",
    "mask_url",
    "parse_duration",
]
