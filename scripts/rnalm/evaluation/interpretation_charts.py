"""Charts of score maps, as `charts` makes them: heads, maps, profiles, enriched codons."""

import altair as alt
import numpy as np
import polars as pl

from rnalm.evaluation.charts import BLUE, GREY, ORANGE, specification

STEPS = 100  # of the colour scale of a map: its cells are whole numbers, a third of the text of fractions
DARKEST, BRIGHTEST = 0.01, 0.995
CLEAR = 0.05  # q-value


def heads(rows: pl.DataFrame) -> dict:
    """Squares of layers and heads; `rows`: layer, head, precision of one encoder."""
    chart = (
        alt.Chart(rows.select("layer", "head", pl.col("precision").round(4)))
        .mark_rect()
        .encode(
            x=alt.X("head:O", title="Head").axis(labelAngle=0, labelOverlap=True),
            y=alt.Y("layer:O", title="Layer", sort="descending").axis(labelOverlap=True),
            color=alt.Color("precision:Q", title="Precision").scale(scheme="viridis", domainMin=0),
            tooltip=["layer:O", "head:O", alt.Tooltip("precision:Q", format=".3f")],
        )
    )
    return specification(chart, "Precision of base pairs of every layer and head", 22 * rows["layer"].n_unique() + 20)


def cells(scores: np.ndarray) -> list[int]:
    """(L, L) -> colours 0 to STEPS of the cells, row by row, between the DARKEST and the BRIGHTEST quantile.

    Beyond them colours are cut off: one outlier would make all others dark.
    """
    low, high = np.quantile(scores, (DARKEST, BRIGHTEST))
    return np.clip(STEPS * (scores.ravel() - low) / max(high - low, 1e-12), 0, STEPS).astype(int).tolist()


def score_map(scores: np.ndarray, sequence: str, description: str) -> dict:
    """Square map of an RNA; scores: (L, L), what row i takes from column j.

    One row of data holds all cells, and the page unfolds them.
    """
    length = len(sequence)
    scale = alt.Scale(domain=[0.5, length + 0.5], nice=False)
    chart = (
        alt.Chart(alt.Data(values=[{"colour": cells(scores)}]))
        .transform_flatten(["colour"])
        .transform_window(cell="row_number()")
        .transform_calculate(i=f"floor((datum.cell - 1) / {length}) + 1", j=f"(datum.cell - 1) % {length} + 1")
        .transform_calculate(top="datum.i - 0.5", bottom="datum.i + 0.5", left="datum.j - 0.5", right="datum.j + 0.5")
        .mark_rect()
        .encode(
            x=alt.X("left:Q", title="Position", scale=scale),
            x2="right:Q",
            y=alt.Y("top:Q", title="Position", scale=scale).sort("descending"),
            y2="bottom:Q",
            color=alt.Color("colour:Q", legend=None).scale(scheme="viridis", domain=[0, STEPS]),
            tooltip=["i:Q", "j:Q", "colour:Q"],
        )
        .properties(usermeta={"embedOptions": {"renderer": "canvas"}})
    )
    return specification(chart, description, 280)


def line(values: np.ndarray, x: np.ndarray, title: str, value_title: str, description: str) -> dict:
    """One curve; x: where its values stand."""
    rows = pl.DataFrame({"x": x, "value": values}).with_columns(pl.col("value").round_sig_figs(4))
    chart = (
        alt.Chart(rows)
        .mark_line(color=BLUE)
        .encode(
            x=alt.X("x:Q", title=title).scale(nice=False),
            y=alt.Y("value:Q", title=value_title).scale(zero=False).axis(format="~g"),
            tooltip=["x:Q", "value:Q"],
        )
    )
    return specification(chart, description, 200)


def codons(rows: pl.DataFrame, description: str) -> dict:
    """Bars of the enrichment of codons, and as ticks that of random weights.

    rows: kmer, log2_fold, random_log2_fold, q_value, selected, in the order to show
    """
    shown = rows.select(
        "kmer", pl.col("log2_fold", "random_log2_fold").round(3), "selected", pl.col("q_value").round_sig_figs(3)
    )
    clear = (pl.col("q_value") < CLEAR).replace_strict(
        {True: "q below 0.05", False: "not clear"}, return_dtype=pl.String
    )
    scale = alt.Scale(domain=["q below 0.05", "not clear"], range=[ORANGE, GREY])
    base = alt.Chart(shown.with_columns(evidence=clear)).encode(
        y=alt.Y("kmer:N", sort=shown["kmer"].to_list(), title=None),
        tooltip=["kmer:N", "log2_fold:Q", "random_log2_fold:Q", "selected:Q", "q_value:Q"],
    )
    bars = base.mark_bar().encode(
        x=alt.X("log2_fold:Q", title="log2 of the enrichment"), color=alt.Color("evidence:N", title=None, scale=scale)
    )
    control = base.transform_filter("isValid(datum.random_log2_fold)").mark_tick(color=BLUE, thickness=3)
    # An axis of no values at all is something that the page's script warns of.
    beside = shown["random_log2_fold"].is_not_null().any()
    chart = alt.layer(bars, control.encode(x="random_log2_fold:Q")) if beside else alt.layer(bars)
    return specification(chart, description, 16 * len(shown))
