"""Settings of a program: a dataclass filled from a TOML file and the environment; a wrong one names its place.

    @dataclass(frozen=True)
    class Settings:
        port: int = field(8787, ge=0, le=65535, doc="TCP port; 0: any free one")

    loaded = load(Settings, "BARNSTORM_SERVER_", file, os.environ)

The environment goes before the file, the file before the default. Fields are `str`, `int`, `float`, `bool`, `Path`, a
`Literal` of words, `List[str]`, an `Optional` of these, or a dataclass of such fields: a table, whose settings have
dotted names. Constraints are those of `barnstorm.model.base.field`. An empty variable counts as not set; a list in a
variable is separated by commas; a relative path in a file starts from that file's folder. `docs` writes the same
settings down as a table and as an example file.
"""

from .reading import Loaded, SettingsError, load, variable_of

__all__ = ["Loaded", "SettingsError", "load", "variable_of"]
