"""The errors somebody catches.

SslflowError
├── UserError            the user's mistake: one line, exit code 2
│   └── ConfigError      params.yaml, an override or an argument is wrong
├── NotLearningError     training stopped itself: a non-finite loss or a collapse; exit code 1
└── TrainingInterrupted  training was asked to stop and can be gone on with; exit code 75 (EX_TEMPFAIL)
"""

__all__ = ["ConfigError", "NotLearningError", "SslflowError", "TrainingInterrupted", "UserError"]


class SslflowError(Exception):
    """Base of all errors raised on purpose."""


class UserError(SslflowError):
    """Something the user gave cannot be used. The message is one line: what, where, what to do."""


class ConfigError(UserError):
    """A key or value in params.yaml, in an override or in an argument is wrong."""


class NotLearningError(SslflowError):
    """Training was stopped because the loss is not finite or the features have collapsed."""


class TrainingInterrupted(SslflowError):
    """Training was stopped from outside (SIGTERM); the same command goes on from its checkpoint."""
