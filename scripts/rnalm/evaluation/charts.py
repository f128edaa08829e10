"""The report's interactive charts, as Vega-Lite specifications with their data inside.

Colours are Okabe and Ito's, told apart by colour-blind readers; the page sets text and grid colours for its light and
dark scheme, so that nothing here may fix them. Every chart takes the width of its container.
"""

import altair as alt
import polars as pl

from rnalm.structure.drawing import COLOURS

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#8A8A8A"
VIOLET = "#7B5CD6"  # beside the eight of the palette, for a ninth family
PALETTE = [BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW, GREY, VIOLET]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]

# More columns of names are cut off on a phone.
TWO_COLUMNS = alt.Legend(columns=2)

MOST_CURVE_POINTS = 400
MOST_DOTTED = 60  # points of a curve that still get a dot each
MOST_ATLAS_POINTS = 1000


def specification(chart: alt.Chart, description: str, height: int = 240) -> dict:
    """Chart -> Vega-Lite dict as wide as its container, `height` px high, without the library's own theme."""
    spec = chart.properties(width="container", height=height, description=description).to_dict()
    spec.pop("config", None)
    return spec


def lengths(counts: pl.DataFrame) -> dict:
    """Histogram of sequence lengths; `counts`: low, high (nt), sequences, one row per bin."""
    chart = (
        alt.Chart(counts)
        .mark_bar(color=BLUE, binSpacing=0)
        .encode(
            x=alt.X("low:Q", title="Length (nt, log scale)", scale=alt.Scale(type="log", nice=False)).axis(
                values=[n * 10**power for power in range(1, 6) for n in (1, 2, 5)]
            ),
            x2="high:Q",
            y=alt.Y("sequences:Q", title="Unique sequences"),
            y2=alt.datum(0),
            tooltip=["low:Q", "high:Q", "sequences:Q"],
        )
    )
    return specification(chart, "Histogram of the lengths of the unique sequences")


def composition(counts: pl.DataFrame) -> dict:
    """Bars of unique sequences per family; `counts`: family, sequences, in the order to show."""
    families = counts["family"].to_list()
    base = alt.Chart(counts).encode(
        y=alt.Y("family:N", sort=families, title=None),
        x=alt.X("sequences:Q", title="Unique sequences").scale(domainMax=1.15 * counts["sequences"].max()),
        tooltip=["family:N", "sequences:Q"],
    )
    labels = base.mark_text(align="left", dx=4).encode(text=alt.Text("sequences:Q", format=","))
    return specification(
        base.mark_bar(color=GREEN) + labels, "Number of unique sequences of each family", 24 * len(families)
    )


def cluster_sizes(counts: pl.DataFrame) -> dict:
    """Bars on a log scale; `counts`: size (label of a doubling range), clusters."""
    base = alt.Chart(counts).encode(
        x=alt.X("size:O", sort=counts["size"].to_list(), title="Members of a cluster").axis(
            labelAngle=0, labelOverlap=True
        ),
        y=alt.Y("clusters:Q", title="Clusters (log scale)")
        .scale(type="log", domain=[0.5, 2 * counts["clusters"].max()], nice=False)
        .axis(values=[10**power for power in range(9)], format="~s"),
        y2=alt.datum(0.5),
        tooltip=["size:O", "clusters:Q"],
    )
    labels = (
        alt.Chart(counts)
        .mark_text(dy=-7)
        .encode(
            x=alt.X("size:O", sort=counts["size"].to_list()),
            y="clusters:Q",
            text=alt.Text("clusters:Q", format=".3~s"),
        )
    )
    return specification(base.mark_bar(color=PURPLE) + labels, "Number of clusters by cluster size, on a log scale")


def leakage(summary: pl.DataFrame, description: str) -> dict:
    """Share of items with a relative, over the identity asked; `summary`: part, target, strand, identity, fraction."""
    rows = summary.with_columns(against=pl.format("{}, {}", "target", "strand"))
    names = rows["against"].unique(maintain_order=True).to_list()
    colours = alt.Scale(domain=names, range=PALETTE[: len(names)])
    base = alt.Chart(rows.select("part", "against", "identity", "items", "covered", "fraction")).encode(
        x=alt.X("identity:Q", title="Identity of at least").scale(domain=[0.5, 1], nice=False),
        y=alt.Y("fraction:Q", title="Share of the items").scale(domain=[0, 1]).axis(format="%"),
        color=alt.Color("against:N", title=None, sort=names, scale=colours, legend=TWO_COLUMNS),
        tooltip=["part:N", "against:N", "identity:Q", "covered:Q", "items:Q"],
    )
    # The dashes on lines alone: a legend of points shows none.
    parts = alt.StrokeDash("part:N", title=None, legend=alt.Legend(columns=1))
    chart = base.mark_line().encode(strokeDash=parts) + base.mark_circle(size=50, opacity=1)
    return specification(chart, description)


def shares(rows: pl.DataFrame, title: str, description: str) -> dict:
    """Grouped bars of how sets divide over classes; `rows`: class, set, fraction, in the order to show."""
    classes, sets = (rows[name].unique(maintain_order=True).to_list() for name in ("class", "set"))
    chart = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            y=alt.Y("class:N", sort=classes, title=title),
            yOffset=alt.YOffset("set:N", sort=sets),
            x=alt.X("fraction:Q", title="Share").axis(format="%"),
            color=alt.Color("set:N", title=None, sort=sets, legend=TWO_COLUMNS).scale(
                domain=sets, range=PALETTE[: len(sets)]
            ),
            tooltip=["class:N", "set:N", alt.Tooltip("fraction:Q", format=".2%")],
        )
    )
    return specification(chart, description, 12 * len(sets) * len(classes))


def curve_points(history: pl.DataFrame) -> pl.DataFrame:
    """Training log thinned to means over equal stretches of steps, with the loss smoothed besides (`smooth`)."""
    stretch = max(1, -(-len(history) // MOST_CURVE_POINTS))
    columns = ["step", "loss", "masked_accuracy", "learning_rate", "tokens_per_second"]
    thin = history.select(columns).group_by(pl.int_range(pl.len()) // stretch, maintain_order=True).mean()
    smoothed = pl.col("loss").rolling_mean(1 + 2 * (len(thin) // 40), min_samples=1, center=True)
    return thin.with_columns(smooth=smoothed).select([pl.col(name).round_sig_figs(5) for name in [*columns, "smooth"]])


def step_axis() -> alt.X:
    return alt.X("step:Q", title="Optimiser step").axis(format="~s")


def line(table: pl.DataFrame, field: str, title: str, number: str, description: str, colour: str) -> dict:
    """One curve over the optimiser steps, from zero up; `number` formats its axis."""
    chart = (
        alt.Chart(table)
        .mark_line(color=colour, point=alt.OverlayMarkDef(color=colour) if len(table) < MOST_DOTTED else False)
        .encode(
            x=step_axis(),
            y=alt.Y(f"{field}:Q", title=title).scale(zero=True).axis(format=number),
            tooltip=["step:Q", f"{field}:Q"],
        )
    )
    return specification(chart, description, 180)


def training_and_validation(history, validation, field: str, smooth: str, title: str, description: str) -> dict:
    """Training curve `smooth` over the raw one, and dots of the validation curve, with a legend."""
    kinds = alt.Color("kind:N", title=None).scale(domain=["training", "validation"], range=[BLUE, VERMILLION])
    raw = (
        alt.Chart(history)
        .mark_line(color=BLUE, opacity=0.25, strokeWidth=1)
        .encode(x=step_axis(), y=alt.Y(f"{field}:Q", title=title).scale(zero=False))
    )
    both = pl.concat(
        [
            history.select("step", pl.col(smooth).alias("value"), pl.lit("training").alias("kind")),
            validation.select(
                "step", pl.col(field).round_sig_figs(5).alias("value"), pl.lit("validation").alias("kind")
            ),
        ],
        how="vertical_relaxed",
    )
    lines = (
        alt.Chart(both)
        .mark_line()
        .encode(x=step_axis(), y="value:Q", color=kinds, tooltip=["kind:N", "step:Q", "value:Q"])
    )
    dots = lines.mark_point(filled=True, size=30).transform_filter("datum.kind == 'validation'")
    return specification(raw + lines + dots, description, 180)


def training(history: pl.DataFrame, validation: pl.DataFrame) -> dict[str, dict]:
    """Name -> chart of the pre-training run; tables as in history.csv and validation.csv."""
    points = curve_points(history)
    return {
        "Masked-language-model loss": training_and_validation(
            points, validation, "loss", "smooth", "Loss (nats)", "Training and validation loss over the steps"
        ),
        "Perplexity on held-out clusters": line(
            validation, "perplexity", "Perplexity", "~g", "Validation perplexity over the steps", VERMILLION
        ),
        "Accuracy at masked positions": training_and_validation(
            points,
            validation,
            "masked_accuracy",
            "masked_accuracy",
            "Fraction right",
            "Masked accuracy in training and validation over the steps",
        ),
        "Learning rate": line(points, "learning_rate", "Learning rate", "~e", "Learning rate over the steps", PURPLE),
        "Speed": line(
            points, "tokens_per_second", "Real tokens per second", "~s", "Tokens per second over the steps", GREEN
        ),
    }


def contacts(pairs: pl.DataFrame, length: int, description: str) -> dict:
    """Square map of base pairs; `pairs`: i, j (1-based; true pairs have i < j, predicted ones i > j), bases, kind."""
    scale = alt.Scale(domain=[1, length], nice=False, padding=2)
    kinds = list(COLOURS)
    diagonal = alt.Chart(pl.DataFrame({"i": [1, length]})).mark_line(strokeWidth=1, color=GREY)
    diagonal = diagonal.encode(x=alt.X("i:Q", scale=scale), y=alt.Y("i:Q", scale=scale))
    points = (
        alt.Chart(pairs)
        .mark_point(filled=True, size=max(10, min(40, 4000 // length)), opacity=1)
        .encode(
            x=alt.X("j:Q", title="Position", scale=scale),
            y=alt.Y("i:Q", title="Position", scale=scale).sort("descending"),
            color=alt.Color("kind:N", legend=None).scale(domain=kinds, range=list(COLOURS.values())),
            shape=alt.Shape("kind:N", legend=None).scale(domain=kinds, range=["square", "diamond", "cross"]),
            tooltip=["i:Q", "j:Q", "bases:N", "kind:N"],
        )
    )
    return specification(diagonal + points, description, 280)


def atlas(points: pl.DataFrame, families: list[str], description: str) -> dict:
    """Map in a plane; `points`: x, y, family, length; `families`: all of them, so that maps share their colours."""
    every = -(-max(len(points), 1) // MOST_ATLAS_POINTS)
    thin = points.gather_every(every).with_columns(pl.col("x", "y").round(2))
    colours = [PALETTE[n % len(PALETTE)] for n in range(len(families))]
    shapes = [SHAPES[(n % len(PALETTE) + n // len(PALETTE)) % len(SHAPES)] for n in range(len(families))]
    legend = alt.Legend(orient="bottom", columns=3, symbolOpacity=1, symbolSize=60)
    chart = (
        alt.Chart(thin)
        .mark_point(filled=True, size=26, opacity=0.85)
        .encode(
            x=alt.X("x:Q", axis=None).scale(zero=False),
            y=alt.Y("y:Q", axis=None).scale(zero=False),
            color=alt.Color("family:N", title=None, legend=legend).scale(domain=families, range=colours),
            shape=alt.Shape("family:N", title=None, legend=legend).scale(domain=families, range=shapes),
            tooltip=["family:N", "length:Q"],
        )
        .properties(usermeta={"embedOptions": {"renderer": "canvas"}})
    )
    return specification(chart, description, 280)
