"""Line ends and blanks of texts, the same for every kind."""


def text_field(row: dict, name: str) -> str:
    """A field that must be text.

    Raises:
        ValueError: it is missing or of another type.
    """
    value = row.get(name)
    if value is None:
        raise ValueError(f"{name} is missing")
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r:.60}, must be text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} holds half a character at position {error.start}") from None
    return value


def id_field(row: dict) -> str:
    """The row's id as text.

    Raises:
        ValueError: it is missing, empty or no text or integer.
    """
    value = row.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int) or str(value).strip() == "":
        raise ValueError(f"id is {value!r}, must be text or an integer")
    return str(value)


def normalized(text: str) -> str:
    """`\\n` as the only line end, no blanks at the ends of lines or of the text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.strip() for line in lines).strip()
