"""The page's templates, and those of kinds, which may use the page's macros."""

from pathlib import Path

FOLDER = Path(__file__).parent


def render(template: Path, **values: object) -> str:
    """A template's HTML: text is escaped, Markup is not, and a name without a value is an error.

    Templates of its own folder and of this one can be included and imported by their name alone.
    """
    # Imported here: other users of this package need no templates.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([template.parent, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(values)
