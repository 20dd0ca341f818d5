"""The errors somebody catches.

SslflowError
├── UserError            the user's mistake: one line, exit code 2
│   └── ConfigError      params.yaml, an override or an argument is wrong
└── NotLearningError     training stopped itself: a non-finite loss or a collapse; exit code 1
"""

__all__ = ["ConfigError", "NotLearningError", "SslflowError", "UserError"]


class SslflowError(Exception):
    """Base of all errors raised on purpose."""


class UserError(SslflowError):
    """Something the user gave cannot be used. The message is one line: what, where, what to do."""


class ConfigError(UserError):
    """A key or value in params.yaml, in an override or in an argument is wrong."""


class NotLearningError(SslflowError):
    """Training was stopped because the loss is not finite or the features have collapsed."""
