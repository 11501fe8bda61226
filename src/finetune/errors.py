"""Mistakes of a user: told in one line, without a traceback, with exit code 2."""

EXIT_CODE = 2


class UserError(Exception):
    """What is wrong, where (file and line, or key), and what to do, in one line."""


class ParamsError(UserError):
    """A parameter that is unknown, of the wrong type or out of range."""


class DataError(UserError):
    """Rows or files that cannot be used as they are."""


class HubError(UserError):
    """The Hugging Face hub cannot be reached, or refuses."""


class ModelError(UserError):
    """A model folder or repository that cannot be loaded."""
