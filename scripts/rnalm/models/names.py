"""Names of tensors in other people's state dicts, by tables {our module: theirs}; `{}` stands for a layer's number."""

import re


def rename(name: str, table: dict[str, str]) -> str:
    """Our tensor's name, such as `layers.3.fc1.weight`, as the table has it; KeyError if its module is not there."""
    if "{" in name or "}" in name:  # it would be read as a place of the table
        raise KeyError(name)
    numbers = re.findall(r"(?<=\.)\d+(?=\.)", name)
    module = re.sub(r"(?<=\.)\d+(?=\.)", "{}", name)
    rest = []
    while module not in table:
        module, dot, last = module.rpartition(".")
        if not dot:
            raise KeyError(name)
        rest.insert(0, last)
    return ".".join((table[module], *rest)).format(*numbers)
