"""The charts of a report page, each under the id of its element."""


class Figures:
    """Collects chart specifications; the page's script draws each into the element of its id."""

    def __init__(self):
        self.specs: dict[str, dict] = {}

    def add(self, spec: dict, title: str) -> dict:
        """Register a chart; returns what the template needs to place it."""
        identifier = f"chart-{len(self.specs) + 1}"
        self.specs[identifier] = spec
        return {"id": identifier, "title": title, "label": f"{title}. {spec['description']}"}
