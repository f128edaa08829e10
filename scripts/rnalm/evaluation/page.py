"""What all report pages share: one HTML file that opens offline, in one style.

Charts are Vega-Lite specifications, drawn by the Vega libraries that are inlined once; a content security policy in the
page forbids any request.
"""

import json
from pathlib import Path

import jinja2
import polars as pl
import vl_convert

from rnalm import provenance
from rnalm.errors import InputError
from rnalm.evaluation import lineage, numbers
from rnalm.evaluation.figures import Figures

MOST_FILES = 20  # listed per stage run; the manifest names all


def render(template: str, figures: Figures, sections: dict) -> str:
    """The page of a template in templates/, as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rnalm.evaluation"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": numbers.words, "shown": numbers.shown, "interval": numbers.interval}
    environment.filters |= {"thousands": "{:,}".format, "size": size, "duration": duration}
    return environment.get_template(template).render(
        **sections, most_files=MOST_FILES, charts=script_json(figures.specs), vega=vl_convert.javascript_bundle()
    )


def output(manifest: Path, name: str) -> Path:
    """The output file `name` of a manifest; InputError if it names none."""
    found = [path for path in provenance.outputs(manifest) if path.name == name]
    if not found:
        raise InputError(manifest, f"names no output {name}", "run the stage that makes it again")
    return found[0]


def read_table(path: Path) -> pl.DataFrame:
    """A CSV whose column types come from all of its rows: a long log may start with whole numbers."""
    return pl.read_csv(path, infer_schema_length=None)


def lineages(manifests) -> dict:
    """The stages behind the manifests and the versions they ran with."""
    stages = lineage.ancestors(manifests)
    return {"stages": lineage.grouped(stages), "versions": lineage.versions(stages)}


def size(count: float) -> str:
    """Bytes in the unit that leaves up to three digits before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def script_json(value) -> str:
    """JSON that may stand inside a <script> element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
