"""Charts of results, as Vega-Lite specifications: of any task, and of each kind."""

import altair as alt
import polars as pl

from rnalm.evaluation.cards import by_name
from rnalm.evaluation.charts import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, VIOLET, YELLOW, specification
from rnalm.evaluation.names import INITS
from rnalm.evaluation.numbers import words
from rnalm.evaluation.strata import STRATA

INIT_COLOURS = dict(zip(INITS, [BLUE, SKY, PURPLE, VIOLET, YELLOW, ORANGE, GREEN, VERMILLION, GREY], strict=True))
MOST_RNAS = 300  # dots per model and split
MOST_POINTS = 800  # of a scatter plot
MOST_CELLS_WITH_NUMBERS = 6  # classes of a confusion matrix whose cells hold their counts


def init_colour() -> alt.Color:
    return alt.Color("init:N", legend=None).scale(domain=list(INIT_COLOURS), range=list(INIT_COLOURS.values()))


def means(rows: pl.DataFrame, metric: str) -> dict:
    """A metric with its interval per model; `rows`: name, init, value, ci_low, ci_high, values not all undefined."""
    ends = [pl.col(end).fill_nan(None).fill_null(pl.col("value")) for end in ("ci_low", "ci_high")]
    known = rows.filter(pl.col("value").is_finite()).select("name", "init", "value", *ends)
    names = known["name"].to_list()
    base = alt.Chart(known).encode(y=alt.Y("name:N", sort=names, title=None), color=init_colour())
    shown = ["name:N", *(alt.Tooltip(f"{field}:Q", format=".3f") for field in ("value", "ci_low", "ci_high"))]
    axis = alt.X("ci_low:Q", title=f"{words(metric)}, 95 % interval").scale(domain=domain(known, metric), nice=True)
    chart = base.mark_rule(strokeWidth=3).encode(x=axis, x2="ci_high:Q", tooltip=shown)
    chart += base.mark_point(filled=True, size=110, opacity=1).encode(x="value:Q", tooltip=shown)
    return specification(chart, f"{words(metric)} of each model with its confidence interval", 34 * len(names))


def domain(rows: pl.DataFrame, metric: str) -> list[float]:
    """All of the intervals with a little room, within what the metric can be."""
    low, high = rows["ci_low"].min(), rows["ci_high"].max()
    room = 0.05 * (high - low) or 0.05
    card = by_name().get(metric)
    least, most = card.range if card else (None, None)
    low = low - room if least is None else max(least, low - room)
    return [low, high + room if most is None else min(most, high + room)]


def distributions(rows: pl.DataFrame) -> dict:
    """F1 of single RNAs as dots, with median and quartiles; `rows`: name, init, id, score."""
    names = rows["name"].unique(maintain_order=True).to_list()
    quartiles = rows.group_by("name", "init", maintain_order=True).agg(
        low=pl.col("score").quantile(0.25, "linear"),
        middle=pl.col("score").median(),
        high=pl.col("score").quantile(0.75, "linear"),
    )
    picked = rows.filter((pl.int_range(pl.len()) % ((pl.len() + MOST_RNAS - 1) // MOST_RNAS) == 0).over("name"))
    jitter = (pl.int_range(pl.len()) * 0.618034 % 1 - 0.5).round(3)  # evenly spread, the same every time
    picked = picked.select("name", "init", "id", f1=pl.col("score").round(3), jitter=jitter)
    across = alt.Y("name:N", sort=names, title=None)
    dots = (
        alt.Chart(picked)
        .mark_circle(size=22, opacity=0.35)
        .encode(
            x=alt.X("f1:Q", title="F1 of one RNA").scale(domain=[0, 1]),
            y=across,
            yOffset=alt.YOffset("jitter:Q").scale(domain=[-0.8, 0.8]),
            color=init_colour(),
            tooltip=["id:N", "f1:Q"],
        )
    )
    shown = [alt.Tooltip(f"{field}:Q", format=".3f") for field in ("low", "middle", "high")]
    base = alt.Chart(quartiles).encode(y=across, color=init_colour(), tooltip=shown)
    chart = dots + base.mark_rule(strokeWidth=4).encode(x="low:Q", x2="high:Q")
    chart += base.mark_tick(thickness=4, size=26).encode(x="middle:Q")
    return specification(chart, "F1 of every test RNA by model, with median and quartiles", 52 * len(names))


def strata(rows: pl.DataFrame, metric: str) -> dict:
    """A metric by the identity of the nearest relative; `rows`: name, init, stratum, n, value, ci_low, ci_high."""
    order = [stratum for stratum in STRATA if stratum != "all"]
    known = rows.filter(pl.col("stratum").is_in(order), pl.col("value").is_finite())
    known = known.select("name", "init", "stratum", "n", pl.col("value", "ci_low", "ci_high").round(4))
    models = known.select("name", "init").unique(maintain_order=True).rows()
    names, ranges = [name for name, _ in models], [INIT_COLOURS[init] for _, init in models]
    base = alt.Chart(known).encode(
        x=alt.X("stratum:O", sort=order, title="Identity of the nearest relative").axis(labelAngle=0),
        color=alt.Color("name:N", title=None, sort=names).scale(domain=names, range=ranges),
        xOffset=alt.XOffset("name:N", sort=names),
        tooltip=["name:N", "stratum:O", "n:Q", "value:Q", "ci_low:Q", "ci_high:Q"],
    )
    axis = alt.Y("ci_low:Q", title=words(metric)).scale(zero=False)
    chart = base.mark_rule(strokeWidth=2).encode(y=axis, y2="ci_high:Q")
    chart += base.mark_point(filled=True, size=70, opacity=1).encode(y="value:Q")
    return specification(chart, f"{words(metric)} by the identity of each item's nearest relative", 200)


def scatter(items: pl.DataFrame) -> dict:
    """Predicted against measured numbers, MOST_POINTS at most, evenly over the measured; `items`: true, predicted."""
    picked = items.sort("true", "predicted").gather_every(-(-len(items) // MOST_POINTS))
    picked = picked.select(pl.col("true", "predicted").round_sig_figs(4))
    ends = [picked.min_horizontal().min(), picked.max_horizontal().max()]
    scale = alt.Scale(domain=ends, nice=True)
    diagonal = alt.Chart(pl.DataFrame({"true": ends})).mark_line(strokeWidth=1, color=GREY)
    diagonal = diagonal.encode(x=alt.X("true:Q", scale=scale), y=alt.Y("true:Q", scale=scale))
    dots = (
        alt.Chart(picked)
        .mark_circle(size=24, opacity=0.6, color=BLUE)
        .encode(
            x=alt.X("true:Q", title="Measured", scale=scale),
            y=alt.Y("predicted:Q", title="Predicted", scale=scale),
            tooltip=["true:Q", "predicted:Q"],
        )
    )
    return specification(diagonal + dots, "Predicted against measured numbers", 280)


def confusion(counts: pl.DataFrame, classes: list[str]) -> dict:
    """Shares of each true class that are called each class; `counts`: true, predicted, items, share."""
    base = alt.Chart(counts).encode(
        x=alt.X("predicted:N", sort=classes, title="Predicted").axis(labelAngle=-45, labelLimit=90),
        y=alt.Y("true:N", sort=classes, title="True"),
        tooltip=["true:N", "predicted:N", "items:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    shade = alt.Color("share:Q", title="Share of the true class").scale(domain=[0, 1], scheme="blues")
    chart = base.mark_rect().encode(color=shade.legend(format="%", gradientLength=160))
    if len(classes) <= MOST_CELLS_WITH_NUMBERS:
        dark = alt.condition("datum.share > 0.5", alt.value("#ffffff"), alt.value("#1c2430"))
        chart += base.mark_text(fontSize=12).encode(text=alt.Text("items:Q", format=","), color=dark)
    return specification(chart, "Confusion matrix: true classes in rows, predicted ones in columns", 300)


def track(bins: pl.DataFrame, regions: pl.DataFrame, description: str) -> dict:
    """Probability along a sequence; `bins`: position (1-based), probability; `regions`: start, end that are true."""
    scale = alt.Scale(domain=[1, bins["position"].max()], nice=False)
    base = alt.Chart(bins).encode(x=alt.X("position:Q", title="Position (nt)", scale=scale))
    probability = alt.Y("probability:Q", title="Probability").scale(domain=[0, 1])
    chart = (
        alt.Chart(regions)
        .mark_rect(color=GREEN, opacity=0.2)
        .encode(x=alt.X("start:Q", scale=scale), x2="end:Q", tooltip=["start:Q", "end:Q"])
    )
    chart += base.mark_line(color=BLUE, strokeWidth=1.5).encode(y=probability, tooltip=["position:Q", "probability:Q"])
    chart += alt.Chart(pl.DataFrame({"y": [0.5]})).mark_rule(color=VERMILLION, strokeDash=[4, 3]).encode(y="y:Q")
    return specification(chart, description, 140)
